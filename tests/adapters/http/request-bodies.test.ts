import { describe, expect, test } from 'bun:test'
import { createFirstAdmin } from '../../support/admin.ts'
import { createMailbox } from '../../support/mail.ts'
import { sendRaw } from '../../support/raw-http.ts'
import { type Member, startSkep } from '../../support/skep.ts'
import { MULTIPART, multipart, PNG, part } from '../../support/uploads.ts'

const JSON_TYPE = { 'content-type': 'application/json' }

const totalOf = async ({ token }: Member) =>
  (await skep.call<{ total: number }>('GET', '/items/', { token })).body.total

const skep = await startSkep({ ACCESS_TOKEN_TTL: '30d' }, { mailer: createMailbox() })
const root = await createFirstAdmin(skep)

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
