import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { createFirstAdmin } from '../../support/admin.ts'
import { createMailbox } from '../../support/mail.ts'
import { runsOf } from '../../support/runs.ts'
import { callsOf, defineShopping, type PageBody, type ProblemBody, type RecordBody } from '../../support/shopping.ts'
import { signIn, startSkep } from '../../support/skep.ts'
import { until } from '../../support/until.ts'

const skep = await startSkep({ ACCESS_TOKEN_TTL: '30d' }, { mailer: createMailbox() })
const root = await createFirstAdmin(skep)
const admin = callsOf(skep, root)
await defineShopping(admin)

interface VersionBody {
  readonly version: number
  readonly change: string
  readonly actor: { readonly id: number; readonly name: string | null } | null
  readonly session_id: number | null
  readonly job_id: number | null
  readonly changes: Readonly<Record<string, { readonly from: unknown; readonly to: unknown }>> | null
}

type Calls = ReturnType<typeof callsOf>

const pathOf = (collection: string, id: number) =>
  collection === 'items' ? `/items/${id}` : `/collections/${collection}/records/${id}`

const historyOf = (calls: Calls, collection: string, id: number, query = '') =>
  calls.call<PageBody<VersionBody>>('GET', `${pathOf(collection, id)}/history${query}`)

const revert = <T = RecordBody>(calls: Calls, collection: string, id: number, version: number, headers = {}) =>
  calls.call<T>('POST', `${pathOf(collection, id)}/revert`, { json: { version }, headers })

/** A list with a member, and one of its tasks, which the member has changed. */
const household = async () => {
  const [ann, bob, eve] = [await skep.member(), await skep.member(), await skep.member()]
  const [owner, member, stranger] = [callsOf(skep, ann), callsOf(skep, bob), callsOf(skep, eve)]
  const { body: list } = await owner.create('lists', { name: 'Groceries', members: [bob.id] })
  const { body: task } = await owner.create('tasks', { title: 'Milk', list: list.id })
  await member.patch('tasks', task.id, { title: 'Oat milk', done: true })
  return { ann, bob, owner, member, stranger, list, task }
}

