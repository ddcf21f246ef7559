import { describe, expect, test } from 'bun:test'
import { createFirstAdmin } from '../../support/admin.ts'
import { createMailbox } from '../../support/mail.ts'
import { callsOf, defineShopping, type PageBody, type ProblemBody, SHOPPING } from '../../support/shopping.ts'
import { startSkep } from '../../support/skep.ts'

const skep = await startSkep({ ACCESS_TOKEN_TTL: '30d' }, { mailer: createMailbox() })
const admin = callsOf(skep, await createFirstAdmin(skep))
const ann = callsOf(skep, await skep.member())
const anyone = callsOf(skep)
await defineShopping(admin)

interface DefinitionBody {
  readonly name: string
  readonly singular: string
  readonly built_in: boolean
  readonly schema: { readonly properties: Readonly<Record<string, unknown>> }
  readonly records: number
  readonly version: number
  readonly created_at: string | null
}

const NOTES = { schema: { type: 'object', properties: { text: { type: 'string', maxLength: 100 } } } }

let count = 0
/** A collection of its own for a test. */
const fresh = () => `notes_${++count}s`

const read = (name: string) => admin.call<DefinitionBody>('GET', `/collections/${name}`)

describe('a check of a definition', () => {
  const check = (name: string, json: object, by = admin) =>
    by.call<ProblemBody>('POST', `/collections/${name}/check`, { json })

  test('accepts one that could be stored, and stores nothing', async () => {
    const name = fresh()
    expect((await check(name, NOTES)).status).toBe(204)
    expect((await read(name)).status).toBe(404)
  })

  test('lists its faults, those of rules too', async () => {
    const { status, body } = await check(fresh(), { ...NOTES, rules: { read: 'record.nothing == 1' } })
    expect([status, body.errors]).toMatchObject([422, [{ pointer: '/rules/read' }]])
  })

  test('lists all its faults at once, without those that only follow from others', async () => {
    const { status, body } = await check(fresh(), {
      name: 'others',
      owner: 'both',
      schema: {
        type: 'object',
        properties: {
          size: { type: 'int' },
          list: { type: 'integer', 'x-ref': 'nowhere' },
          next: { type: 'integer', 'x-ref': 'others' },
        },
      },
      rules: {
        read: 'record.size == 1 && record.sizes == 1',
        create: 'record.size.x.exists(y, y > 1)',
        update: 'auth.id ==',
      },
    })
    expect([status, body.errors?.map(({ pointer }) => pointer).sort()]).toEqual([
      422,
      [
        '/name',
        '/owner',
        '/rules/read',
        '/rules/update',
        '/schema/properties/list/x-ref',
        '/schema/properties/next/x-ref',
        '/schema/properties/size/type',
      ],
    ])
  })

  test('says so if it has more faults than are listed', async () => {
    const withFaults = (count: number) => ({
      schema: {
        type: 'object',
        properties: Object.fromEntries(Array.from({ length: count }, (_, n) => [`f${n}`, { type: 'int' }])),
      },
    })
    const [all, some] = [await check(fresh(), withFaults(20)), await check(fresh(), withFaults(21))]
    expect([all.body.detail, all.body.errors?.length]).toEqual(['The definition cannot be used', 20])
    expect([some.body.detail, some.body.errors?.length]).toEqual([
      'The definition cannot be used; only the first 20 faults are listed',
      20,
    ])
  })

  test('lists no faults of rules over a schema that cannot be read', async () => {
    const rules = { read: 'record.a == 1', update: 'next.a > now || true' }
    for (const schema of ['x', { type: 'object', properties: [] }, undefined]) {
      const { body } = await check(fresh(), { ...(schema && { schema }), rules })
      expect(body.errors?.filter(({ pointer }) => pointer.startsWith('/rules'))).toEqual([])
    }
  })

  test('is refused for a collection that is built in, and for users', async () => {
    expect((await check('items', NOTES)).status).toBe(409)
    expect((await check(fresh(), NOTES, ann)).status).toBe(403)
  })
})

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

  test('with If-Match is only replaced at that version', async () => {
    const name = fresh()
    const { headers } = await admin.define(name, NOTES)
    const etag = headers.get('etag') ?? ''
    const changed = { ...NOTES, search: ['text'] }
    expect((await admin.define(name, changed, { 'if-match': etag })).status).toBe(200)
    const late = await admin.define<ProblemBody>(name, NOTES, { 'if-match': etag })
    expect([late.status, late.body.code]).toEqual([412, 'version_mismatch'])
    expect((await read(name)).body.version).toBe(2)
    const removal = await admin.call('DELETE', `/collections/${name}`, { headers: { 'if-match': etag } })
    expect(removal.status).toBe(412)
  })

  test('with If-Match: * must exist already', async () => {
    const name = fresh()
    const headers = { 'if-match': '*' }
    const refused = await admin.define<ProblemBody>(name, NOTES, headers)
    expect([refused.status, refused.body.code]).toEqual([412, 'version_mismatch'])
    expect((await read(name)).status).toBe(404)
    await admin.define(name, NOTES)
    expect((await admin.define(name, { ...NOTES, search: ['text'] }, headers)).status).toBe(200)
  })

  test.each(['"1-aaaa"', 'W/"1-aaaa"', '1', ''])(
    'with If-Match: %s, which no version has, is not created',
    async (tag) => {
      expect((await admin.define(fresh(), NOTES, { 'if-match': tag })).status).toBe(412)
    },
  )

  test('is deleted at the version of If-Match, whatever its records', async () => {
    const name = fresh()
    const { headers } = await admin.define(name, NOTES)
    await ann.create(name, { text: 'a' })
    const known = { 'if-match': headers.get('etag') ?? '' }
    const remove = (query: string) => admin.call('DELETE', `/collections/${name}${query}`, { headers: known })
    expect([(await remove('')).status, (await remove('?records=1')).status]).toEqual([409, 204])
  })

  test('with If-None-Match: * must be new', async () => {
    const name = fresh()
    const headers = { 'if-none-match': '*' }
    expect((await admin.define(name, NOTES, headers)).status).toBe(201)
    const again = await admin.define<ProblemBody>(name, { ...NOTES, search: ['text'] }, headers)
    expect([again.status, again.body.code]).toEqual([412, 'version_mismatch'])
  })

  test('lists every fault with its pointer', async () => {
    const faulty = {
      schema: { type: 'object', properties: { a: { type: 'strang' }, b: { type: 'string', oneOf: [] } } },
      indexes: [{ fields: ['missing'] }],
      search: ['missing'],
      rules: { read: 'record.nothing ==' },
      owner: 'sell',
      more: true,
    }
    const { status, body } = await admin.define<ProblemBody>(fresh(), faulty)
    expect([status, body.code]).toEqual([422, 'validation_failed'])
    const pointers = body.errors?.map(({ pointer }) => pointer)
    expect(pointers).toContainValues(['/more', '/owner', '/search/0', '/schema/properties/b/oneOf'])
    expect(body.errors?.every(({ in: part, detail }) => part === 'body' && detail !== '')).toBe(true)
  })

  test.each(['Tasks', '1st', 'a-b', 'users', 'files', 'x'.repeat(64)])('cannot be named %s', async (name) => {
    const { status, body } = await admin.define<ProblemBody>(name, NOTES)
    expect([status, body.code]).toEqual([422, 'validation_failed'])
  })

  test.each([[[]], ['text'], [null], [7]])('is an object, not %p', async (json) => {
    expect((await admin.call('PUT', `/collections/${fresh()}`, { json })).status).toBe(422)
  })

  test.each([{ a: 1 }, 'x', null])('has a transform that is a list of operations, not %p', async (transform) => {
    const { status, body } = await admin.define<ProblemBody>(fresh(), { ...NOTES, transform })
    expect([status, body.errors?.[0]?.pointer]).toEqual([422, '/transform'])
  })

  test('has the faults of its transform listed with its own, whether it is stored or only checked', async () => {
    const name = fresh()
    await admin.define(name, NOTES)
    const faulty = {
      ...NOTES,
      owner: 'both',
      transform: [
        { op: 'remove', path: '/text' },
        { op: 'rename', path: 'text' },
      ],
    }
    for (const path of [`/collections/${name}`, `/collections/${name}/check`]) {
      const method = path.endsWith('check') ? 'POST' : 'PUT'
      const { status, body } = await admin.call<ProblemBody>(method, path, { json: faulty })
      expect([status, body.errors?.map(({ pointer }) => pointer).sort()]).toEqual([
        422,
        ['/owner', '/transform/1/op', '/transform/1/path'],
      ])
    }
    expect((await read(name)).body).toMatchObject({ version: 1 })
  })

  test.each([
    ['PUT', ''],
    ['POST', '/check'],
  ])('is refused by %s if an object in it has two members of the same name', async (method, path) => {
    const name = fresh()
    const { schema } = NOTES
    const rules = '{"read":"true","\\u0072ead":null}'
    const { status, body } = await admin.call<ProblemBody>(method, `/collections/${name}${path}`, {
      body: `{"schema":${JSON.stringify(schema)},"rules":${rules},"owner":"keep","owner":"delete"}`,
      headers: { 'content-type': 'application/json' },
    })
    const detail = 'Another member of this object has the same name'
    expect([status, body.code, body.errors]).toEqual([
      422,
      'validation_failed',
      ['/rules/read', '/owner'].map((pointer) => ({ in: 'body', pointer, detail })),
    ])
    expect((await read(name)).status).toBe(404)
  })

  test('may have a schema of 64 kB, also if other bodies are smaller, and no more than 256 kB', async () => {
    const small = await startSkep({ MAX_BODY_SIZE: '16kb' }, { mailer: createMailbox() })
    const root = callsOf(small, await createFirstAdmin(small))
    const properties = Object.fromEntries(
      Array.from({ length: 60 }, (_, n) => [`f${n}`, { type: 'string', description: 'x'.repeat(900) }]),
    )
    expect((await root.define('larges', { schema: { type: 'object', properties } })).status).toBe(201)
    const huge = { schema: { type: 'object', description: 'x'.repeat(300_000) } }
    expect((await root.define('huges', huge)).status).toBe(413)
  })

  test('cannot replace or delete a collection that is defined in code', async () => {
    const put = await admin.define<ProblemBody>('items', NOTES)
    const removal = await admin.call<ProblemBody>('DELETE', '/collections/items')
    for (const { status, body } of [put, removal]) expect([status, body.code]).toEqual([409, 'collection_built_in'])
  })
})

