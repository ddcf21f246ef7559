import { describe, expect, test } from 'bun:test'
import { createFirstAdmin } from '../../support/admin.ts'
import { createMailbox } from '../../support/mail.ts'
import { type Calls, callsOf, defineShopping, type ProblemBody } from '../../support/shopping.ts'
import { startSkep } from '../../support/skep.ts'
import { upload } from '../../support/uploads.ts'

const skep = await startSkep({ ACCESS_TOKEN_TTL: '30d' }, { mailer: createMailbox() })
const admin = callsOf(skep, await createFirstAdmin(skep))
const anyone = callsOf(skep)
await defineShopping(admin)

const OPEN = { read: 'true', create: 'true', update: 'true', delete: 'true' }

describe('a file that a record references', () => {
  test('is read by those who may read the record, as long as they may; links to it are the owner’s', async () => {
    const [ann, bob, eve] = [await skep.member(), await skep.member(), await skep.member()]
    const [owner, member, stranger] = [callsOf(skep, ann), callsOf(skep, bob), callsOf(skep, eve)]
    const { body: list } = await owner.create('lists', { name: 'Groceries', members: [bob.id] })
    const { body: file } = await upload(skep.call, { token: ann.token })
    const { body: task } = await owner.create('tasks', { title: 'Cake', list: list.id, photo: file.id })
    const paths = [`/files/${file.id}`, `/files/${file.id}/content`]
    const statuses = async (calls: Calls) =>
      Promise.all(paths.map(async (path) => (await calls.call('GET', path)).status))
    expect([await statuses(member), await statuses(stranger)]).toEqual([
      [200, 200],
      [404, 404],
    ])
    expect((await member.get('tasks', task.id, '?expand=photo')).body.expanded).toMatchObject({
      photo: { id: file.id, filename: 'picture.png', path: file.path },
    })
    const links = `/files/${file.id}/links`
    expect((await member.call('POST', links, { json: { expires_in: 60 } })).status).toBe(404)
    expect((await member.call('DELETE', `/files/${file.id}`)).status).toBe(403)
    await owner.patch('lists', list.id, { members: [] })
    expect(await statuses(member)).toEqual([404, 404])
  })
})

describe('what a record restricts', () => {
  test('is not deleted: 409, with the name of the collection', async () => {
    const [ann, bob] = [await skep.member(), await skep.member()]
    const calls = callsOf(skep, ann)
    await admin.define('orders', { schema: { type: 'object', properties: {} }, rules: OPEN })
    const reference = (target: string) => ({ type: ['integer', 'null'], 'x-ref': target })
    const properties = { order: reference('orders'), by: reference('users'), scan: reference('files') }
    await admin.define('invoices', { schema: { type: 'object', properties }, rules: OPEN })
    const { body: order } = await calls.create('orders', {})
    const { body: scan } = await upload(skep.call, { token: ann.token })
    const { body: invoice } = await calls.create('invoices', { order: order.id, by: bob.id, scan: scan.id })
    const paths = [`/collections/orders/records/${order.id}`, `/users/${bob.id}`, `/files/${scan.id}`]
    for (const path of paths) {
      const { status, headers, body } = await admin.call<ProblemBody>('DELETE', path)
      expect({ path, status, code: body.code }).toEqual({ path, status: 409, code: 'referenced' })
      expect(headers.get('content-type')).toBe('application/problem+json')
      expect(body.detail).toContain('invoices')
      expect((await admin.call('GET', path)).status).toBe(200)
    }
    const operations = [
      { collection: 'invoices', op: 'update', id: invoice.id, by: null },
      { collection: 'orders', op: 'delete', id: order.id },
    ]
    const batch = await calls.call<ProblemBody>('POST', '/batch', { json: { operations } })
    expect([batch.status, batch.body.code, batch.body.index]).toEqual([409, 'referenced', 1])
    expect((await calls.get('invoices', invoice.id)).body.by).toBe(bob.id)
    await calls.remove('invoices', invoice.id)
    for (const path of paths) expect((await admin.call('DELETE', path)).status).toBe(204)
  })
})

