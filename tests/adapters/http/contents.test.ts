import { describe, expect, test } from 'bun:test'
import { once } from 'node:events'
import { connect } from 'node:net'
import { createFirstAdmin } from '../../support/admin.ts'
import { createMailbox } from '../../support/mail.ts'
import { startSkep } from '../../support/skep.ts'
import { MULTIPART, multipart, PNG, part } from '../../support/uploads.ts'

const JSON_TYPE = { 'content-type': 'application/json' }

const skep = await startSkep({ ACCESS_TOKEN_TTL: '30d' }, { mailer: createMailbox() })
const root = await createFirstAdmin(skep)

test('Elysia is in production mode, whatever NODE_ENV was', async () => {
  // Loaded after the program, as the program loads it.
  expect((await import('elysia/error')).isProduction).toBe(true)
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