describe('the ETag of a definition', () => {
  test('changes with the number of records that is shown', async () => {
    const name = fresh()
    const etag = (await admin.define(name, NOTES)).headers.get('etag') ?? ''
    const again = () => admin.call('GET', `/collections/${name}`, { headers: { 'if-none-match': etag } })
    expect((await again()).status).toBe(304)
    const { body } = await ann.create(name, { text: 'a' })
    expect([(await again()).status, (await again()).body]).toMatchObject([200, { records: 1 }])
    await ann.remove(name, body.id)
    expect((await again()).status).toBe(304)
  })

  test('matches as If-Match until the definition is changed, whatever happens to records', async () => {
    const name = fresh()
    const etag = (await admin.define(name, NOTES)).headers.get('etag') ?? ''
    await ann.create(name, { text: 'a' })
    expect((await admin.define(name, { ...NOTES, owner: 'keep' }, { 'if-match': etag })).status).toBe(200)
    expect((await admin.define(name, NOTES, { 'if-match': etag })).status).toBe(412)
  })
})

describe('changing a definition', () => {
  test('is refused if records do not fit: with their number, the first of them, and nothing changed', async () => {
    const name = fresh()
    await admin.define(name, NOTES)
    const texts = [...Array.from({ length: 12 }, () => 'a long text'), 'short']
    for (const text of texts) expect((await ann.create(name, { text })).status).toBe(201)
    const shorter = { schema: { type: 'object', properties: { text: { type: 'string', maxLength: 5 } } } }
    const { status, body } = await admin.define<ProblemBody>(name, shorter)
    expect([status, body.code, body.records?.count]).toEqual([409, 'records_do_not_fit', 12])
    expect(body.records?.first).toHaveLength(10)
    expect(body.records?.first[0]).toEqual({
      id: expect.any(Number),
      errors: [{ pointer: '/text', detail: expect.any(String) }],
    })
    expect((await read(name)).body).toMatchObject({ version: 1, records: 13 })
    expect((await ann.create(name, { text: 'still long enough' })).status).toBe(201)
  })

  test('takes effect on the next request', async () => {
    const name = fresh()
    await admin.define(name, NOTES)
    const { body } = await ann.create(name, { text: 'mine' })
    expect((await anyone.get(name, body.id)).status).toBeOneOf([401, 404])
    await admin.define(name, { ...NOTES, rules: { read: 'true' } })
    expect((await anyone.get(name, body.id)).status).toBe(200)
  })

  test('with a transform renames a field of every record', async () => {
    const name = fresh()
    await admin.define(name, NOTES)
    const { body } = await ann.create(name, { text: 'kept' })
    const renamed = {
      schema: { type: 'object', properties: { words: { type: 'string', maxLength: 100 } } },
      transform: [{ op: 'move', from: '/text', path: '/words' }],
    }
    expect((await admin.define(name, renamed)).status).toBe(200)
    const after = (await ann.get(name, body.id)).body
    expect(after.words).toBe('kept')
    expect(after).not.toContainKey('text')
  })

  test('changes the ETag of its records if they are shown differently, and only then', async () => {
    const name = fresh()
    await admin.define(name, NOTES)
    const { body } = await ann.create(name, { text: 'a' })
    const path = `/collections/${name}/records/${body.id}`
    let etag = (await ann.call('GET', path)).headers.get('etag') ?? ''
    const isKnownAfter = async (definition: object) => {
      expect((await admin.define(name, definition)).status).toBe(200)
      const { status, headers } = await ann.call('GET', path, { headers: { 'if-none-match': etag } })
      etag = headers.get('etag') ?? ''
      return status === 304
    }
    const { text } = NOTES.schema.properties
    const longer = { ...NOTES, schema: { type: 'object', properties: { text, due: { type: ['string', 'null'] } } } }
    expect(await isKnownAfter({ ...NOTES, owner: 'keep' })).toBe(true)
    expect(await isKnownAfter(longer)).toBe(false)
    expect(await isKnownAfter({ ...longer, rules: { read: 'true' } })).toBe(true)
    expect(await isKnownAfter({ ...longer, transform: [{ op: 'add', path: '/text', value: 'b' }] })).toBe(false)
    const patched = await ann.call('PATCH', path, { json: { text: 'c' }, headers: { 'if-match': etag } })
    expect(patched.status).toBe(200)
    expect((await ann.call('PATCH', path, { json: { text: 'd' }, headers: { 'if-match': etag } })).status).toBe(412)
  })

  test('makes earlier ETags of its records fail as If-Match if they are shown differently', async () => {
    const name = fresh()
    await admin.define(name, NOTES)
    const { body } = await ann.create(name, { text: 'a' })
    const path = `/collections/${name}/records/${body.id}`
    const readEtag = async () => (await ann.call('GET', path)).headers.get('etag') ?? ''
    const transformTo = (value: string) =>
      admin.define(name, { ...NOTES, transform: [{ op: 'add', path: '/text', value }] })
    const first = await readEtag()
    await transformTo('b')
    const second = await readEtag()
    await transformTo('c')
    for (const etag of [first, second]) {
      const headers = { 'if-match': etag }
      expect((await ann.call('PATCH', path, { json: { text: 'd' }, headers })).status).toBe(412)
      expect((await ann.call('POST', `${path}/revert`, { json: { version: 1 }, headers })).status).toBe(412)
      expect((await ann.call('DELETE', path, { headers })).status).toBe(412)
    }
    expect((await ann.call('GET', path)).body).toMatchObject({ text: 'c', version: 1 })
    const headers = { 'if-match': `${first}, ${await readEtag()}` }
    expect((await ann.call('PATCH', path, { json: { text: 'd' }, headers })).status).toBe(200)
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