describe('the history of a record', () => {
  test('lists who changed what, newest first', async () => {
    const { ann, bob, member, task, list } = await household()
    const { status, body } = await historyOf(member, 'tasks', task.id)
    expect(status).toBe(200)
    expect(body.items).toMatchObject([
      {
        version: 2,
        change: 'updated',
        actor: { id: bob.id },
        changes: { title: { from: 'Milk', to: 'Oat milk' }, done: { from: false, to: true } },
      },
      { version: 1, change: 'created', actor: { id: ann.id }, changes: { list: { from: null, to: list.id } } },
    ])
    expect(Object.keys(body.items[0]?.changes ?? {})).toEqual(['title', 'done'])
  })

  test('distinguishes the sessions of one user', async () => {
    const { ann, owner, list } = await household()
    const elsewhere = callsOf(skep, await signIn(skep.call, ann))
    await elsewhere.patch('lists', list.id, { name: 'Food' })
    const { body } = await historyOf(owner, 'lists', list.id)
    const [second, first] = body.items.map(({ session_id }) => session_id)
    expect(first).toBeNumber()
    expect(second).toBeNumber()
    expect(second).not.toBe(first ?? null)
  })

  test('is visible to anyone who may read the record', async () => {
    const { stranger, task } = await household()
    expect((await historyOf(stranger, 'tasks', task.id)).status).toBe(404)
    expect((await historyOf(callsOf(skep), 'tasks', task.id)).status).toBe(401)
    expect((await historyOf(admin, 'tasks', task.id)).status).toBe(200)
    expect((await historyOf(admin, 'tasks', 999_999)).status).toBe(404)
  })

  test('leaves out versions that the caller could not read', async () => {
    const { owner, member, stranger, list } = await household()
    const { body: me } = await stranger.call<RecordBody>('GET', '/users/me')
    await owner.patch('lists', list.id, { name: 'Secret' })
    await owner.patch('lists', list.id, { name: 'Shared', members: [me.id] })
    const { body } = await historyOf(stranger, 'lists', list.id)
    expect(body.items).toMatchObject([{ version: 3, changes: null }])
    expect((await historyOf(member, 'lists', list.id)).status).toBe(404)
  })

  test('is read in pages', async () => {
    const { owner, list } = await household()
    for (const name of ['a', 'b', 'c']) await owner.patch('lists', list.id, { name })
    const first = await historyOf(owner, 'lists', list.id, '?size=2')
    expect(first.body.items.map(({ version }) => version)).toEqual([4, 3])
    expect(first.body.items[1]?.changes).toEqual({ name: { from: 'a', to: 'b' } })
    const second = await historyOf(owner, 'lists', list.id, `?size=2&cursor=${first.body.next_cursor}`)
    expect(second.body).toMatchObject({ items: [{ version: 2 }, { version: 1 }], next_cursor: null, total: null })
  })

  test('of an item is the same, at either path', async () => {
    const { owner } = await household()
    const { body: item } = await owner.call<RecordBody>('POST', '/items/', { json: { title: 'Rose' } })
    await owner.call('PATCH', `/items/${item.id}`, { json: { title: 'Red rose' } })
    const { body } = await historyOf(owner, 'items', item.id)
    expect(body.items).toMatchObject([
      { version: 2, changes: { title: { from: 'Rose', to: 'Red rose' } } },
      { version: 1, change: 'created' },
    ])
    const other = await owner.call<PageBody<VersionBody>>('GET', `/collections/items/records/${item.id}/history`)
    expect(other.body).toEqual(body)
  })

  test('of a deleted collection is not shown for a new one with its name', async () => {
    const schema = { type: 'object', properties: { text: { type: 'string' } } }
    await admin.define('notes', { schema })
    const { body: note } = await admin.create('notes', { text: 'old' })
    await admin.call('DELETE', '/collections/notes?records=1')
    await admin.define('notes', { schema, rules: { read: 'true' } })
    expect((await historyOf(admin, 'notes', note.id)).status).toBe(404)
    expect((await revert(admin, 'notes', note.id, 1)).status).toBe(404)
  })

  test('names the job that made a change, which a client cannot forge', async () => {
    const { bob, owner, list } = await household()
    await owner.patch('lists', list.id, { name: 'x' })
    await owner.call('PATCH', pathOf('lists', list.id), { json: { name: 'y' }, headers: { 'x-request-id': 'job-5' } })
    await admin.call('DELETE', `/users/${bob.id}`)
    const versions = async () => (await historyOf(owner, 'lists', list.id)).body.items
    await until(async () => (await versions()).length === 4)
    const items = await versions()
    expect(items[0]).toMatchObject({ changes: { members: { to: [] } }, session_id: null })
    expect(items[0]?.job_id).toBeNumber()
    expect(items[1]).toMatchObject({ version: 3, job_id: null })
  })
})

