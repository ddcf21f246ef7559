import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { createFirstAdmin } from '../../support/admin.ts'
import { changedTaskOn, historyOf, pathOf, revert } from '../../support/history.ts'
import { createMailbox } from '../../support/mail.ts'
import { runsOf } from '../../support/runs.ts'
import { callsOf, defineShopping, type ProblemBody, type RecordBody } from '../../support/shopping.ts'
import { startSkep } from '../../support/skep.ts'

const skep = await startSkep({ ACCESS_TOKEN_TTL: '30d' }, { mailer: createMailbox() })
const admin = callsOf(skep, await createFirstAdmin(skep))
await defineShopping(admin)

const household = () => changedTaskOn(skep)

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
