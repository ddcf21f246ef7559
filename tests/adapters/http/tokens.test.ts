import { describe, expect, test } from 'bun:test'
import { createFirstAdmin } from '../../support/admin.ts'
import { testClock } from '../../support/clock.ts'
import { createMailbox } from '../../support/mail.ts'
import { type Member, signIn, startSkep } from '../../support/skep.ts'

const clock = testClock()
const skep = await startSkep({}, { mailer: createMailbox(), clock })
const root = await createFirstAdmin(skep)

const token = <T = Record<string, unknown>>(form: Record<string, string>, headers: Record<string, string> = {}) =>
  skep.call<T>('POST', '/auth/token', { form, headers })

interface Pair {
  readonly access_token: string
  readonly refresh_token: string
  readonly error?: string
}

const refresh = (refresh_token: string) => token<Pair>({ grant_type: 'refresh_token', refresh_token })
const isSignedIn = async (accessToken: string) =>
  (await skep.call('GET', '/users/me', { token: accessToken })).status === 200

describe('signing in', () => {
  test('returns a bearer token pair with no-store', async () => {
    const ann = await skep.member()
    const { status, headers, body } = await token({
      grant_type: 'password',
      username: ann.email,
      password: ann.password,
    })
    expect(status).toBe(200)
    expect(body).toEqual({
      access_token: expect.stringMatching(/^[\w-]+\.[\w-]+\.[\w-]+$/),
      token_type: 'bearer',
      expires_in: 900,
      refresh_token: expect.stringMatching(/^[\w-]{43}$/),
      refresh_expires_in: 2_592_000,
    })
    expect(headers.get('cache-control')).toBe('no-store')
  })

  test('needs no grant_type, and ignores unknown parameters', async () => {
    const ann = await skep.member()
    const form = { username: ` ${ann.email.toUpperCase()}`, password: ann.password, scope: '', client_id: 'x' }
    expect((await token(form, { authorization: `Basic ${btoa('client:')}` })).status).toBe(200)
  })

  test('returns the same error for an unknown address and a wrong password', async () => {
    const ann = await skep.member()
    const wrong = await token({ username: ann.email, password: 'wrong' })
    const unknown = await token({ username: 'nobody@example.com', password: 'wrong' })
    expect(wrong.status).toBe(400)
    expect(wrong.body).toMatchObject({ error: 'invalid_grant', error_description: 'Incorrect email or password' })
    expect({ ...wrong.body, request_id: '' }).toEqual({ ...unknown.body, request_id: '' })
    expect(wrong.headers.get('content-type')).toBe('application/json')
  })

  test('checks a hash for an unknown address as for a known one', async () => {
    const asked: (string | null)[] = []
    const spying = {
      hash: async () => 'a hash',
      verify: async (_: string, hash: string | null) => {
        asked.push(hash)
        return false
      },
    }
    const watched = await startSkep({}, { passwords: spying, mailer: createMailbox() })
    await watched.call('POST', '/users/', { json: { email: 'ann@example.com', name: 'A', password: 'correct horse' } })
    for (const username of ['ann@example.com', 'nobody@example.com']) {
      await watched.call('POST', '/auth/token', { form: { username, password: 'wrong' } })
    }
    expect(asked).toEqual(['a hash', null])
  })

  test('reveals that an account is inactive only with its password', async () => {
    const ann = await skep.member()
    await skep.call('PATCH', `/users/${ann.id}`, { token: root.token, json: { is_active: false } })
    const right = await token({ username: ann.email, password: ann.password })
    const wrong = await token({ username: ann.email, password: 'wrong' })
    expect([right.status, right.body.error, right.body.code]).toEqual([400, 'invalid_grant', 'inactive_user'])
    expect([wrong.status, wrong.body.code]).toEqual([400, 'invalid_grant'])
  })

  test.each([
    [{ username: 'a@b.c' }, 'invalid_request'],
    [{ password: 'x' }, 'invalid_request'],
    [{ grant_type: 'refresh_token' }, 'invalid_request'],
    [{ grant_type: 'client_credentials' }, 'unsupported_grant_type'],
  ])('%p is %s', async (form, error) => {
    const { status, body } = await token(form as Record<string, string>)
    expect([status, body.error]).toEqual([400, error])
  })

  test('refuses a parameter that is sent twice', async () => {
    const body = 'username=a%40b.c&username=d%40e.f&password=x'
    const headers = { 'content-type': 'application/x-www-form-urlencoded' }
    const answer = await skep.call('POST', '/auth/token', { body, headers })
    expect([answer.status, answer.body.error]).toEqual([400, 'invalid_request'])
  })
})

