import { describe, expect, test } from 'bun:test'
import { createFirstAdmin } from '../../support/admin.ts'
import { createMailbox, tokenIn } from '../../support/mail.ts'
import { sendRaw } from '../../support/raw-http.ts'
import { type Member, signIn, startSkep } from '../../support/skep.ts'

const mailbox = createMailbox()
const skep = await startSkep({}, { mailer: mailbox })
const root = await createFirstAdmin(skep)

/** A request whose body waits for `send`; `admitted` resolves when the server has begun to wait for it. */
const pausedRequest = (method: string, path: string, token: string, json: object) => {
  const text = JSON.stringify(json)
  const { promise: sent, resolve: send } = Promise.withResolvers<void>()
  const { promise: admitted, resolve: started } = Promise.withResolvers<void>()
  const body = new ReadableStream<Uint8Array>({
    async start(controller) {
      controller.enqueue(new TextEncoder().encode(text.slice(0, 1)))
    },
    async pull(controller) {
      started()
      await sent
      controller.enqueue(new TextEncoder().encode(text.slice(1)))
      controller.close()
    },
  })
  const headers = { 'content-type': 'application/json' }
  return { answer: skep.call(method, path, { token, body, headers }), admitted, send }
}

describe('a request that was let in and then waits for its body', () => {
  const promoted = async () => {
    const member = await skep.member()
    await skep.call('PATCH', `/users/${member.id}`, { token: root.token, json: { role: 'admin' } })
    return member
  }
  const demote = (member: Member, json: object) =>
    skep.call('PATCH', `/users/${member.id}`, { token: root.token, json })

  test.each<[string, object, number]>([
    ['demoted', { role: 'user' }, 403],
    ['deactivated', { is_active: false }, 400],
  ])('has only its user’s rights at the time of its body: %s', async (_, change, status) => {
    const member = await promoted()
    const paused = pausedRequest('PATCH', '/users/me', member.token, { role: 'admin', is_active: true })
    await paused.admitted
    await skep.call('GET', '/users/me', { token: member.token })
    await demote(member, change)
    paused.send()
    expect((await paused.answer).status).toBe(status)
  })

  test.each<[string, string, object]>([
    ['POST', '/items/', { title: 'too late' }],
    ['POST', '/items/batch', { operations: [{ op: 'create', title: 'too late' }] }],
    ['PATCH', '/users/me', { name: 'too late' }],
  ])('has no effect once its session has ended (%s %s)', async (method, path, json) => {
    const member = await skep.member()
    const paused = pausedRequest(method, path, member.token, json)
    await paused.admitted
    await skep.call('GET', '/users/me', { token: member.token })
    await skep.call('DELETE', '/auth/sessions', { token: member.token })
    paused.send()
    expect((await paused.answer).status).toBe(401)
  })
})

describe('input designed to be expensive', () => {
  test.each(['/auth/token', '/auth/revoke'])('a form of very many fields is refused (%s)', async (path) => {
    const headers = { 'content-type': 'application/x-www-form-urlencoded' }
    for (const body of ['a&'.repeat(200), '&'.repeat(16_000), 'token=x&'.repeat(1_000)]) {
      const { status, body: problem } = await skep.call('POST', path, { body, headers })
      expect([status, problem.code]).toEqual([400, 'malformed_body'])
    }
  })

  test.each([
    '['.repeat(5_000) + ']'.repeat(5_000),
    `{"email":${'['.repeat(5_000)}${']'.repeat(5_000)}}`,
    `{"email":${'{"a":'.repeat(100)}1${'}'.repeat(100)}}`,
  ])('JSON nested out of all proportion is refused (case %#)', async (body) => {
    const headers = { 'content-type': 'application/json' }
    const { status, body: problem } = await skep.call('POST', '/auth/password/forgot', { body, headers })
    expect([status, problem.code]).toEqual([400, 'malformed_body'])
  })

  test('brackets inside text do not count as nesting', async () => {
    const name = `${'['.repeat(80)}\\"{`
    const json = { email: 'brackets@example.com', name, password: 'correct horse' }
    expect((await skep.call('POST', '/users/', { json })).status).toBe(201)
  })

  test('a huge name or password at sign-in is wrong like any other', async () => {
    const long = 'ü'.repeat(2_000)
    for (const form of [
      { username: long, password: 'x' },
      { username: 'a@b.c', password: long },
    ]) {
      const { status, body } = await skep.call('POST', '/auth/token', { form })
      expect([status, body.code]).toEqual([400, 'invalid_grant'])
    }
  })
})

describe('a request whose end is ambiguous', () => {
  test.each([
    'Content-Length: 4\r\nTransfer-Encoding: chunked',
    'Content-Length: 2\r\nContent-Length: 7',
    'Content-Length: +7',
    'Content-Length : 7',
    'Transfer-Encoding: chunked\r\nTransfer-Encoding: identity',
    'Transfer-Encoding: xchunked\r\nContent-Length: 7',
  ])('is refused, and nothing behind it is taken for another (case %#)', async (framing) => {
    const head = `POST /api/v1/users/ HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n${framing}\r\n\r\n`
    const smuggled = 'GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n'
    const answer = await sendRaw(skep.url, `${head}0\r\n\r\n${smuggled}`)
    expect(answer).toStartWith('HTTP/1.1 400')
    expect(answer).not.toContain('HTTP/1.1 200')
  })
})

