import { describe, expect, test } from 'bun:test'
import { once } from 'node:events'
import { connect } from 'node:net'
import { listAt } from '../../../src/adapters/http/docs/node.ts'
import { createFirstAdmin } from '../../support/admin.ts'
import { testClock } from '../../support/clock.ts'
import { createMailbox } from '../../support/mail.ts'
import { type Operation, operations, resolved } from '../../support/openapi.ts'
import { sendRaw } from '../../support/raw-http.ts'
import { type Member, startSkep } from '../../support/skep.ts'
import { until } from '../../support/until.ts'
import { MULTIPART, multipart, PNG, part, upload } from '../../support/uploads.ts'

const clock = testClock()
const skep = await startSkep({ ACCESS_TOKEN_TTL: '30d' }, { mailer: createMailbox(), clock })
const root = await createFirstAdmin(skep)
const JSON_TYPE = { 'content-type': 'application/json' }

const totalOf = async ({ token }: Member) =>
  (await skep.call<{ total: number }>('GET', '/items/', { token })).body.total

test('Elysia is in production mode, whatever NODE_ENV was', async () => {
  // Loaded after the program, as the program loads it.
  expect((await import('elysia/error')).isProduction).toBe(true)
})

describe('a body', () => {
  const pad = (bytes: number) => 'x'.repeat(bytes)

  test.each([
    ['POST', '/users/'],
    ['PATCH', '/users/me'],
    ['PATCH', `/users/${root.id}`],
    ['POST', '/users/me/password'],
    ['POST', '/auth/password/forgot'],
    ['POST', '/auth/password/reset'],
    ['POST', '/auth/email/verify'],
  ])('for credentials or an account has at most 16 kB (%s %s)', async (method, path) => {
    const send = (email: string) =>
      skep.call(method, path, { token: root.token, body: JSON.stringify({ email }), headers: JSON_TYPE })
    expect((await send(pad(16_384))).body.code).toBe('payload_too_large')
    expect((await send(pad(16_000))).status).toBe(422)
  })

  test.each(['/auth/token', '/auth/revoke'])('of a form is no larger than 16 kB (%s)', async (path) => {
    const { status } = await skep.call('POST', path, { form: { username: pad(16_384), token: 'x' } })
    expect(status).toBe(413)
  })

  test.each([
    `{"operations":[${'{},'.repeat(300_000)}{}]}`,
    `{"title":"x",${Array.from({ length: 100_000 }, (_, n) => `"${n.toString(36)}":0`).join(',')}}`,
    `{"title":"x","data":{"n":[${'0,'.repeat(400_000)}0]}}`,
  ])('with too many values is refused before it is parsed (case %#)', async (body) => {
    for (const path of ['/items/', '/items/batch']) {
      const answer = await skep.call('POST', path, { token: root.token, body, headers: JSON_TYPE })
      expect([answer.status, answer.body.code]).toEqual([413, 'payload_too_large'])
    }
  })

  test('may have as many values as the data of an item has room for', async () => {
    const ann = await skep.member()
    const json = { title: 'x', data: { n: Array.from({ length: 8_000 }, () => 0) } }
    expect((await skep.call('POST', '/items/', { token: ann.token, json })).status).toBe(201)
  })

  test.each(['gzip', 'br', 'deflate', 'gzip, identity'])('that is compressed (%s) is 415', async (encoding) => {
    const body = Bun.gzipSync('{"title":"x"}')
    const headers = { ...JSON_TYPE, 'content-encoding': encoding }
    const json = await skep.call('POST', '/items/', { token: root.token, body, headers })
    expect([json.status, json.body.code, json.headers.get('accept-encoding')]).toEqual([
      415,
      'unsupported_media_type',
      'identity',
    ])
    const form = { 'content-type': 'application/x-www-form-urlencoded', 'content-encoding': encoding }
    expect((await skep.call('POST', '/auth/token', { body, headers: form })).status).toBe(415)
    const file = { 'content-type': MULTIPART, 'content-encoding': encoding }
    expect((await skep.call('POST', '/files/', { token: root.token, body, headers: file })).status).toBe(415)
  })

  test.each([
    ['/items/', 'application/json'],
    ['/auth/token', 'application/x-www-form-urlencoded'],
    ['/files/', 'multipart/form-data'],
  ])('of the wrong type, compressed or both is refused with what is accepted (%s)', async (path, type) => {
    const accepted = async (headers: Record<string, string>) => {
      const answer = await skep.call('POST', path, { token: root.token, body: 'x', headers })
      expect([answer.status, answer.body.code]).toEqual([415, 'unsupported_media_type'])
      return [answer.headers.get('accept'), answer.headers.get('accept-encoding')]
    }
    const gzip = { 'content-encoding': 'gzip' }
    expect(await accepted({ 'content-type': 'text/plain' })).toEqual([type, null])
    expect(await accepted({ 'content-type': type, ...gzip })).toEqual([null, 'identity'])
    expect(await accepted({ 'content-type': 'text/plain', ...gzip })).toEqual([type, 'identity'])
  })
})