describe('an access token', () => {
  test('is refused once it expires, cached or not', async () => {
    const ann = await skep.member()
    expect(await isSignedIn(ann.token)).toBe(true)
    clock.advance(15 * 60_000)
    const { status, headers, body } = await skep.call('GET', '/users/me', { token: ann.token })
    expect([status, body.code]).toEqual([401, 'invalid_token'])
    expect(headers.get('www-authenticate')).toBe('Bearer error="invalid_token"')
  })

  test('ends no later than its session, whatever the settings say', async () => {
    const brief = await startSkep({ REFRESH_TOKEN_TTL: '3s' }, { mailer: createMailbox(), clock })
    const ann = await brief.member()
    const me = async () => (await brief.call('GET', '/users/me', { token: ann.token })).status
    expect(await me()).toBe(200)
    clock.advance(4_000)
    expect(await me()).toBe(401)
  })

  test.each(['', 'Bearer', 'Bearer  ', 'Basic dTpw', 'Bearer eyJhbGciOiJub25lIn0.e30.', 'Token x'])(
    'that is malformed (%p) is 401 with a challenge',
    async (authorization) => {
      const { status, headers } = await skep.call('GET', '/users/me', { headers: { authorization } })
      expect(status).toBe(401)
      expect(headers.get('www-authenticate')).toStartWith('Bearer')
    },
  )

  test('is accepted whatever the case of its scheme', async () => {
    const ann = await skep.member()
    const headers = { authorization: `bearer ${ann.token}` }
    expect((await skep.call('GET', '/users/me', { headers })).status).toBe(200)
  })
})

describe('refreshing', () => {
  test('gives a new pair, and keeps the session', async () => {
    const ann = await skep.member()
    const { status, body } = await refresh(ann.refreshToken)
    expect(status).toBe(200)
    expect(body.refresh_token).not.toBe(ann.refreshToken)
    expect(await isSignedIn(body.access_token)).toBe(true)
    const sessions = await skep.call<{ items: unknown[] }>('GET', '/auth/sessions', { token: body.access_token })
    expect(sessions.body.items).toHaveLength(1)
  })

  test('repeated within ten seconds returns the same successor, and nobody is signed out', async () => {
    const ann = await skep.member()
    const first = await refresh(ann.refreshToken)
    clock.advance(9_000)
    const again = await refresh(ann.refreshToken)
    expect([again.status, again.body.refresh_token]).toEqual([200, first.body.refresh_token])
    expect(await isSignedIn(first.body.access_token)).toBe(true)
  })

  test('of two that race, both get the one successor', async () => {
    const ann = await skep.member()
    const race = await Promise.all(Array.from({ length: 10 }, () => refresh(ann.refreshToken)))
    expect(new Set(race.map(({ status }) => status))).toEqual(new Set([200]))
    expect(new Set(race.map(({ body }) => body.refresh_token)).size).toBe(1)
  })

  test('with a used token ends the whole session, on the very next request', async () => {
    const ann = await skep.member()
    const { body } = await refresh(ann.refreshToken)
    await isSignedIn(body.access_token)
    clock.advance(11_000)
    const stolen = await refresh(ann.refreshToken)
    expect([stolen.status, stolen.body.error]).toEqual([400, 'invalid_grant'])
    expect(await isSignedIn(body.access_token)).toBe(false)
    expect((await refresh(body.refresh_token)).status).toBe(400)
  })

  test('leaves the other sessions of the user alone when one was stolen', async () => {
    const ann = await skep.member()
    const elsewhere = await signIn(skep.call, ann)
    await refresh(ann.refreshToken)
    clock.advance(11_000)
    await refresh(ann.refreshToken)
    expect(await isSignedIn(elsewhere.token)).toBe(true)
  })

  test('extends a session in use, and not an idle one', async () => {
    const ann = await skep.member()
    clock.advance(29 * 86_400_000)
    const { body } = await refresh(ann.refreshToken)
    clock.advance(29 * 86_400_000)
    const again = await refresh(body.refresh_token)
    expect(again.status).toBe(200)
    clock.advance(31 * 86_400_000)
    expect((await refresh(again.body.refresh_token)).status).toBe(400)
  })

  test('is refused to a deactivated account', async () => {
    const ann = await skep.member()
    const admin = await signIn(skep.call, root)
    await skep.call('PATCH', `/users/${ann.id}`, { token: admin.token, json: { is_active: false } })
    const { status, body } = await refresh(ann.refreshToken)
    expect([status, body.error]).toEqual([400, 'invalid_grant'])
  })

  test('is refused with an access token, and with an invalid token', async () => {
    const ann = await skep.member()
    for (const wrong of [ann.token, 'x', 'a'.repeat(5_000)]) expect((await refresh(wrong)).status).toBe(400)
  })
})

