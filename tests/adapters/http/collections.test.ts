import { describe, expect, test } from 'bun:test'
import { type DefinitionBody, NOTES, startNotes } from '../../support/notes.ts'
import { type PageBody, type ProblemBody, SHOPPING } from '../../support/shopping.ts'

const { admin, ann, anyone, fresh, read } = await startNotes()

describe('a definition', () => {
  test('is created by PUT with Location and ETag, and read with every default filled in', async () => {
    const name = fresh()
    const { status, headers, body } = await admin.define<DefinitionBody>(name, NOTES)
    expect([status, headers.get('location')]).toEqual([201, `/api/v1/collections/${name}`])
    expect(headers.get('etag')).toMatch(/^"1-[0-9a-z]+-0"$/)
    expect(body).toMatchObject({
      name,
      singular: name.slice(0, -1),
      indexes: [],
      search: [],
      rules: { read: 'auth.id == record.owner_id', create: 'auth != null' },
      owner: 'delete',
      built_in: false,
      records: 0,
      version: 1,
    })
    const again = await read(name)
    expect([again.status, again.body, again.headers.get('etag')]).toEqual([200, body, headers.get('etag')])
  })

  test('is listed with the others, in the order of their names, with the numbers of their records', async () => {
    const { body } = await admin.call<PageBody<DefinitionBody>>('GET', '/collections/?size=100')
    const names = body.items.map(({ name }) => name)
    expect(names).toEqual(names.toSorted())
    expect(names).toContainValues(['items', 'lists', 'tasks'])
    expect(body.total).toBe(names.length)
    expect(body.items.find(({ name }) => name === 'items')).toMatchObject({ built_in: true, created_at: null })
    const time = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/)
    expect(body.items.find(({ name }) => name === 'tasks')).toMatchObject({
      ...{ built_in: false, records: 0, version: 1, created_at: time, updated_at: time },
    })
    const first = await admin.call<PageBody<DefinitionBody>>('GET', '/collections/?size=1')
    expect(first.body.items.map(({ name }) => name)).toEqual(names.slice(0, 1))
  })

  test('is for admins: 403 for users, 401 without a token, before anything else is checked', async () => {
    for (const [calls, status] of [
      [ann, 403],
      [anyone, 401],
    ] as const) {
      expect((await calls.call('GET', '/collections/')).status).toBe(status)
      expect((await calls.call('GET', '/collections/tasks')).status).toBe(status)
      expect((await calls.call('GET', '/collections/unknown')).status).toBe(status)
      expect((await calls.call('PUT', '/collections/unknown', { body: '{' })).status).toBe(status)
      expect((await calls.call('DELETE', '/collections/tasks')).status).toBe(status)
    }
  })

  test('is 404 if there is none', async () => {
    expect((await read('nothing')).status).toBe(404)
    expect((await admin.call('DELETE', '/collections/nothing')).status).toBe(404)
  })

  test('answers 304 when If-None-Match matches, also with a trailing slash', async () => {
    const etag = (await read('tasks')).headers.get('etag') ?? ''
    const headers = { 'if-none-match': etag }
    expect((await admin.call('GET', '/collections/tasks/', { headers })).status).toBe(304)
    expect((await admin.call('GET', '/collections/tasks', { headers: { 'if-none-match': '"9-a"' } })).status).toBe(200)
  })

  test('that stays the same keeps its version; another gets a new one', async () => {
    const name = fresh()
    await admin.define(name, NOTES)
    expect(await admin.define(name, NOTES)).toMatchObject({ status: 200, body: { version: 1 } })
    expect(await admin.define(name, { ...NOTES, search: ['text'] })).toMatchObject({
      status: 200,
      body: { version: 2 },
    })
  })

  test('cannot replace or delete a collection that is defined in code', async () => {
    const put = await admin.define<ProblemBody>('items', NOTES)
    const removal = await admin.call<ProblemBody>('DELETE', '/collections/items')
    for (const { status, body } of [put, removal]) expect([status, body.code]).toEqual([409, 'collection_built_in'])
  })
})

describe('deleting a collection', () => {
  test('answers 204 if it is empty', async () => {
    const name = fresh()
    await admin.define(name, NOTES)
    expect((await admin.call('DELETE', `/collections/${name}`)).status).toBe(204)
    expect((await read(name)).status).toBe(404)
    expect((await ann.list(name)).status).toBe(404)
  })

  test('with records needs their exact number', async () => {
    const name = fresh()
    await admin.define(name, NOTES)
    for (const text of ['a', 'b']) await ann.create(name, { text })
    for (const query of ['', '?records=1', '?records=3', '?records=0']) {
      const { status, body } = await admin.call<ProblemBody>('DELETE', `/collections/${name}${query}`)
      expect([status, body.code]).toEqual([409, 'not_empty'])
    }
    expect((await admin.call('DELETE', `/collections/${name}?records=two`)).status).toBe(422)
    expect((await admin.call('DELETE', `/collections/${name}?records=2`)).status).toBe(204)
    await admin.define(name, NOTES)
    expect((await admin.list(name)).body.total).toBe(0)
  })

  test('is refused while another collection references it', async () => {
    const { status, body } = await admin.call<ProblemBody>('DELETE', '/collections/lists')
    expect([status, body.code]).toEqual([409, 'referenced'])
  })
})

test('the paths of definitions answer 405 with Allow to other methods', async () => {
  const collection = await admin.call('POST', '/collections/tasks')
  expect([collection.status, collection.headers.get('allow')]).toEqual([405, 'DELETE, GET, HEAD, OPTIONS, PUT'])
  const all = await admin.call('PUT', '/collections/')
  expect([all.status, all.headers.get('allow')]).toEqual([405, 'GET, HEAD, OPTIONS'])
  expect((await admin.call('HEAD', '/collections/tasks')).status).toBe(200)
})

test('a definition that is sent back as it was read changes nothing', async () => {
  const { body } = await read('tasks')
  const { built_in: _, records: __, version: ___, created_at: ____, ...rest } = body
  const definition = Object.fromEntries(Object.entries(rest).filter(([name]) => name !== 'updated_at'))
  expect(await admin.define('tasks', definition)).toMatchObject({ status: 200, body: { version: body.version } })
  expect(Object.keys(definition)).toContainValues(Object.keys(SHOPPING.tasks))
})
