import { describe, expect, test } from 'bun:test'
import { createFirstAdmin } from '../../support/admin.ts'
import type { Call } from '../../support/call.ts'
import { testClock } from '../../support/clock.ts'
import { createMailbox } from '../../support/mail.ts'
import { type Member, startSkep } from '../../support/skep.ts'
import { outsideOf } from '../../support/stack.ts'
import { until } from '../../support/until.ts'

interface ItemBody {
  readonly id: number
  readonly owner_id: number
  readonly title: string
  readonly description: string | null
  readonly data: Record<string, unknown>
  readonly version: number
  readonly updated_at: string
}

interface PageBody {
  readonly items: readonly ItemBody[]
  readonly total: number | null
  readonly next_cursor: string | null
}

const clock = testClock()
const skep = await startSkep({ ACCESS_TOKEN_TTL: '30d' }, { mailer: createMailbox(), clock })
const root = await createFirstAdmin(skep)

const create = (by: Member, json: object, headers: Record<string, string> = {}) =>
  skep.call<ItemBody>('POST', '/items/', { token: by.token, json, headers })
const at = (by: Member, item: ItemBody, method = 'GET', call: Call = {}) =>
  skep.call<ItemBody & { code?: string }>(method, `/items/${item.id}`, { token: by.token, ...call })
const list = (by: Member, query = '') => skep.call<PageBody>('GET', `/items/${query}`, { token: by.token })
const titles = ({ body }: { body: PageBody }) => body.items.map(({ title }) => title)

