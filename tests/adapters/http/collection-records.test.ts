import { describe, expect, test } from 'bun:test'
import { createFirstAdmin } from '../../support/admin.ts'
import { createMailbox } from '../../support/mail.ts'
import { callsOf, defineShopping, type PageBody, type ProblemBody, type RecordBody } from '../../support/shopping.ts'
import { startSkep } from '../../support/skep.ts'
import { upload } from '../../support/uploads.ts'

const skep = await startSkep({ ACCESS_TOKEN_TTL: '30d' }, { mailer: createMailbox() })
const admin = callsOf(skep, await createFirstAdmin(skep))
const anyone = callsOf(skep)
await defineShopping(admin)

const OPEN = { read: 'true', create: 'true', update: 'true', delete: 'true' }
const BOARD = {
  schema: {
    type: 'object',
    required: ['text'],
    properties: {
      text: { type: 'string', minLength: 1, maxLength: 100 },
      size: { type: 'number' },
      about: { type: 'object', properties: { a: { type: 'integer' }, b: { type: 'integer' } } },
      label: { type: 'string', maxLength: 20, default: 'none' },
    },
  },
  indexes: [{ fields: ['text'] }],
  search: ['text'],
  rules: OPEN,
}
await admin.define('boards', BOARD)

/** Records of 60 kB of which one page cannot read all. */
const MANY_COUNT = 400

/** A list of its owner, with another member, and someone who has nothing to do with it. */
const household = async () => {
  const [ann, bob, eve] = [await skep.member(), await skep.member(), await skep.member()]
  const [owner, member, stranger] = [callsOf(skep, ann), callsOf(skep, bob), callsOf(skep, eve)]
  const { body: list } = await owner.create('lists', { name: 'Groceries', members: [bob.id] })
  return { ann, bob, eve, owner, member, stranger, list }
}

const titles = ({ body }: { body: PageBody }) => body.items.map(({ title }) => title)

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

describe('a record', () => {
  test('must fit the schema: every fault is listed with its pointer', async () => {
    const { body, status } = await admin.create<ProblemBody>('boards', { size: 'big', about: { a: 'x' }, more: 1 })
    expect([status, body.code]).toEqual([422, 'validation_failed'])
    expect(body.errors?.map(({ pointer }) => pointer).toSorted()).toEqual(['/about/a', '/more', '/size', '/text'])
  })

  test.each([[[]], ['text'], [null]])('is an object, not %p', async (json) => {
    expect((await admin.call('POST', '/collections/boards/records/', { json })).status).toBe(422)
  })

  test('has the defaults of what was left out, and no value where there is no default', async () => {
    const { body } = await admin.create('boards', { text: 'a' })
    expect(body.label).toBe('none')
    expect(body).not.toContainKeys(['size', 'expanded'])
  })

  test('keeps numbers exactly as they were sent, or is refused', async () => {
    const send = (size: string) =>
      admin.call<ProblemBody & RecordBody>('POST', '/collections/boards/records', {
        body: `{"text":"a","size":${size}}`,
        headers: { 'content-type': 'application/json' },
      })
    expect((await send('0.1')).body.size).toBe(0.1)
    for (const size of ['12345678901234567890', '1e400']) {
      const { status, body } = await send(size)
      expect([status, body.code, body.errors?.[0]?.pointer]).toEqual([422, 'number_not_exact', '/size'])
    }
  })

  test('is changed by a merge patch of either media type, and only by these', async () => {
    const { body } = await admin.create('boards', { text: 'a', about: { a: 1, b: 2 } })
    const send = (type: string) =>
      admin.call<RecordBody>('PATCH', `/collections/boards/records/${body.id}/`, {
        body: JSON.stringify({ about: { b: null }, size: 3 }),
        headers: { 'content-type': type },
      })
    expect(await send('application/merge-patch+json')).toMatchObject({
      status: 200,
      body: { about: { a: 1 }, size: 3 },
    })
    expect(await send('application/json; charset=utf-8')).toMatchObject({ status: 200, body: { version: 2 } })
    const refused = await send('text/plain')
    expect([refused.status, refused.headers.get('accept')]).toEqual([
      415,
      'application/json, application/merge-patch+json',
    ])
  })

  test('loses an optional field by null', async () => {
    const { body } = await admin.create('boards', { text: 'a', size: 1 })
    expect((await admin.patch('boards', body.id, { size: null })).body).not.toContainKey('size')
    expect((await admin.patch('boards', body.id, { text: null })).status).toBe(422)
  })

  test('is changed and deleted only at the version of If-Match, and answers 304 to If-None-Match', async () => {
    const { body, headers } = await admin.create('boards', { text: 'a' })
    const etag = headers.get('etag') ?? ''
    expect((await admin.get('boards', body.id, '', { 'if-none-match': etag })).status).toBe(304)
    expect((await admin.patch('boards', body.id, { text: 'b' }, { 'if-match': etag })).status).toBe(200)
    expect((await admin.patch('boards', body.id, { text: 'c' }, { 'if-match': etag })).status).toBe(412)
    expect((await admin.remove('boards', body.id, { 'if-match': etag })).status).toBe(412)
    expect((await admin.get('boards', body.id, '', { 'if-none-match': etag })).status).toBe(200)
  })

  test('is created once for each Idempotency-Key', async () => {
    const ann = callsOf(skep, await skep.member())
    const send = (text: string) => ann.create<RecordBody & ProblemBody>('boards', { text }, { 'idempotency-key': 'k1' })
    const [first, again, other] = [await send('a'), await send('a'), await send('b')]
    expect([again.status, again.headers.get('idempotency-replayed'), again.body]).toEqual([201, 'true', first.body])
    expect([other.status, other.body.code]).toEqual([422, 'idempotency_mismatch'])
  })

  test('is not larger than MAX_BODY_SIZE', async () => {
    expect((await admin.create('boards', { text: 'x'.repeat(1_100_000) })).status).toBe(413)
  })
})

