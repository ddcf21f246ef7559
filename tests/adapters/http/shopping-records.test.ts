import { describe, expect, test } from 'bun:test'
import { createFirstAdmin } from '../../support/admin.ts'
import { createMailbox } from '../../support/mail.ts'
import { callsOf, defineShopping, householdOn, type ProblemBody } from '../../support/shopping.ts'
import { startSkep } from '../../support/skep.ts'
import { upload } from '../../support/uploads.ts'

const skep = await startSkep({ ACCESS_TOKEN_TTL: '30d' }, { mailer: createMailbox() })
const admin = callsOf(skep, await createFirstAdmin(skep))
const anyone = callsOf(skep)
await defineShopping(admin)

const household = () => householdOn(skep)

describe('a shopping list', () => {
  test('is read by its owner and members; for others it does not exist', async () => {
    const { owner, member, stranger, list } = await household()
    for (const calls of [owner, member, admin]) expect((await calls.get('lists', list.id)).status).toBe(200)
    expect((await stranger.get('lists', list.id)).status).toBe(404)
    expect((await stranger.list('lists')).body).toMatchObject({ items: [], total: 0 })
    expect((await member.list('lists')).body.total).toBe(1)
  })

  test('gets tasks from owner and members, each with its own owner, and from nobody else', async () => {
    const { owner, member, stranger, list, bob } = await household()
    const milk = await member.create('tasks', { title: 'Milk', list: list.id })
    expect(milk).toMatchObject({
      status: 201,
      body: { title: 'Milk', owner_id: bob.id, done: false, due_at: null, photo: null, version: 1 },
    })
    expect(milk.headers.get('location')).toBe(`/api/v1/collections/tasks/records/${milk.body.id}`)
    expect(milk.headers.get('etag')).toMatch(/^"1-[0-9a-z]+"$/)
    expect((await owner.get('tasks', milk.body.id)).body).toEqual(milk.body)
    expect((await stranger.get('tasks', milk.body.id)).status).toBe(404)
    expect((await stranger.create('tasks', { title: 'Beer', list: list.id })).status).toBe(403)
    expect((await anyone.create('tasks', { title: 'Beer', list: list.id })).status).toBe(401)
    expect((await stranger.list('tasks')).body.total).toBe(0)
  })

  test('has tasks that members change, but only their owner deletes', async () => {
    const { owner, member, stranger, list } = await household()
    const { body: task } = await owner.create('tasks', { title: 'Bread', list: list.id })
    expect((await member.patch('tasks', task.id, { done: true })).body).toMatchObject({ done: true, version: 2 })
    expect((await member.remove('tasks', task.id)).status).toBe(403)
    expect((await stranger.patch('tasks', task.id, { done: false })).status).toBe(404)
    expect((await stranger.remove('tasks', task.id)).status).toBe(404)
    expect((await owner.remove('tasks', task.id)).status).toBe(204)
    expect((await owner.get('tasks', task.id)).status).toBe(404)
  })

  test('keeps its tasks: a rule compares the list before and after', async () => {
    const { owner, list } = await household()
    const { body: other } = await owner.create('lists', { name: 'Other' })
    const { body: task } = await owner.create('tasks', { title: 'Eggs', list: list.id })
    expect((await owner.patch('tasks', task.id, { list: other.id })).status).toBe(403)
  })

  test('that loses a member hides its tasks from them at once', async () => {
    const { owner, member, list } = await household()
    const { body: task } = await owner.create('tasks', { title: 'Tea', list: list.id })
    expect((await member.get('tasks', task.id)).status).toBe(200)
    await owner.patch('lists', list.id, { members: [] })
    expect((await member.get('tasks', task.id)).status).toBe(404)
    expect((await member.list('tasks')).body.total).toBe(0)
  })

  test('takes its tasks with it when it is deleted', async () => {
    const { owner, list } = await household()
    const { body: task } = await owner.create('tasks', { title: 'Jam', list: list.id })
    expect((await owner.remove('lists', list.id)).status).toBe(204)
    expect((await admin.get('tasks', task.id)).status).toBe(404)
  })

  test('has one task of each title', async () => {
    const { owner, member, list } = await household()
    await owner.create('tasks', { title: 'Salt', list: list.id })
    const { status, body } = await member.create<ProblemBody>('tasks', { title: 'Salt', list: list.id })
    expect([status, body.code]).toEqual([409, 'not_unique'])
    expect(body.errors?.map(({ pointer }) => pointer)).toEqual(['/list', '/title'])
    const { body: other } = await owner.create('lists', { name: 'Other' })
    expect((await owner.create('tasks', { title: 'Salt', list: other.id })).status).toBe(201)
  })

  test('that does not exist cannot be referenced, nor can a file of somebody else', async () => {
    const { owner, list, eve } = await household()
    const missing = await admin.create<ProblemBody>('tasks', { title: 'Rum', list: 999_999 })
    expect([missing.status, missing.body.errors?.[0]?.pointer]).toEqual([422, '/list'])
    const { body: file } = await upload(skep.call, { token: eve.token })
    const foreign = await owner.create<ProblemBody>('tasks', { title: 'Rum', list: list.id, photo: file.id })
    expect([foreign.status, foreign.body.errors?.[0]?.pointer]).toEqual([422, '/photo'])
  })

  test('cannot name a member who does not exist', async () => {
    const { owner, list } = await household()
    const { status, body } = await owner.patch<ProblemBody>('lists', list.id, { members: [999_999] })
    expect(status).toBe(422)
    expect(body.errors?.[0]?.pointer).toStartWith('/members')
  })
})