describe('an address change that a thief began', () => {
  const begin = async () => {
    const owner = await skep.member()
    await mailbox.next(owner.email)
    const evil = `thief.of.${owner.email}`
    const json = { email: evil, current_password: owner.password }
    await skep.call('PATCH', '/users/me', { token: owner.token, json })
    return { owner, token: tokenIn(await mailbox.next(evil)) }
  }
  const finish = (token: string) => skep.call('POST', '/auth/email/verify', { json: { token } })

  test('ends when the owner changes the password', async () => {
    const { owner, token } = await begin()
    const json = { current_password: owner.password, new_password: 'another horse' }
    await skep.call('POST', '/users/me/password', { token: owner.token, json })
    expect((await finish(token)).body.code).toBe('invalid_link')
  })

  test('ends when the owner resets the password', async () => {
    const { owner, token } = await begin()
    await mailbox.next(owner.email)
    await skep.call('POST', '/auth/password/forgot', { json: { email: owner.email } })
    const reset = tokenIn(await mailbox.next(owner.email))
    await skep.call('POST', '/auth/password/reset', { json: { token: reset, password: 'another horse' } })
    expect((await finish(token)).body.code).toBe('invalid_link')
  })

  test('does not affect a link for the current address', async () => {
    const owner = await skep.member()
    const token = tokenIn(await mailbox.next(owner.email))
    const json = { current_password: owner.password, new_password: 'another horse' }
    await skep.call('POST', '/users/me/password', { token: owner.token, json })
    expect((await finish(token)).status).toBe(204)
  })
})

describe('limits on attempts of an account', async () => {
  const limited = await startSkep({ RATE_LIMIT_AUTH: '5/1m', TRUST_PROXY: '1' }, { mailer: createMailbox() })
  let host = 0
  const elsewhere = () => ({ 'x-forwarded-for': `192.0.2.${++host}` })

  test('someone else’s failures do not prevent changing one’s password or address', async () => {
    const ann = await limited.member()
    for (let n = 0; n < 8; n++) {
      const form = { username: ann.email, password: 'wrong' }
      await limited.call('POST', '/auth/token', { form, headers: elsewhere() })
    }
    const json = { current_password: ann.password, new_password: 'another horse' }
    const changed = await limited.call('POST', '/users/me/password', { token: ann.token, json, headers: elsewhere() })
    expect(changed.status).toBe(204)
  })

  test('sign-ins do not use up the limit for password resets', async () => {
    for (let n = 0; n < 8; n++) {
      const form = { username: 'forgotten password:bob@example.com', password: 'wrong' }
      await limited.call('POST', '/auth/token', { form, headers: elsewhere() })
    }
    const json = { email: 'bob@example.com' }
    expect((await limited.call('POST', '/auth/password/forgot', { json, headers: elsewhere() })).status).toBe(202)
  })

  test('nobody can have mails sent to many addresses', async () => {
    const ann = await limited.member()
    const ask = (n: number) =>
      limited.call('PATCH', '/users/me', {
        token: ann.token,
        json: { email: `victim${n}@example.com`, current_password: ann.password },
        headers: elsewhere(),
      })
    const statuses: number[] = []
    for (let n = 0; n < 7; n++) statuses.push((await ask(n)).status)
    expect(statuses).toEqual([200, 200, 200, 200, 200, 429, 429])
  })
})

test('a body is not validated for a caller who may not change the resource', async () => {
  const [ann, bob] = [await skep.member(), await skep.member()]
  const { body: item } = await skep.call<{ id: number }>('POST', '/items/', { token: bob.token, json: { title: 'x' } })
  for (const path of [`/users/${bob.id}`, `/items/${item.id}`]) {
    for (const body of ['{', '{"x":1}', '{"role":"user"}']) {
      const headers = { 'content-type': 'application/json' }
      expect((await skep.call('PATCH', path, { token: ann.token, body, headers })).status).toBe(404)
    }
  }
})

test.each(['\u200b', '\u0085x', 'a\u202eb', 'a\ud800', '\ufeff'])('%j is refused as a name', async (name) => {
  const json = { email: 'named@example.com', name, password: 'correct horse' }
  expect((await skep.call('POST', '/users/', { json })).status).toBe(422)
})

test('an account that was reactivated signs in again as before', async () => {
  const ann = await skep.member()
  for (const is_active of [false, true]) {
    await skep.call('PATCH', `/users/${ann.id}`, { token: root.token, json: { is_active } })
  }
  expect((await signIn(skep.call, ann)).token).toBeString()
})

test.each<[string, string, object]>([
  ['PATCH', '/users/me', { is_active: 'true' }],
  ['PATCH', '/users/me', { name: 7 }],
  ['POST', '/items/batch', { operations: [{ op: 'delete', id: '1' }] }],
  ['POST', '/items/batch', { operations: [{ op: 'update', id: 1, version: '1' }] }],
  ['POST', '/items/', { title: 'x', data: '{}' }],
])('a value of another type is not taken for what it looks like (%s %s)', async (method, path, json) => {
  const { status } = await skep.call(method, path, { token: root.token, json })
  expect(status).toBe(422)
})

test.each([
  ['created_at', 1.5],
  ['created_at', 1e300],
  ['-updated_at', -1e17],
  ['title', 'a\0b'],
])('a cursor that no list of ours could have given (%p, %p) is refused', async (sort, key) => {
  const cursor = Buffer.from(JSON.stringify([sort, key, 1])).toString('base64url')
  const { status, body } = await skep.call('GET', `/items/?cursor=${cursor}`, { token: root.token })
  expect([status, body.code]).toEqual([422, 'invalid_cursor'])
})

test('text with NUL finds nobody and breaks nothing', async () => {
  expect((await skep.call('GET', '/users/?q=a%00b', { token: root.token })).status).toBe(422)
  expect((await skep.call('GET', '/items/?q=a%00b', { token: root.token })).status).toBe(200)
  const form = { username: 'root@example.com\0', password: 'correct horse' }
  expect(await skep.call('POST', '/auth/token', { form })).toMatchObject({
    status: 400,
    body: { error: 'invalid_grant' },
  })
})