describe('revoking', () => {
  const revoke = (form: Record<string, string>) => skep.call('POST', '/auth/revoke', { form })

  test.each<[string, (member: Member) => string]>([
    ['a refresh token', (member) => member.refreshToken],
    ['an access token', (member) => member.token],
  ])('%s ends its session on the very next request', async (_, pick) => {
    const ann = await skep.member()
    expect(await isSignedIn(ann.token)).toBe(true)
    expect((await revoke({ token: pick(ann), token_type_hint: 'whatever' })).status).toBe(200)
    expect(await isSignedIn(ann.token)).toBe(false)
    expect((await refresh(ann.refreshToken)).status).toBe(400)
  })

  test('returns 200 for an unknown or already revoked token', async () => {
    const ann = await skep.member()
    for (const unknown of ['x', ann.token, ann.token]) expect((await revoke({ token: unknown })).status).toBe(200)
  })

  test('without a token is invalid_request', async () => {
    expect((await revoke({ other: 'x' })).body.error).toBe('invalid_request')
  })
})

describe('sessions', () => {
  interface Sessions {
    readonly items: readonly {
      readonly id: number
      readonly current: boolean
      readonly device: string
      readonly address: string
    }[]
  }
  const list = (member: Member) => skep.call<Sessions>('GET', '/auth/sessions', { token: member.token })

  test('are listed with device and address, the current one marked', async () => {
    const ann = await skep.member()
    const form = { username: ann.email, password: ann.password }
    await token(form, { 'user-agent': `Telephone/1.0 ${'x'.repeat(300)}` })
    const { items } = (await list(ann)).body
    expect(items.map(({ current }) => current).sort()).toEqual([false, true])
    const other = items.find(({ current }) => !current)
    expect(other?.device).toStartWith('Telephone/1.0')
    expect(other?.device).toHaveLength(200)
    expect(other?.address).toMatch(/^127\.0\.0\.1$|^::1$/)
  })

  test('one is ended by its id, on its very next request', async () => {
    const ann = await skep.member()
    const elsewhere = await signIn(skep.call, ann)
    await isSignedIn(elsewhere.token)
    const id = (await list(elsewhere)).body.items.find(({ current }) => current)?.id
    expect((await skep.call('DELETE', `/auth/sessions/${id}`, { token: ann.token })).status).toBe(204)
    expect([await isSignedIn(elsewhere.token), await isSignedIn(ann.token)]).toEqual([false, true])
  })

  test('another’s cannot be ended by guessing its id, nor distinguished from a missing one', async () => {
    const [ann, bob] = [await skep.member(), await skep.member()]
    const id = (await list(bob)).body.items[0]?.id
    const guessed = await skep.call('DELETE', `/auth/sessions/${id}`, { token: ann.token })
    const none = await skep.call('DELETE', '/auth/sessions/99999999', { token: ann.token })
    expect(guessed.status).toBe(404)
    expect({ ...guessed.body, request_id: '' }).toEqual({ ...none.body, request_id: '' })
    expect(await isSignedIn(bob.token)).toBe(true)
  })

  test('all are ended at once, this one too', async () => {
    const ann = await skep.member()
    const elsewhere = await signIn(skep.call, ann)
    expect((await skep.call('DELETE', '/auth/sessions', { token: ann.token })).status).toBe(204)
    expect([await isSignedIn(ann.token), await isSignedIn(elsewhere.token)]).toEqual([false, false])
  })
})
