import { type Auth, createAuth } from './auth.ts'
import { createCaller } from './call.ts'
import { type Collection, createCollection } from './collection.ts'
import type { SkepError } from './errors.ts'
import { createFiles, type Files } from './files.ts'
import { createLive } from './live.ts'
import type { ListedRecord } from './order.ts'
import { type OpenSocket, platform, type SkepStorage, type SocketConstructor } from './platform.ts'
import { defaultStorage } from './storage.ts'
import { createSubscriptions, type Subscriptions } from './subscriptions.ts'
import { createTransport, type RequestOptions } from './transport.ts'
import type { AnyCollections, BatchOperation, BatchResults, CollectionMap, NameOf, OnceOptions } from './types.ts'

export interface ClientOptions {
  /** Where the server is, without `/api/v1`. */
  readonly url: string
  /** Where the session is kept: `localStorage` if there is one, else memory. */
  readonly storage?: SkepStorage
  /** For platforms without one, such as Node 20: the class of the package `ws`. */
  readonly WebSocket?: SocketConstructor | undefined
  /** The longest time between attempts to connect: by default 15 seconds. */
  readonly maxReconnectDelayMs?: number
}

/** A change, in the order in which changes were committed. */
export type ChangeEvent<Entity> = { readonly cursor: string } & (
  | { readonly type: 'created' | 'updated' | 'deleted'; readonly data: Entity }
  /** The record stopped matching the filter, or may no longer be read. */
  | { readonly type: 'left'; readonly data: { readonly id: number } }
)

export interface SubscribeOptions<Entity> {
  readonly filter?: string
  /** The last cursor of an earlier subscription: events since then come first. */
  readonly after?: string
  readonly onEvent: (event: ChangeEvent<Entity>) => void
  /** Events are missing: list again. */
  readonly onGap?: () => void
  /** Events after the cursor follow. Called again after every reconnection. */
  readonly onSubscribed?: (cursor: string) => void
  /** The connection is lost; `onSubscribed` follows once there is another. */
  readonly onDown?: () => void
  /** The subscription is over. */
  readonly onError?: (error: SkepError) => void
}

/** A Skep server, used by one person at a time. */
export interface Client<C extends CollectionMap<C>> {
  readonly auth: Auth
  readonly files: Files
  /**
   * The records of a collection.
   *
   * @example
   * ```ts
   * const tasks = client.collection('tasks')
   * ```
   */
  collection<Name extends NameOf<C>>(name: Name): Collection<C[Name]>
  /**
   * Makes up to 100 changes in any collections, all or none. They are made once, even if the request is repeated.
   *
   * @example
   * ```ts
   * const [milk, bread] = await client.batch([
   *   { collection: 'tasks', op: 'create', title: 'Milk' },
   *   { collection: 'tasks', op: 'create', title: 'Bread' },
   * ])
   * console.log(milk.title, bread.title)
   * ```
   */
  batch<const Operations extends readonly BatchOperation<C>[]>(
    operations: Operations,
    options?: OnceOptions,
  ): Promise<BatchResults<C, Operations>>
  /**
   * Receives every change of a topic (`tasks`, or one record, `tasks/7`) through reconnections, none twice. For a list,
   * use `live`. Returns a function that ends the subscription.
   *
   * @example
   * ```ts
   * const stop = client.subscribe('tasks', {
   *   filter: '!done',
   *   onEvent: ({ type, data }) => console.log(type, data.id),
   *   onGap: () => console.log('list again'),
   * })
   * stop()
   * ```
   */
  subscribe<Name extends NameOf<C>>(
    topic: Name | `${Name}/${number}` | `${Name}/all`,
    options: SubscribeOptions<C[Name]['record']>,
  ): () => void
  /**
   * Calls any other route. `path` follows `/api/v1`.
   *
   * @example
   * ```ts
   * const me = await client.call<{ name: string }>('GET', '/users/me')
   * console.log(me.name)
   * ```
   */
  call<T>(method: string, path: string, options?: RequestOptions): Promise<T>
  /**
   * Ends subscriptions and timers, and lists that are live. The session stays in the storage.
   *
   * @example
   * ```ts
   * client.close()
   * ```
   */
  close(): void
}

const DEFAULT_RECONNECT_MS = 15_000

const CHANGES = ['created', 'updated', 'deleted'] as const

const subscribeTo = (subscriptions: Subscriptions, topic: string, options: SubscribeOptions<object>): (() => void) => {
  const { filter, after, onEvent, onGap, onSubscribed, onDown, onError } = options
  return subscriptions.add(
    {
      topic,
      filter,
      onSubscribed({ cursor, gap }) {
        if (gap) onGap?.()
        onSubscribed?.(cursor)
      },
      onEvent({ event, cursor, data }) {
        const type = CHANGES.find((change) => event.endsWith(`.${change}`))
        onEvent(type === undefined ? { type: 'left', cursor, data } : { type, cursor, data })
      },
      onDown: () => onDown?.(),
      onEnd: (error) => onError?.(error),
    },
    after,
  )
}

/**
 * Makes a client for a server. `Collections` is the map that `skep types` writes.
 *
 * @example
 * ```ts
 * const client = createClient<Collections>({ url })
 * ```
 */
export const createClient = <C extends CollectionMap<C> = AnyCollections>(options: ClientOptions): Client<C> => {
  const { storage = defaultStorage(), maxReconnectDelayMs = DEFAULT_RECONNECT_MS } = options
  const url = options.url.replace(/\/+$/, '')
  const send = createTransport(url)
  const credentials = createAuth(send, storage, `skep:${url}`)
  const caller = createCaller(send, credentials)
  let open: Subscriptions | null = null
  let closing = new AbortController()
  const subscriptions = (): Subscriptions => {
    const given = options.WebSocket ?? platform.WebSocket
    if (given === undefined) throw new TypeError('This platform has no WebSocket: pass one to createClient')
    const WebSocket = given as OpenSocket
    open ??= createSubscriptions({ url: url.replace(/^http/, 'ws'), credentials, WebSocket, maxReconnectDelayMs })
    return open
  }
  return {
    auth: credentials.auth,
    files: createFiles(caller, credentials, url),
    collection: <Name extends NameOf<C>>(name: Name): Collection<C[Name]> =>
      createCollection<C[Name]>(caller, name, (wanted = {}, list) =>
        createLive<C[Name]['record'] & ListedRecord>(wanted as never, {
          topic: name,
          subscriptions: subscriptions(),
          list: list as never,
          maxRetryMs: maxReconnectDelayMs,
          signal: closing.signal,
        }),
      ),
    async batch(operations, { signal, idempotencyKey } = {}) {
      const { results } = await caller.once<{ results: never }>(
        '/batch',
        { json: { operations }, signal },
        idempotencyKey,
      )
      return results
    },
    subscribe: (topic, wanted) => subscribeTo(subscriptions(), topic, wanted as never),
    call: caller.call,
    close() {
      closing.abort()
      closing = new AbortController()
      open?.close()
      open = null
      credentials.close()
    },
  }
}