describe('a unique index', () => {
  test('ignores records in which one of its fields has no value', async () => {
    const text = { type: ['string', 'null'], maxLength: 5 }
    const definition = {
      schema: { type: 'object', properties: { a: text, b: { type: 'string', maxLength: 5 } } },
      indexes: [{ fields: ['a', 'b'], unique: true }],
      rules: OPEN,
    }
    await admin.define('pairs', definition)
    for (const pair of [{ a: null, b: 'x' }, { b: 'x' }, { a: 'q' }, { a: 'q' }, { a: 'q', b: 'x' }]) {
      expect((await admin.create('pairs', pair)).status).toBe(201)
    }
    const { body } = await admin.create('pairs', { b: 'x' })
    const { status, body: problem } = await admin.patch<ProblemBody>('pairs', body.id, { a: 'q' })
    expect([status, problem.code, problem.errors?.map(({ pointer }) => pointer)]).toEqual([
      409,
      'not_unique',
      ['/a', '/b'],
    ])
    // What does not count for the index is not in the way of the same index for existing records either.
    expect((await admin.define('pairs', { ...definition, indexes: [] })).status).toBe(200)
    expect((await admin.define('pairs', definition)).status).toBe(200)
  })
})

describe('a collection whose rules are null', () => {
  test('is for admins only', async () => {
    const rules = { read: null, create: null, update: null, delete: null }
    await admin.define('secrets', { schema: { type: 'object', properties: { text: { type: 'string' } } }, rules })
    const { body } = await admin.create('secrets', { text: 'a' })
    const ann = callsOf(skep, await skep.member())
    const statuses = async (calls: Calls) => [
      (await calls.create('secrets', { text: 'b' })).status,
      (await calls.get('secrets', body.id)).status,
      (await calls.patch('secrets', body.id, { text: 'b' })).status,
      (await calls.remove('secrets', body.id)).status,
    ]
    expect(await statuses(ann)).toEqual([403, 404, 404, 404])
    expect((await ann.list('secrets')).body).toMatchObject({ items: [], total: 0 })
    expect(await statuses(anyone)).toEqual([401, 401, 401, 401])
    expect((await anyone.list('secrets')).status).toBe(401)
    expect(await statuses(admin)).toEqual([201, 200, 200, 204])
  })
})

describe('MAX_RECORD_SIZE', async () => {
  const small = await startSkep({ MAX_RECORD_SIZE: '1kb' }, { mailer: createMailbox() })
  const root = callsOf(small, await createFirstAdmin(small))
  const text = { type: 'string' }
  const definition = { schema: { type: 'object', properties: { a: text, b: text } }, rules: OPEN }
  await root.define('drawers', definition)
  const [half, whole] = ['x'.repeat(600), 'x'.repeat(1_100)]

  test('limits a record, however it gets its size', async () => {
    const { body } = await root.create('drawers', { a: half })
    const operations = [{ collection: 'drawers', op: 'create', a: whole }]
    const answers = [
      await root.create<ProblemBody>('drawers', { a: whole }),
      await root.patch<ProblemBody>('drawers', body.id, { b: half }),
      await root.call<ProblemBody>('POST', '/batch', { json: { operations } }),
    ]
    expect(answers.map(({ status, body }) => [status, body.code])).toEqual(answers.map(() => [422, 'data_too_large']))
    const headers = { 'content-type': 'application/x-ndjson' }
    const lines = `${JSON.stringify({ a: whole })}\n{"a":"b"}\n`
    const imported = await root.call('POST', '/collections/drawers/records/import', { body: lines, headers })
    expect(imported.body).toMatchObject({ created: 1, lines: [{ line: 1, code: 'data_too_large' }] })
  })
})