describe('a chunked body', () => {
  const chunk = (bytes: string) => `${bytes.length.toString(16)}\r\n${bytes}\r\n`

  test.each(['X: y\r\n\r\n', 'X: y\r\nZ: w\r\n\r\n', 'no trailer'])(
    'with trailers has no effect when it gets 400 (%j)',
    async (end) => {
      const ann = await skep.member()
      const send = async (path: string, type: string, body: string) =>
        sendRaw(
          skep.url,
          `POST /api/v1${path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${ann.token}\r\nConnection: close\r\n` +
            `Content-Type: ${type}\r\nTransfer-Encoding: chunked\r\n\r\n${chunk(body)}0\r\n${end}`,
        )
      expect(await send('/items/', 'application/json', '{"title":"x"}')).toStartWith('HTTP/1.1 400')
      const batch = '{"operations":[{"op":"create","title":"x"}]}'
      expect(await send('/items/batch', 'application/json', batch)).toStartWith('HTTP/1.1 400')
      expect(await totalOf(ann)).toBe(0)
    },
  )

  test('of one byte a chunk is a body like any other', async () => {
    const body = [...'{"title":"x"}'].map(chunk).join('')
    const head = `POST /api/v1/items/ HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${root.token}\r\nConnection: close\r\n`
    const type = 'Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n'
    expect(await sendRaw(skep.url, `${head}${type}${body}0\r\n\r\n`)).toStartWith('HTTP/1.1 201')
  })

  test('without trailers takes effect', async () => {
    const ann = await skep.member()
    const body = new Blob(['{"title":"x"}']).stream()
    expect((await skep.call('POST', '/items/', { token: ann.token, body, headers: JSON_TYPE })).status).toBe(201)
    const file = new Blob([multipart(part('name="file"; filename="x.png"', PNG))]).stream()
    const headers = { 'content-type': MULTIPART }
    expect((await skep.call('POST', '/files/', { token: ann.token, body: file, headers })).status).toBe(201)
  })
})