describe('a revert', () => {
  test('restores the fields of an earlier version as a new version', async () => {
    const { member, task } = await household()
    const reverted = await revert(member, 'tasks', task.id, 1)
    expect(reverted).toMatchObject({ status: 200, body: { id: task.id, title: 'Milk', done: false, version: 3 } })
    expect(reverted.headers.get('etag')).toStartWith('"3-')
    expect((await member.get('tasks', task.id)).body).toEqual(reverted.body)
  })

  test('to the current version changes nothing', async () => {
    const { member, task } = await household()
    expect((await revert(member, 'tasks', task.id, 2)).body).toMatchObject({ title: 'Oat milk', version: 2 })
  })

  test('restores a deleted record with its id, owner and time', async () => {
    const { ann, owner, member, task } = await household()
    await owner.remove('tasks', task.id)
    expect((await historyOf(member, 'tasks', task.id)).body.items[0]).toMatchObject({ change: 'deleted', version: 2 })
    const restored = await revert(owner, 'tasks', task.id, 1)
    const { id, created_at } = task
    expect(restored).toMatchObject({
      status: 200,
      body: { id, owner_id: ann.id, created_at, version: 3, title: 'Milk', done: false },
    })
    expect((await member.list('tasks', { filter: `id == ${id}` })).body.items).toEqual([restored.body])
    expect((await member.list('tasks', { q: 'milk' })).body.items).toEqual([restored.body])
    const { body } = await historyOf(member, 'tasks', id)
    expect(body.items.map(({ change }) => change)).toEqual(['created', 'deleted', 'updated', 'created'])
  })

  test('requires the right to change the record, and to restore it the rights to delete and to create it', async () => {
    const { owner, member, stranger, list, task } = await household()
    expect((await revert(member, 'lists', list.id, 1)).status).toBe(403)
    expect((await revert(stranger, 'tasks', task.id, 1)).status).toBe(404)
    await owner.remove('tasks', task.id)
    expect((await revert(member, 'tasks', task.id, 1)).status).toBe(403)
    expect((await revert(stranger, 'tasks', task.id, 1)).status).toBe(404)
  })

  test('honours If-Match', async () => {
    const { owner, list } = await household()
    const { body: task, headers: first } = await owner.create('tasks', { title: 'Tea', list: list.id })
    const { headers: second } = await owner.patch('tasks', task.id, { done: true })
    const [old, present] = [first, second].map((headers) => ({ 'if-match': headers.get('etag') ?? '' }))
    const refused = await revert<ProblemBody>(owner, 'tasks', task.id, 1, old)
    expect([refused.status, refused.body.code]).toEqual([412, 'version_mismatch'])
    await owner.remove('tasks', task.id)
    expect((await revert(owner, 'tasks', task.id, 1, old)).status).toBe(412)
    expect((await revert(owner, 'tasks', task.id, 1, present)).status).toBe(200)
  })

  test('lists every reason why a version cannot be restored', async () => {
    const { owner, list, task } = await household()
    const { body: other } = await owner.create('tasks', { title: 'Milk', list: list.id })
    const taken = await revert<ProblemBody>(owner, 'tasks', task.id, 1)
    expect([taken.status, taken.body.code]).toEqual([409, 'not_unique'])
    await owner.remove('tasks', other.id)
    await owner.remove('lists', list.id)
    const gone = await revert<ProblemBody>(admin, 'tasks', task.id, 1)
    expect([gone.status, gone.body.errors?.map(({ pointer }) => pointer)]).toEqual([422, ['/list']])
    const missing = await revert<ProblemBody>(admin, 'tasks', task.id, 9)
    expect([missing.status, missing.body.code]).toEqual([404, 'not_found'])
    const invalid = await revert<ProblemBody>(admin, 'tasks', task.id, 0)
    expect([invalid.status, invalid.body.errors?.[0]?.pointer]).toEqual([422, '/version'])
  })

  test('of a deleted record by two at once restores it once', async () => {
    const { owner, task } = await household()
    await owner.remove('tasks', task.id)
    const restored = await Promise.all([1, 2, 3].map(() => revert(owner, 'tasks', task.id, 2)))
    expect(restored.map(({ status }) => status)).toEqual([200, 200, 200])
    expect((await historyOf(owner, 'tasks', task.id)).body.items.map(({ change }) => change)).toEqual([
      ...['created', 'deleted', 'updated', 'created'],
    ])
  })

  test('after a field was renamed uses the new name, like the history', async () => {
    const name = { type: 'string', maxLength: 20 }
    const definition = (field: string) => ({
      schema: { type: 'object', required: [field], properties: { [field]: name } },
    })
    await admin.define('places', definition('name'))
    const { body: place } = await admin.create('places', { name: 'Rome' })
    await admin.patch('places', place.id, { name: 'Roma' })
    for (const [from, to] of [
      ['name', 'label'],
      ['label', 'title'],
    ] as const) {
      const transform = [{ op: 'move', from: `/${from}`, path: `/${to}` }]
      await admin.define('places', { ...definition(to), transform })
    }
    const { body } = await historyOf(admin, 'places', place.id)
    expect(body.items[0]?.changes).toEqual({ title: { from: 'Rome', to: 'Roma' } })
    expect((await revert(admin, 'places', place.id, 1)).body).toMatchObject({ title: 'Rome', version: 3 })
  })

  test('after a field was removed omits it, and names the missing required field', async () => {
    const schema = (properties: object, required: readonly string[] = []) => ({
      schema: { type: 'object', properties, required },
    })
    const text = { type: 'string', maxLength: 20 }
    await admin.define('cards', schema({ front: text, back: text }))
    const { body: card } = await admin.create('cards', { front: 'a', back: 'b' })
    await admin.patch('cards', card.id, { front: 'c', back: null })
    await admin.define('cards', schema({ front: text }))
    expect((await revert(admin, 'cards', card.id, 1)).body).toMatchObject({ front: 'a', version: 3 })
    await admin.patch('cards', card.id, { front: null })
    await admin.patch('cards', card.id, { front: 'd' })
    await admin.define('cards', schema({ front: text }, ['front']))
    const refused = await revert<ProblemBody>(admin, 'cards', card.id, 4)
    expect([refused.status, refused.body.errors?.[0]?.pointer]).toEqual([422, '/front'])
  })
})