/** The tag of a version of what was answered, written in the same epoch. */
const tagOf =
  ({ headers }: { headers: Headers }) =>
  (version: number) =>
    headers.get('etag')?.replace(/^"\d+/, `"${version}`) ?? ''

describe('an item', () => {
  test('is created with its defaults, a Location and its version as ETag', async () => {
    const ann = await skep.member()
    const { status, headers, body } = await create(ann, { title: 'First' })
    expect([status, headers.get('location')]).toEqual([201, `/api/v1/items/${body.id}`])
    expect(headers.get('etag')).toMatch(/^"1-[0-9a-z]+"$/)
    expect(body).toMatchObject({ owner_id: ann.id, title: 'First', description: null, data: {}, version: 1 })
    expect(headers.get('content-type')).toStartWith('application/json')
  })

  test('has a title, a description and any JSON object', async () => {
    const ann = await skep.member()
    const given = { title: 'Ünïcode', description: 'a\nb', data: { a: [1, null, { b: 'ß' }], ['__proto__']: { x: 1 } } }
    const { body } = await create(ann, given)
    expect((await at(ann, body)).body).toMatchObject({ ...given, data: JSON.parse(JSON.stringify(given.data)) })
  })

  test('may have as many characters as the limits say, whatever each takes', async () => {
    const ann = await skep.member()
    const given = { title: '🐝'.repeat(200), description: '🐝'.repeat(10_000) }
    expect(await create(ann, given)).toMatchObject({ status: 201, body: given })
    expect((await create(ann, { title: '🐝'.repeat(201) })).status).toBe(422)
  })

  test.each([
    {},
    { title: '' },
    { title: '   ' },
    { title: 'x'.repeat(201) },
    { title: 'a\nb' },
    { title: 7 },
    { title: 'x', description: 'x'.repeat(10_001) },
    { title: 'x', description: 'nul \0' },
    { title: 'x', data: [] },
    { title: 'x', data: null },
    { title: 'x', data: { text: 'x'.repeat(16_384) } },
    { title: 'x', owner_id: 1 },
    { title: 'x', version: 9 },
  ])('is not created from what breaks a limit (case %#)', async (json) => {
    const ann = await skep.member()
    expect((await create(ann, json)).status).toBe(422)
  })

  test('is visible to its owner and admins; for others it does not exist', async () => {
    const [ann, bob] = [await skep.member(), await skep.member()]
    const { body } = await create(ann, { title: 'Mine' })
    expect([(await at(ann, body)).status, (await at(root, body)).status]).toEqual([200, 200])
    for (const method of ['GET', 'PATCH', 'DELETE']) {
      const call = method === 'PATCH' ? { json: { title: 'Stolen' } } : {}
      expect((await at(bob, body, method, call)).status).toBe(404)
    }
    expect((await skep.call('GET', `/items/${body.id}`)).status).toBe(401)
  })

  test('answers 304 when If-None-Match matches', async () => {
    const ann = await skep.member()
    const { body } = await create(ann, { title: 'Known' })
    const known = tagOf(await at(ann, body))
    const ask = (etag: string) => at(ann, body, 'GET', { headers: { 'if-none-match': etag } })
    for (const etag of [known(1), `W/${known(1)}`, `"7", ${known(1)}`, '*']) {
      const answer = await ask(etag)
      expect([answer.status, answer.headers.get('etag'), String(answer.body)]).toEqual([304, known(1), ''])
    }
    for (const etag of [known(2), '1', known(11), '"1"', '"1-aaaa"']) expect((await ask(etag)).status).toBe(200)
  })
})

describe('changing an item', () => {
  test('sets the named fields, merges data and counts the version', async () => {
    const ann = await skep.member()
    const { body } = await create(ann, { title: 'A', description: 'B', data: { keep: 1, drop: 2, deep: { x: 1 } } })
    clock.advance(1_000)
    const json = { description: null, data: { drop: null, deep: { y: 2 } } }
    const changed = await at(ann, body, 'PATCH', { json })
    expect([changed.status, changed.headers.get('etag')]).toEqual([200, tagOf(changed)(2)])
    expect(changed.body).toMatchObject({
      title: 'A',
      description: null,
      data: { keep: 1, deep: { x: 1, y: 2 } },
      version: 2,
    })
    expect(changed.body.updated_at > body.updated_at).toBe(true)
    expect((await at(ann, body)).body).toEqual(changed.body)
  })

  test('with If-Match fails at another version, and changes nothing', async () => {
    const ann = await skep.member()
    const { body } = await create(ann, { title: 'A' })
    const patch = (title: string, etag: string) =>
      at(ann, body, 'PATCH', { json: { title }, headers: { 'if-match': etag } })
    const known = tagOf(await at(ann, body))
    expect((await patch('B', known(1))).status).toBe(200)
    const late = await patch('C', known(1))
    expect([late.status, late.body.code]).toEqual([412, 'version_mismatch'])
    for (const etag of [`W/${known(2)}`, '"x"', '2', '"2"', '"2-aaaa"'])
      expect((await patch('C', etag)).status).toBe(412)
    expect((await at(ann, body)).body.title).toBe('B')
    expect([(await patch('D', `"9", ${known(2)}`)).status, (await patch('E', '*')).status]).toEqual([200, 200])
  })

  test('of twenty racing writers with one version, one wins', async () => {
    const ann = await skep.member()
    const { body } = await create(ann, { title: 'A' })
    const etag = tagOf(await at(ann, body))(1)
    const race = Array.from({ length: 20 }, (_, n) =>
      at(ann, body, 'PATCH', { json: { title: `T${n}` }, headers: { 'if-match': etag } }),
    )
    const statuses = (await Promise.all(race)).map(({ status }) => status).sort()
    expect(statuses).toEqual([200, ...Array<number>(19).fill(412)])
  })

  test('twenty racing writers without a version lose no field', async () => {
    const ann = await skep.member()
    const { body } = await create(ann, { title: 'A' })
    await Promise.all(
      Array.from({ length: 20 }, (_, n) => at(ann, body, 'PATCH', { json: { data: { [`k${n}`]: n } } })),
    )
    const after = (await at(ann, body)).body
    expect([Object.keys(after.data).length, after.version]).toEqual([20, 21])
  })

  test('cannot make data larger than its limit bit by bit', async () => {
    const ann = await skep.member()
    const { body } = await create(ann, { title: 'A', data: { a: 'x'.repeat(10_000) } })
    const { status, body: problem } = await at(ann, body, 'PATCH', { json: { data: { b: 'x'.repeat(10_000) } } })
    expect([status, problem.code]).toEqual([422, 'data_too_large'])
  })

  test('deleting honours If-Match', async () => {
    const ann = await skep.member()
    const { body } = await create(ann, { title: 'A' })
    const known = tagOf(await at(ann, body))
    expect((await at(ann, body, 'DELETE', { headers: { 'if-match': known(2) } })).status).toBe(412)
    expect((await at(ann, body, 'DELETE', { headers: { 'if-match': known(1) } })).status).toBe(204)
    expect([(await at(ann, body)).status, (await at(ann, body, 'DELETE')).status]).toEqual([404, 404])
  })
})

describe('a batch', () => {
  interface BatchBody {
    readonly results: readonly (ItemBody | null)[]
    readonly code?: string
    readonly index?: number
  }
  const batch = (by: Member, operations: readonly object[], headers: Record<string, string> = {}) =>
    skep.call<BatchBody>('POST', '/items/batch', { token: by.token, json: { operations }, headers })

  test('runs all its operations and returns results in order', async () => {
    const ann = await skep.member()
    const [one, two] = [(await create(ann, { title: 'One' })).body, (await create(ann, { title: 'Two' })).body]
    const { status, body } = await batch(ann, [
      { op: 'create', title: 'Three', data: { x: 1 } },
      { op: 'update', id: one.id, title: 'Uno', version: 1 },
      { op: 'delete', id: two.id },
    ])
    expect(status).toBe(200)
    expect(body.results).toMatchObject([
      { title: 'Three', data: { x: 1 } },
      { id: one.id, title: 'Uno', version: 2 },
      null,
    ])
    expect(titles(await list(ann)).sort()).toEqual(['Three', 'Uno'])
  })

  test.each<[string, object, number, string]>([
    ['an item that is not there', { op: 'delete', id: 999_999 }, 404, 'not_found'],
    ['another version', { op: 'update', id: 0, title: 'x', version: 7 }, 412, 'version_mismatch'],
    ['too much data', { op: 'create', title: 'x', data: { x: 'x'.repeat(17_000) } }, 422, 'data_too_large'],
  ])('does nothing when one meets %s, and says which', async (_, failing, status, code) => {
    const ann = await skep.member()
    const own = (await create(ann, { title: 'Own' })).body
    const last = 'id' in failing && failing.id === 0 ? { ...failing, id: own.id } : failing
    const answer = await batch(ann, [
      { op: 'create', title: 'New' },
      { op: 'update', id: own.id, title: 'Changed' },
      last,
    ])
    expect([answer.status, answer.body.code, answer.body.index]).toEqual([status, code, 2])
    expect(titles(await list(ann))).toEqual(['Own'])
  })

  test('cannot change records of others', async () => {
    const [ann, bob] = [await skep.member(), await skep.member()]
    const { id } = (await create(ann, { title: 'Mine' })).body
    expect((await batch(bob, [{ op: 'delete', id }])).body).toMatchObject({ code: 'not_found', index: 0 })
  })

  test('has 1 to 100 operations, each of a known form', async () => {
    const ann = await skep.member()
    const make = (count: number) => Array.from({ length: count }, () => ({ op: 'create', title: 'x' }))
    expect((await batch(ann, make(100))).status).toBe(200)
    expect((await batch(ann, make(101))).status).toBe(422)
    expect((await batch(ann, [])).status).toBe(422)
    expect((await batch(ann, [{ op: 'upsert', title: 'x' }])).status).toBe(422)
    expect((await batch(ann, [{ op: 'delete', id: 1, title: 'x' }])).status).toBe(422)
  })
})

test('the items of a removed user are removed too', async () => {
  const ann = await skep.member()
  for (let n = 0; n < 3; n++) await create(ann, { title: `Soon gone ${n}` })
  await skep.call('DELETE', '/users/me', { token: ann.token, json: { current_password: ann.password } })
  await until(async () => (await list(root, `?owner_id=${ann.id}`)).body.total === 0)
  expect((await list(root, '?q=soon+gone')).body.total).toBe(0)
  expect(JSON.stringify((await outsideOf(skep.dataDir)).items)).not.toContain('Soon gone')
})
