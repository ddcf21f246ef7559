import { describe, expect, test } from 'bun:test'
import { createFirstAdmin } from '../../support/admin.ts'
import { createMailbox } from '../../support/mail.ts'
import { callsOf, defineShopping, type ProblemBody, type RecordBody } from '../../support/shopping.ts'
import { startSkep } from '../../support/skep.ts'

const skep = await startSkep({ ACCESS_TOKEN_TTL: '30d' }, { mailer: createMailbox() })
const admin = callsOf(skep, await createFirstAdmin(skep))
await defineShopping(admin)

interface BatchBody extends ProblemBody {
  readonly results: readonly (RecordBody | null)[]
}

const someone = async () => {
  const calls = callsOf(skep, await skep.member())
  const batch = (operations: readonly object[], headers: Record<string, string> = {}) =>
    calls.call<BatchBody>('POST', '/batch', { json: { operations }, headers })
  return { ...calls, batch }
}

describe('a batch', () => {
  test('changes records of several collections, and answers in order', async () => {
    const ann = await someone()
    const { body: list } = await ann.create('lists', { name: 'Groceries' })
    const { body: task } = await ann.create('tasks', { title: 'Milk', list: list.id })
    const { status, body } = await ann.batch([
      { collection: 'items', op: 'create', title: 'Oak table' },
      { collection: 'tasks', op: 'create', title: 'Bread', list: list.id },
      { collection: 'tasks', op: 'update', id: task.id, version: 1, done: true },
      { collection: 'lists', op: 'update', id: list.id, name: 'Food' },
      { collection: 'tasks', op: 'delete', id: task.id },
    ])
    expect(status).toBe(200)
    expect(body.results).toMatchObject([{ title: 'Oak table' }, { title: 'Bread' }, {}, { name: 'Food' }, null])
    expect((await ann.get('tasks', task.id)).status).toBe(404)
    expect((await ann.get('lists', list.id)).body.name).toBe('Food')
  })

  test('takes effect as a whole or not at all, and names the operation that failed', async () => {
    const ann = await someone()
    const { body: list } = await ann.create('lists', { name: 'Groceries' })
    const { status, body } = await ann.batch([
      { collection: 'tasks', op: 'create', title: 'Bread', list: list.id },
      { collection: 'tasks', op: 'create', title: 'Bread', list: list.id },
    ])
    expect([status, body.code, body.index]).toEqual([409, 'not_unique', 1])
    expect((await ann.list('tasks')).body.total).toBe(0)
  })

  test('points to faults within its operations', async () => {
    const ann = await someone()
    const { status, body } = await ann.batch([
      { collection: 'items', op: 'create', title: 'Fine' },
      { collection: 'lists', op: 'create', name: 7 },
    ])
    expect([status, body.index, body.errors?.[0]?.pointer]).toEqual([422, 1, '/operations/1/name'])
    expect((await ann.list('items')).body.total).toBe(0)
  })

  test('is 404 with an index for a collection or a record that does not exist', async () => {
    const ann = await someone()
    const unknown = await ann.batch([{ collection: 'nothing', op: 'create' }])
    expect([unknown.status, unknown.body.index]).toEqual([404, 0])
    const missing = await ann.batch([{ collection: 'lists', op: 'delete', id: 999_999 }])
    expect([missing.status, missing.body.index]).toEqual([404, 0])
  })

  test('is 412 if a version differs', async () => {
    const ann = await someone()
    const { body: list } = await ann.create('lists', { name: 'Groceries' })
    const { status, body } = await ann.batch([
      { collection: 'lists', op: 'update', id: list.id, version: 2, name: 'x' },
    ])
    expect([status, body.code]).toEqual([412, 'version_mismatch'])
  })

  test('is done once for each Idempotency-Key', async () => {
    const ann = await someone()
    const send = () => ann.batch([{ collection: 'lists', op: 'create', name: 'One' }], { 'idempotency-key': 'b1' })
    const [first, again] = [await send(), await send()]
    expect([again.headers.get('idempotency-replayed'), again.body]).toEqual(['true', first.body])
    expect((await ann.list('lists')).body.total).toBe(1)
  })

  test.each([
    [[], '/operations'],
    [[{ collection: 'items' }], '/operations/0/op'],
    [[{ op: 'create', title: 'x' }], '/operations/0/collection'],
    [[{ collection: 'items', op: 'update', id: '1' }], '/operations/0/id'],
    [[{ collection: 'items', op: 'delete', id: 1, title: 'x' }], '/operations/0/title'],
    [Array.from({ length: 101 }, () => ({ collection: 'items', op: 'create', title: 'x' })), '/operations'],
  ])('must have the expected form (case %#)', async (operations, pointer) => {
    const { status, body } = await (await someone()).batch(operations)
    expect([status, body.errors?.[0]?.pointer]).toEqual([422, pointer])
  })

  test('needs a token', async () => {
    expect((await callsOf(skep).call('POST', '/batch', { json: { operations: [] } })).status).toBe(401)
  })

  test('counts each operation against the limit', async () => {
    const limited = await startSkep({ RATE_LIMIT: '20/1m' }, { mailer: createMailbox() })
    const ann = callsOf(limited, await limited.member())
    const operations = Array.from({ length: 30 }, () => ({ collection: 'items', op: 'create', title: 'x' }))
    expect((await ann.call('POST', '/batch', { json: { operations } })).status).toBe(429)
    const { headers } = await ann.call('POST', '/batch', { json: { operations: operations.slice(0, 5) } })
    expect(headers.get('ratelimit-remaining')).toBe('14')
  })
})
