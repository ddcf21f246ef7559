import { describe, expect, test } from 'bun:test'
import { createFirstAdmin } from '../../support/admin.ts'
import { BOARD } from '../../support/boards.ts'
import { createMailbox } from '../../support/mail.ts'
import { callsOf, defineShopping, householdOn, type PageBody, type ProblemBody } from '../../support/shopping.ts'
import { startSkep } from '../../support/skep.ts'

const skep = await startSkep({ ACCESS_TOKEN_TTL: '30d' }, { mailer: createMailbox() })
const admin = callsOf(skep, await createFirstAdmin(skep))
const anyone = callsOf(skep)
await defineShopping(admin)
await admin.define('boards', BOARD)

/** Records of 60 kB of which one page cannot read all. */
const MANY_COUNT = 400

const household = () => householdOn(skep)

const titles = ({ body }: { body: PageBody }) => body.items.map(({ title }) => title)

describe('a list', () => {
  test('is filtered by an expression over the fields, which sees what a rule sees', async () => {
    const { owner, list, ann } = await household()
    await owner.create('tasks', { title: 'Apples', list: list.id, due_at: '2026-01-01T00:00:00Z' })
    await owner.create('tasks', { title: 'Avocado', list: list.id, done: true })
    await owner.create('tasks', { title: 'Butter', list: list.id })
    const find = async (filter: string) => titles(await owner.list('tasks', { filter, sort: 'created_at' }))
    expect(await find('!done')).toEqual(['Apples', 'Butter'])
    expect(await find('title.startsWith("A") && done')).toEqual(['Avocado'])
    expect(await find('due_at < timestamp("2026-06-01T00:00:00Z")')).toEqual(['Apples'])
    expect(await find(`list.name == "Groceries" && owner_id == ${ann.id}`)).toEqual(['Apples', 'Avocado', 'Butter'])
    expect((await owner.list('tasks', { filter: '!done' })).body.total).toBe(2)
  })

  test.each(['done ==', 'nothing == 1', 'title + 1'])('is refused with the fault of the filter %p', async (filter) => {
    const { status, body } = await admin.list<ProblemBody>('tasks', { filter })
    expect([status, body.code]).toEqual([422, 'validation_failed'])
    expect(body.errors?.[0]).toMatchObject({ in: 'query', pointer: '/filter' })
  })

  test('is sorted by what has an index, and by nothing else', async () => {
    const name = 'sortables'
    await admin.define(name, BOARD)
    for (const text of ['b', 'c', 'a']) await admin.create(name, { text })
    const sorted = async (sort: string) => (await admin.list(name, { sort })).body.items.map(({ text }) => text)
    expect(await sorted('text')).toEqual(['a', 'b', 'c'])
    expect(await sorted('-text')).toEqual(['c', 'b', 'a'])
    expect(await sorted('id')).toEqual(['b', 'c', 'a'])
    const { status, body } = await admin.list<ProblemBody>(name, { sort: 'size' })
    expect([status, body.errors?.[0]]).toEqual([
      422,
      expect.objectContaining({ in: 'query', pointer: '/sort', detail: expect.stringContaining('-text') }),
    ])
  })

  test('that would cost too much ends early, even empty, and its cursor leads to everything that matches', async () => {
    const name = 'bulkies'
    const schema = { type: 'object', properties: { text: { type: 'string', maxLength: 65_000 } } }
    await admin.define(name, { schema, indexes: [] })
    // What a page may read is bounded in bytes too.
    const lines = Array.from({ length: MANY_COUNT }, (_, n) => `{"text":"${'x'.repeat(60_000)}${n}"}\n`)
    const headers = { 'content-type': 'application/x-ndjson' }
    const path = `/collections/${name}/records/import`
    expect((await admin.call('POST', path, { body: lines.join(''), headers })).body).toMatchObject({ refused: 0 })
    const query = { filter: `text.endsWith("x${MANY_COUNT - 1}")`, sort: 'id', total: 'false' }
    let { body: page } = await admin.list(name, query)
    expect(page.items).toEqual([])
    expect(page.next_cursor).toBeString()
    const found: number[] = []
    for (let pages = 1; page.next_cursor !== null && pages < MANY_COUNT; pages++) {
      page = (await admin.list(name, { ...query, cursor: page.next_cursor })).body
      found.push(...page.items.map(({ id }) => id))
    }
    expect([found.length, page.next_cursor]).toEqual([1, null])
  })

  test('is read by cursor to its end, whatever it is sorted by', async () => {
    const name = 'pageables'
    await admin.define(name, BOARD)
    for (const text of ['d', 'b', 'b', 'a', 'c']) await admin.create(name, { text })
    for (const sort of ['text', '-text', 'id', '-created_at']) {
      let page = (await admin.list(name, { sort, size: '2' })).body
      const texts = page.items.map(({ text }) => text)
      while (page.next_cursor !== null) {
        page = (await admin.list(name, { sort, size: '2', cursor: page.next_cursor })).body
        texts.push(...page.items.map(({ text }) => text))
      }
      const { body } = await admin.list(name, { sort, size: '100' })
      expect(texts).toEqual(body.items.map(({ text }) => text))
    }
    const forged = Buffer.from('["id","x",1]').toString('base64url')
    expect((await admin.list(name, { cursor: forged })).status).toBe(422)
  })

  test('is searched by the words of the fields of `search`', async () => {
    const name = 'searchables'
    await admin.define(name, BOARD)
    for (const text of ['Water the roses', 'Cut the roses', 'Mow the lawn']) await admin.create(name, { text })
    const { body } = await admin.list(name, { q: 'ros' })
    expect(body.total).toBe(2)
  })

  test('counts only what the caller may read', async () => {
    const { owner, stranger, list } = await household()
    await owner.create('tasks', { title: 'Figs', list: list.id })
    expect((await owner.list('tasks')).body.total).toBe(1)
    expect((await stranger.list('tasks')).body).toMatchObject({ items: [], total: 0, next_cursor: null })
  })
})

describe('items', () => {
  test('are the same resource below /collections/items/records/', async () => {
    const ann = callsOf(skep, await skep.member())
    const eve = callsOf(skep, await skep.member())
    const { body, status, headers } = await ann.create('items', { title: 'Oak table', data: { a: 1 } })
    expect([status, headers.get('location')]).toEqual([201, `/api/v1/collections/items/records/${body.id}`])
    expect((await ann.call('GET', `/items/${body.id}`)).body).toEqual(body)
    expect((await ann.get('items', body.id)).body).toEqual(body)
    expect((await ann.patch('items', body.id, { data: { b: 2 } })).body).toMatchObject({ data: { a: 1, b: 2 } })
    expect((await ann.list('items')).body.total).toBe(1)
    expect((await eve.list('items')).body.total).toBe(0)
    expect((await eve.get('items', body.id)).status).toBe(404)
    expect((await anyone.get('items', body.id)).status).toBe(401)
    expect((await ann.create('items', { title: '' })).status).toBe(422)
    expect((await ann.remove('items', body.id)).status).toBe(204)
  })

  test('can be filtered on their own path', async () => {
    const ann = callsOf(skep, await skep.member())
    for (const title of ['Oak', 'Ash']) await ann.call('POST', '/items/', { json: { title } })
    const filter = encodeURIComponent('title.startsWith("O")')
    const { body } = await ann.call<PageBody>('GET', `/items/?filter=${filter}`)
    expect(titles({ body })).toEqual(['Oak'])
  })
})
