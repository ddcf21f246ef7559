import { describe, expect, test } from 'bun:test'
import { createFirstAdmin } from '../../support/admin.ts'
import { BOARD } from '../../support/boards.ts'
import { createMailbox } from '../../support/mail.ts'
import { callsOf, defineShopping, type ProblemBody, type RecordBody } from '../../support/shopping.ts'
import { startSkep } from '../../support/skep.ts'

const skep = await startSkep({ ACCESS_TOKEN_TTL: '30d' }, { mailer: createMailbox() })
const admin = callsOf(skep, await createFirstAdmin(skep))
const anyone = callsOf(skep)
await defineShopping(admin)
await admin.define('boards', BOARD)

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