const fieldsOf = ({ id: _, version, created_at, updated_at, ...fields }: RecordBody) => fields

test('a revert to any version of any record yields that version, whatever happened since', async () => {
  const calls = callsOf(skep, await skep.member())
  const title = fc.string({ minLength: 1, maxLength: 20, unit: 'grapheme' }).filter((text) => /\p{L}/u.test(text))
  const step = fc.oneof(
    { weight: 3, arbitrary: fc.record({ op: fc.constant('patch' as const), title, n: fc.integer() }) },
    { weight: 1, arbitrary: fc.record({ op: fc.constant('delete' as const) }) },
    { weight: 2, arbitrary: fc.record({ op: fc.constant('revert' as const), to: fc.nat({ max: 1_000 }) }) },
  )
  await admin.define('pages', {
    schema: {
      type: 'object',
      required: ['title'],
      properties: {
        title: { type: 'string', maxLength: 100 },
        data: { type: 'object', properties: { n: { type: 'integer' } } },
      },
    },
    indexes: [{ fields: ['title'] }],
  })
  await fc.assert(
    fc.asyncProperty(fc.constantFrom('items', 'pages'), fc.array(step, { maxLength: 12 }), async (name, steps) => {
      const base = name === 'items' ? '/items/' : '/collections/pages/records/'
      const { body: made } = await calls.call<RecordBody>('POST', base, { json: { title: 'first', data: { n: 0 } } })
      const known = new Map([[1, fieldsOf(made)]])
      let present = true
      for (const each of steps) {
        if (each.op === 'delete') {
          if (present) await calls.call('DELETE', pathOf(name, made.id))
          present = false
          continue
        }
        if (each.op === 'patch' && !present) continue
        const to = each.op === 'revert' ? ([...known.keys()][each.to % known.size] ?? 1) : 0
        const { status, body } =
          each.op === 'revert'
            ? await revert(calls, name, made.id, to)
            : await calls.call<RecordBody>('PATCH', pathOf(name, made.id), {
                json: { title: each.title, data: { n: each.n } },
              })
        if (each.op === 'patch' && status === 422) continue
        expect(status).toBe(200)
        if (each.op === 'revert') expect(fieldsOf(body)).toEqual(known.get(to) ?? fieldsOf(made))
        present = true
        known.set(body.version, fieldsOf(body))
      }
    }),
    { numRuns: runsOf(15, 40) },
  )
})
