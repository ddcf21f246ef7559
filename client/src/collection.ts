import type { Caller } from './call.ts'
import { type Fault, SkepError } from './errors.ts'
import type { Live, LiveOptions } from './live.ts'
import type { CallOptions, CollectionTypes, ListOptions, OnceOptions, Page, PageOptions } from './types.ts'

export interface VersionOptions extends CallOptions {
  /** Refuses the change with `version_mismatch` if the record has another. */
  readonly version?: number
}

/** The records of one collection. */
export interface Collection<Types extends CollectionTypes> {
  /**
   * Reads one page.
   *
   * @example
   * ```ts
   * const { items, total } = await client.collection('tasks').list({ filter: '!done', sort: '-created_at', size: 50 })
   * console.log(`${items.length} of ${total}`)
   * ```
   */
  list(options?: PageOptions<Types['record']>): Promise<Page<Types['record']>>
  /**
   * Reads all pages, one after the other, as far as the loop goes.
   *
   * @example
   * ```ts
   * for await (const task of client.collection('tasks').all({ filter: '!done', sort: 'id' })) console.log(task.title)
   * ```
   */
  all(options?: ListOptions<Types['record']>): AsyncGenerator<Types['record'], void, undefined>
  /**
   * Reads one record. Rejects with `not_found` if there is none that the caller may read.
   *
   * @example
   * ```ts
   * const { id } = await client.collection('tasks').create({ title: 'Milk' })
   * const task = await client.collection('tasks').get(id, { expand: 'owner' })
   * ```
   */
  get(id: number, options?: CallOptions & { readonly expand?: string | readonly string[] }): Promise<Types['record']>
  /**
   * Creates a record, once, even if the connection breaks and the request is repeated.
   *
   * @example
   * ```ts
   * const task = await client.collection('tasks').create({ title: 'Milk' })
   * console.log(task.id)
   * ```
   */
  create(fields: Types['create'], options?: OnceOptions): Promise<Types['record']>
  /**
   * Changes the given fields (RFC 7396: null removes an optional one).
   *
   * @example
   * ```ts
   * const task = await client.collection('tasks').create({ title: 'Milk' })
   * const { version } = await client.collection('tasks').update(task.id, { done: true }, { version: task.version })
   * ```
   */
  update(id: number, fields: Types['update'], options?: VersionOptions): Promise<Types['record']>
  /**
   * Deletes a record.
   *
   * @example
   * ```ts
   * const task = await client.collection('tasks').create({ title: 'Milk' })
   * await client.collection('tasks').delete(task.id)
   * ```
   */
  delete(id: number, options?: VersionOptions): Promise<void>
  /**
   * A list that stays equal to what the server would list, until it is closed.
   *
   * @example
   * ```ts
   * const open = client.collection('tasks').live({ filter: '!done', sort: 'created_at' })
   * const stop = open.subscribe((tasks) => console.log(tasks.length))
   * stop()
   * open.close()
   * ```
   */
  live(options?: LiveOptions<Types['record']>): Live<Types['record']>
}

const listed = (value: string | readonly string[] | undefined): string | undefined =>
  value === undefined || typeof value === 'string' ? value : value.join(',')

/** A fault of the only operation of a batch, as one of the fields themselves. */
const inOperation = (fault: Fault): Fault => ({ ...fault, pointer: fault.pointer.replace(/^\/operations\/0/, '') })

/** The records of a collection. `follow` makes a live list, given what reads pages. */
export const createCollection = <Types extends CollectionTypes>(
  { call, once }: Caller,
  name: string,
  follow: (options: LiveOptions<Types['record']> | undefined, list: Collection<Types>['list']) => Live<Types['record']>,
): Collection<Types> => {
  const path = `/collections/${encodeURIComponent(name)}/records`

  const list: Collection<Types>['list'] = ({ signal, expand, ...query } = {}) =>
    call('GET', `${path}/`, { signal, query: { ...query, expand: listed(expand) } })

  /** A change of one version, as a batch: it takes a version alone, and can be repeated by its key. */
  const changeVersion = async (operation: object, signal: AbortSignal | undefined): Promise<Types['record'] | null> => {
    const operations = [{ ...operation, collection: name }]
    try {
      const { results } = await once<{ results: [Types['record'] | null] }>('/batch', { json: { operations }, signal })
      return results[0]
    } catch (error) {
      if (!(error instanceof SkepError)) throw error
      const { code, message, status, requestId, errors } = error
      throw new SkepError(code, message, { status, requestId, errors: errors.map(inOperation), cause: error })
    }
  }

  return {
    list,
    async *all(options) {
      let cursor: string | null = null
      do {
        const page: Page<Types['record']> = await list({
          size: 100,
          ...options,
          total: false,
          ...(cursor === null ? {} : { cursor }),
        })
        yield* page.items
        cursor = page.next_cursor
      } while (cursor !== null)
    },
    get: (id, { signal, expand } = {}) => call('GET', `${path}/${id}`, { signal, query: { expand: listed(expand) } }),
    create: (fields, { signal, idempotencyKey } = {}) => once(`${path}/`, { json: fields, signal }, idempotencyKey),
    async update(id, fields, { version, signal } = {}) {
      if (version === undefined) return call('PATCH', `${path}/${id}`, { json: fields, signal })
      const record = await changeVersion({ ...fields, op: 'update', id, version }, signal)
      if (record === null) throw new SkepError('unexpected_response', 'The server answered without a record')
      return record
    },
    async delete(id, { version, signal } = {}) {
      if (version === undefined) await call('DELETE', `${path}/${id}`, { signal })
      else await changeVersion({ op: 'delete', id, version }, signal)
    },
    live: (options) => follow(options, list),
  }
}