describe('someone without a token', () => {
  test('may do what a rule of "true" lets anyone do; such a record has no owner', async () => {
    const { status, body } = await anyone.create('boards', { text: 'hello' })
    expect([status, body.owner_id]).toEqual([201, null])
    expect((await anyone.get('boards', body.id)).body).toEqual(body)
    expect((await anyone.list('boards')).status).toBe(200)
    expect((await anyone.patch('boards', body.id, { text: 'bye' })).body).toMatchObject({ text: 'bye', version: 2 })
    expect((await anyone.remove('boards', body.id)).status).toBe(204)
  })

  test('with a token that is not valid is refused, not treated as without one', async () => {
    expect((await skep.call('GET', '/collections/boards/records/', { token: 'nonsense' })).status).toBe(401)
  })

  test('is limited by address', async () => {
    const limited = await startSkep({ RATE_LIMIT: '3/1m' }, { mailer: createMailbox() })
    const statuses: number[] = []
    for (let n = 0; n < 4; n++) statuses.push((await callsOf(limited).list('nothing')).status)
    expect(statuses).toEqual([404, 404, 404, 429])
  })

  test.each(['GET', 'POST', 'PATCH', 'DELETE'])(
    'gets 404 for %s in a collection that does not exist',
    async (method) => {
      const path = `/collections/unknown/records/${method === 'PATCH' || method === 'DELETE' ? '1' : ''}`
      for (const calls of [anyone, admin]) {
        const { status } = await calls.call(method, path, method === 'GET' ? {} : { json: {} })
        expect(status).toBe(404)
      }
    },
  )
})

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

describe('paths of records', () => {
  test('answer 405 with Allow to other methods', async () => {
    const allowed = async (method: string, path: string) => {
      const { status, headers } = await admin.call(method, `/collections/tasks/records${path}`)
      return [status, headers.get('allow')]
    }
    expect(await allowed('PUT', '/')).toEqual([405, 'GET, HEAD, OPTIONS, POST'])
    expect(await allowed('PUT', '/1')).toEqual([405, 'DELETE, GET, HEAD, OPTIONS, PATCH'])
    expect(await allowed('DELETE', '/export')).toEqual([405, 'GET, HEAD, OPTIONS'])
    expect(await allowed('GET', '/import')).toEqual([405, 'OPTIONS, POST'])
  })

  test('have ids that are integers', async () => {
    for (const id of ['0', 'abc', '1.0']) {
      expect((await admin.call('GET', `/collections/tasks/records/${id}`)).status).toBe(422)
    }
  })

  test('answer HEAD without content', async () => {
    const { body } = await admin.create('boards', { text: 'a' })
    const head = await admin.call('HEAD', `/collections/boards/records/${body.id}`)
    expect([head.status, String(head.body)]).toEqual([200, ''])
    expect(head.headers.get('etag')).toMatch(/^"1-/)
  })
})
