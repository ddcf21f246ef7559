import { describe, expect, test } from 'bun:test'
import { sendRaw } from '../../support/raw-http.ts'
import { startSkep } from '../../support/skep.ts'

const skep = await startSkep({ MAX_BODY_SIZE: '1kb' })
const ann = await skep.member()

const registration = { email: 'new@example.com', name: 'New', password: 'correct horse' }

describe('paths and methods', () => {
  test('a trailing slash makes no difference', async () => {
    expect((await skep.call('GET', '/users/me/', { token: ann.token })).status).toBe(200)
    expect((await skep.call('GET', `/users/${ann.id}/`, { token: ann.token })).status).toBe(200)
    expect((await skep.call('POST', '/users', { json: {} })).status).toBe(422)
  })

  test('an unknown path is 404', async () => {
    for (const path of ['/nothing', '//nothing', '/users/me/more']) {
      const { status, headers, body } = await skep.call('GET', path)
      expect([status, headers.get('content-type'), body.code]).toEqual([404, 'application/problem+json', 'not_found'])
    }
  })

  test('a known path with another method is 405 with Allow', async () => {
    const { status, headers, body } = await skep.call('PUT', '/users/me')
    expect([status, body.code]).toEqual([405, 'method_not_allowed'])
    expect(headers.get('allow')).toBe('DELETE, GET, HEAD, OPTIONS, PATCH')
    expect((await skep.call('PUT', '/users/7/')).headers.get('allow')).toBe('DELETE, GET, HEAD, OPTIONS, PATCH')
  })

  test.each(['GET', 'HEAD', 'PATCH', 'DELETE'])(
    '%s on a path with a name of its own is not for an id',
    async (method) => {
      const { status, headers } = await skep.call(method, '/items/batch', { token: ann.token })
      expect([status, headers.get('allow')]).toEqual([405, 'OPTIONS, POST'])
    },
  )

  test('OPTIONS lists the methods of a known path', async () => {
    const { status, headers } = await skep.call('OPTIONS', '/auth/token')
    expect([status, headers.get('allow')]).toEqual([204, 'OPTIONS, POST'])
    expect((await skep.call('OPTIONS', '/items/batch')).headers.get('allow')).toBe('OPTIONS, POST')
  })

  test('HEAD responds like GET, without a body', async () => {
    const { status, headers, body } = await skep.call<string>('HEAD', '/users/me', { token: ann.token })
    expect([status, body]).toEqual([200, ''])
    expect(Number(headers.get('content-length'))).toBeGreaterThan(0)
  })

  test('a short Host header does not shift the path', async () => {
    const skep = await startSkep({ ALLOWED_HOSTS: 'a' })
    const answer = await sendRaw(skep.url, 'GET /xxxxxxxx/health HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')
    expect(answer).toStartWith('HTTP/1.1 404')
    const health = await sendRaw(skep.url, 'GET /health HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')
    expect(health).toStartWith('HTTP/1.1 200')
  })

  test('a doubled slash does not lead to a route', async () => {
    const answer = await sendRaw(
      skep.url,
      'GET //api/v1/users/me HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n',
    )
    expect(answer).toStartWith('HTTP/1.1 404')
  })
})

describe('bodies', () => {
  test('another content type than JSON is 415', async () => {
    for (const type of ['text/plain', 'multipart/form-data; boundary=x', 'application/x-www-form-urlencoded', '']) {
      const { status, body } = await skep.call('POST', '/users/', { body: '{}', headers: { 'content-type': type } })
      expect([type, status, body.code]).toEqual([type, 415, 'unsupported_media_type'])
    }
  })

  test('a charset and another case are the same type', async () => {
    const headers = { 'content-type': 'Application/JSON; charset=utf-8' }
    expect((await skep.call('POST', '/users/', { body: '{}', headers })).status).toBe(422)
  })

  test.each(['{"email"', '', 'undefined', '{"a":1}x', '\xff'])('malformed JSON (%p) is 400', async (text) => {
    const headers = { 'content-type': 'application/json' }
    const { status, body } = await skep.call('POST', '/users/', { body: Buffer.from(text, 'latin1'), headers })
    expect([status, body.code]).toEqual([400, 'malformed_body'])
  })

  test.each([[[]], [null], ['text'], [7]])('JSON that is not an object (%p) is 422', async (json) => {
    expect((await skep.call('POST', '/users/', { json })).status).toBe(422)
  })

  test('an unknown property is 422, and the pointer names it', async () => {
    const { status, body } = await skep.call('POST', '/users/', { json: { ...registration, is_admin: true } })
    expect([status, body.code]).toEqual([422, 'validation_failed'])
    expect(body.errors).toEqual([{ in: 'body', pointer: '/is_admin', detail: 'Unexpected property' }])
  })

  test('each exceeded limit and wrong type is reported with its pointer', async () => {
    const { body } = await skep.call('POST', '/users/', { json: { email: 'no', name: 7, password: 'short' } })
    expect(body.errors).toMatchObject([{ pointer: '/email' }, { pointer: '/name' }, { pointer: '/password' }])
  })

  test('faults in the query and the path are reported with their location', async () => {
    const path = await skep.call('GET', '/users/0x10', { token: ann.token })
    expect(path.body.errors).toMatchObject([{ in: 'path', pointer: '/id' }])
  })

  test('a body over the limit is 413, declared or chunked', async () => {
    const body = JSON.stringify({ ...registration, name: 'x'.repeat(2_000) })
    const headers = { 'content-type': 'application/json' }
    const declared = await skep.call('POST', '/users/', { body, headers })
    expect([declared.status, declared.body.code]).toEqual([413, 'payload_too_large'])
    const stream = new Blob([body]).stream()
    const chunked = await skep.call('POST', '/users/', { body: stream, headers })
    expect([chunked.status, chunked.body.code]).toEqual([413, 'payload_too_large'])
  })

  test('a huge declared length is refused before the body is sent', async () => {
    const head = 'POST /api/v1/users/ HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n'
    const answer = await sendRaw(skep.url, `${head}Connection: close\r\nContent-Length: 99999999999\r\n\r\n`)
    expect(answer).toStartWith('HTTP/1.1 413')
    expect(answer).toContain('"code":"payload_too_large"')
  })
})