describe('expand', () => {
  test('adds what references lead to, up to two levels, in one record and in a list', async () => {
    const { owner, list, ann, bob } = await household()
    const { body: task } = await owner.create('tasks', { title: 'Plums', list: list.id })
    const expanded = {
      list: { id: list.id, name: 'Groceries', expanded: { owner: { id: ann.id, name: 'Ann' } } },
      owner: { id: ann.id, name: 'Ann' },
    }
    const one = await owner.get('tasks', task.id, '?expand=list,list.owner,owner')
    expect(one.body.expanded).toMatchObject(expanded)
    expect(one.headers.get('etag')).toMatch(/^"1-/)
    const page = await owner.list('tasks', { expand: 'list,list.owner,owner' })
    expect(page.body.items[0]?.expanded).toMatchObject(expanded)
    const members = await owner.get('lists', list.id, '?expand=members')
    expect(members.body.expanded).toEqual({ members: [{ id: bob.id, name: 'Ann' }] })
  })

  test('is not answered by 304, because what it adds has no part in the version', async () => {
    const { owner, list } = await household()
    const { body: task, headers } = await owner.create('tasks', { title: 'Peas', list: list.id })
    const known = { 'if-none-match': headers.get('etag') ?? '' }
    expect((await owner.get('tasks', task.id, '', known)).status).toBe(304)
    expect((await owner.get('tasks', task.id, '?expand=list', known)).status).toBe(200)
  })

  test('leaves out what the caller may not read', async () => {
    const { owner, list, bob } = await household()
    await admin.define('pins', {
      schema: { type: 'object', properties: { list: { type: ['integer', 'null'], 'x-ref': 'lists' } } },
      rules: { read: 'true' },
    })
    const { body: pin } = await owner.create('pins', { list: list.id })
    expect((await owner.get('pins', pin.id, '?expand=list')).body.expanded).toContainKey('list')
    expect((await anyone.get('pins', pin.id, '?expand=list')).body).toMatchObject({ list: list.id, expanded: {} })
    expect(bob.id).toBeGreaterThan(0)
  })

  test.each(['nothing', 'title', 'list.owner.name'])('cannot follow %s', async (expand) => {
    const { status, body } = await admin.list<ProblemBody>('tasks', { expand })
    expect([status, body.errors?.[0]]).toEqual([422, expect.objectContaining({ in: 'query', pointer: '/expand' })])
  })
})