describe('a query parameter', () => {
  test.each([
    '/users/',
    '/users/me',
    '/items/',
    '/files/',
    '/auth/sessions',
    '/admin/jobs',
    '//health',
    '//openapi.json',
  ])('that nobody knows is ignored (%s)', async (path) => {
    const { status } = await skep.call('GET', `${path}?utm_source=mail&a[]=1&__proto__=x&constructor`, {
      token: root.token,
    })
    expect(status).toBe(200)
  })

  test.each([
    '/users/?x=1&size=0',
    '/items/?x=1&page=a',
    '/files/?sort=x',
    '/auth/sessions?size=101',
    '/admin/jobs?state=x',
  ])('that is known is checked beside it (%s)', async (path) => {
    expect((await skep.call('GET', path, { token: root.token })).status).toBe(422)
  })

  const takesQuery = ({ node }: Operation) =>
    listAt(node, 'parameters')
      .map(resolved)
      .some((parameter) => parameter.in === 'query')

  /** What the path of an operation names. */
  const idIn = async (path: string): Promise<unknown> => {
    if (path.includes('{collection}')) {
      const json = { schema: { type: 'object', properties: {} } }
      return skep.call('PUT', '/collections/things', { token: root.token, json })
    }
    if (path.includes('/files/')) return (await upload(skep.call, root)).body.id
    if (path.includes('/backups/')) {
      const { id } = (await skep.call('POST', '/admin/backups', { token: root.token })).body
      const state = async () => (await skep.call('GET', `/admin/backups/${id}`, { token: root.token })).body.state
      await until(async () => (await state()) !== 'running')
      return id
    }
    if (path.includes('/items/{')) {
      return (await skep.call('POST', '/items/', { token: root.token, json: { title: 'One' } })).body.id
    }
    return (await skep.member()).id
  }

  test.each(operations.filter(takesQuery).map(({ id, method, path }) => [id, method, path] as const))(
    'that nobody knows is ignored (%s)',
    async (_, method, path) => {
      const url = `/${path.replace('{id}', String(await idIn(path))).replace('{collection}', 'things')}?b=1`
      const lines = path.endsWith('/import') ? { body: '', headers: { 'content-type': 'application/x-ndjson' } } : {}
      const { status } = await skep.call(method, url, { ...root, ...lines })
      expect(status).toBeWithin(200, 300)
    },
  )
})

describe('an Idempotency-Key', () => {
  const send = (body: string, key: string, path = '/items/') =>
    skep.call('POST', path, { token: root.token, body, headers: { ...JSON_TYPE, 'idempotency-key': key } })

  test('compares JSON values, whatever the order of their members', async () => {
    const first = await send(
      '{"title":"x","data":{"a":1,"b":{"c":2,"d":[1,{"e":1,"f":2}]},"__proto__":1,"7":0}}',
      'order',
    )
    const second = await send(
      '{"data":{"7":0.0,"__proto__":1,"b":{"d":[1,{"f":2,"e":1}],"c":2},"a":1e0},"title":"x"}',
      'order',
    )
    expect([first.status, second.status]).toEqual([201, 201])
    expect(second.headers.get('idempotency-replayed')).toBe('true')
    expect(second.body).toEqual(first.body)
    const batch = ['{"operations":[{"op":"create","title":"x"}]}', '{"operations":[{"title":"x","op":"create"}]}']
    for (const body of batch) expect((await send(body, 'batch', '/items/batch')).status).toBe(200)
  })

  test.each([
    ['{"title":"x","data":{"a":[1,2]}}', '{"title":"x","data":{"a":[2,1]}}'],
    ['{"title":"x","data":{"a":"1"}}', '{"title":"x","data":{"a":1}}'],
    ['{"title":"x","data":{}}', '{"title":"x"}'],
  ])('tells %s from %s', async (one, other) => {
    const key = `other-${Bun.hash(one)}`
    await send(one, key)
    expect((await send(other, key)).body.code).toBe('idempotency_mismatch')
  })
})

describe('text for people', () => {
  const INVISIBLE = ['\u3164', '\u00ad', '\u180e', '\uffa0\u2800', '\u{e0041}', ' \u034f ']

  test.each(INVISIBLE)('is refused without a visible character (%j)', async (text) => {
    const token = root.token
    const user = { email: 'unseen@example.com', name: text, password: 'correct horse battery' }
    const operations = [{ op: 'create', title: text }]
    const answers = [
      await skep.call('POST', '/users/', { json: user }),
      await skep.call('PATCH', '/users/me', { token, json: { name: text } }),
      await skep.call('POST', '/items/', { token, json: { title: text } }),
      await skep.call('POST', '/items/batch', { token, json: { operations } }),
    ]
    expect(answers.map(({ status }) => status)).toEqual([422, 422, 422, 422])
  })

  test.each(INVISIBLE)('of a file name that cannot be seen (%j) becomes a name', async (filename) => {
    const body = multipart(part(`name="file"; filename="${filename}"`, PNG))
    const headers = { 'content-type': MULTIPART }
    const answer = await skep.call('POST', '/files/', { token: root.token, body, headers })
    expect([answer.status, answer.body.filename]).toEqual([201, 'file'])
  })
})