describe('order of checks', () => {
  test('authorization comes before validation', async () => {
    const bad = { body: '{', headers: { 'content-type': 'text/plain' } }
    expect((await skep.call('PATCH', '/users/me', bad)).status).toBe(401)
    expect((await skep.call('GET', '/users/?size=0')).status).toBe(401)
    expect((await skep.call('GET', '/users/?size=0', { token: ann.token })).status).toBe(403)
    expect((await skep.call('GET', '/users/abc')).status).toBe(401)
  })

  test('the body of an unauthorized request is not awaited', async () => {
    const head = 'PATCH /api/v1/users/me HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n'
    const answer = await sendRaw(skep.url, `${head}Connection: close\r\nContent-Length: 500\r\n\r\n`)
    expect(answer).toStartWith('HTTP/1.1 401')
  })
})

describe('every answer', () => {
  test('has a request id: generated, or the client’s if valid', async () => {
    const own = await skep.call('GET', '//health')
    expect(own.headers.get('x-request-id')).toMatch(/^[\w-]{36}$/)
    const given = await skep.call('GET', '//health', { headers: { 'x-request-id': 'trace.7_a-b' } })
    expect(given.headers.get('x-request-id')).toBe('trace.7_a-b')
    for (const bad of ['two words', 'x'.repeat(65), '<script>']) {
      const { headers } = await skep.call('GET', '//health', { headers: { 'x-request-id': bad } })
      expect(headers.get('x-request-id')).not.toBe(bad)
    }
  })

  test('to a refused request has the request id in its body too', async () => {
    const { body, headers } = await skep.call('GET', '/nothing')
    expect(body.request_id).toBe(headers.get('x-request-id'))
    expect(body).toMatchObject({ type: 'about:blank', title: 'Not Found', status: 404, code: 'not_found' })
  })

  test('has the security headers, also for errors', async () => {
    for (const { headers } of [await skep.call('GET', '//health'), await skep.call('GET', '/nothing')]) {
      expect(headers.get('x-content-type-options')).toBe('nosniff')
      expect(headers.get('x-frame-options')).toBe('DENY')
      expect(headers.get('referrer-policy')).toBe('no-referrer')
      expect(headers.get('content-security-policy')).toContain("default-src 'none'")
      expect(headers.get('strict-transport-security')).toBeNull()
    }
  })

  test('enables HSTS if the public URL is https', async () => {
    const secure = await startSkep({ PUBLIC_URL: 'https://api.example.com' })
    expect((await secure.call('GET', '//health')).headers.get('strict-transport-security')).toBe('max-age=31536000')
  })

  test('leaves one line in the log, without anything secret', async () => {
    await skep.call('GET', `/users/${ann.id}`, { token: ann.token, headers: { 'x-request-id': 'logged-1' } })
    await skep.call('POST', '/auth/token', { form: { username: ann.email, password: ann.password } })
    const lines = skep.log.entries.filter(({ fields }) => fields.request_id === 'logged-1')
    expect(lines).toHaveLength(1)
    expect(lines[0]?.fields).toMatchObject({ method: 'GET', route: '/api/v1/users/:id', status: 200, user_id: ann.id })
    expect(lines[0]?.fields.duration_ms).toBeNumber()
    const all = JSON.stringify(skep.log.entries)
    for (const secret of [ann.token, ann.refreshToken, ann.password]) expect(all).not.toContain(secret)
  })
})
