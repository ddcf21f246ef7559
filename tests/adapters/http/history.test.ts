import { describe, expect, test } from 'bun:test'
import { createFirstAdmin } from '../../support/admin.ts'
import { changedTaskOn, historyOf, pathOf, revert, type VersionBody } from '../../support/history.ts'
import { createMailbox } from '../../support/mail.ts'
import { callsOf, defineShopping, type PageBody, type RecordBody } from '../../support/shopping.ts'
import { signIn, startSkep } from '../../support/skep.ts'
import { until } from '../../support/until.ts'

const skep = await startSkep({ ACCESS_TOKEN_TTL: '30d' }, { mailer: createMailbox() })
const root = await createFirstAdmin(skep)
const admin = callsOf(skep, root)
await defineShopping(admin)

const household = () => changedTaskOn(skep)

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