test.each(['=?utf-8?q?ann?=@example.com', 'a=?utf-8?b?YQ==?=@example.com'])(
  'an address that mail programs would decode (%s) is refused',
  async (email) => {
    const json = { email, name: 'Ann', password: 'correct horse battery' }
    expect((await skep.call('POST', '/users/', { json })).status).toBe(422)
    expect((await skep.call('POST', '/auth/password/forgot', { json: { email } })).status).toBe(422)
  },
)

describe('a time in a query', () => {
  const status = async (time: string) =>
    (await skep.call('GET', `/items/?created_after=${encodeURIComponent(time)}`, { token: root.token })).status

  test.each([
    '2016-12-31T23:59:60Z',
    '2016-12-31T15:59:60.5-08:00',
    '2026-01-01T00:59:60+01:00',
    '2026-01-01t00:00:00z',
    '2026-01-01T00:00:00.123456789123456789Z',
    '2024-02-29T00:00:00-00:00',
    '0001-01-01T00:00:00Z',
  ])('may be %s', async (time) => {
    expect(await status(time)).toBe(200)
  })

  test.each([
    '2026-01-01T24:00:00Z',
    '2026-01-01T12:30:60Z',
    '2016-12-31T23:59:60+01:00',
    '2026-01-01T23:60:00Z',
    '2026-01-01T23:59:61Z',
    '2026-02-29T00:00:00Z',
    '2026-13-01T00:00:00Z',
    '2026-00-10T00:00:00Z',
    '2026-01-01T00:00:00+24:00',
    '2026-01-01T00:00:00+00:60',
    '2026-01-01T00:00:00.Z',
    '2026-01-01T00:00:00',
    '2026-01-01 00:00:00Z',
    '2026-01-01',
  ])('is not %s', async (time) => {
    expect(await status(time)).toBe(422)
  })

  test('is compared with all its digits, with a leap second between two days', async () => {
    clock.advance(Date.UTC(2030, 5, 30) - clock.now())
    const ann = await skep.member()
    const found = async (query: string) =>
      (await skep.call<{ total: number }>('GET', `/items/?${query}`, { token: ann.token })).body.total
    await skep.call('POST', '/items/', { token: ann.token, json: { title: 'x' } })
    expect(await found('created_before=2030-06-30T00:00:00.0001Z')).toBe(1)
    expect(await found('created_before=2030-06-30T00:00:00.000Z')).toBe(0)
    expect(await found('created_after=2030-06-29T23:59:59.9999Z')).toBe(1)
    expect(await found('created_after=2030-06-30T00:00:00.0000Z')).toBe(0)
    expect(await found('created_after=2030-06-29T23:59:60Z')).toBe(1)
    expect(await found('created_before=2030-06-29T23:59:60.9Z')).toBe(0)
  })
})

test('an upgrade that offers subprotocols selects none', async () => {
  const { hostname, port } = new URL(skep.url)
  const socket = connect(Number(port), hostname)
  socket.write(
    'GET /ws/offers HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n' +
      'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: a, b\r\n\r\n',
  )
  const [head] = await once(socket, 'data')
  socket.destroy()
  expect(String(head)).toStartWith('HTTP/1.1 101')
  expect(String(head).toLowerCase()).not.toContain('sec-websocket-protocol')
})
