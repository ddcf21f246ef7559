import { describe, expect, test } from 'bun:test'
import { createFirstAdmin } from '../../support/admin.ts'
import { createMailbox, tokenIn } from '../../support/mail.ts'
import { type Member, signIn, startSkep } from '../../support/skep.ts'

const mailbox = createMailbox()
const skep = await startSkep({}, { mailer: mailbox })
const root = await createFirstAdmin(skep)

const byRoot = (method: string, path: string, json?: object) =>
  skep.call<{ items: { id: number; current: boolean }[]; code: string }>(method, path, { token: root.token, json })
const statusOf = async ({ token }: Pick<Member, 'token'>) => (await skep.call('GET', '/users/me', { token })).status
const refresh = (refreshToken: string) =>
  skep.call('POST', '/auth/token', { form: { grant_type: 'refresh_token', refresh_token: refreshToken } })
const newcomer = async () => {
  const member = await skep.member()
  return { member, verification: tokenIn(await mailbox.next(member.email)) }
}

describe('deactivating an account', () => {
  const switchOff = (id: number) => byRoot('PATCH', `/users/${id}`, { is_active: false })
  const switchOn = (id: number) => byRoot('PATCH', `/users/${id}`, { is_active: true })

  test('ends every session permanently: reactivation restores none', async () => {
    const { member } = await newcomer()
    const other = await signIn(skep.call, member)
    await switchOff(member.id)
    expect((await skep.call('GET', '/users/me', { token: member.token })).body.code).toBe('inactive_user')
    await switchOn(member.id)
    expect([await statusOf(member), await statusOf(other)]).toEqual([401, 401])
    expect((await refresh(member.refreshToken)).status).toBe(400)
    expect((await byRoot('GET', `/users/${member.id}/sessions`)).body.items).toEqual([])
  })

  test('invalidates every mailed token permanently', async () => {
    const { member, verification } = await newcomer()
    await skep.call('POST', '/auth/password/forgot', { json: { email: member.email } })
    const token = tokenIn(await mailbox.next(member.email))
    await switchOff(member.id)
    const tryBoth = async () => [
      (await skep.call('POST', '/auth/email/verify', { json: { token: verification } })).body.code,
      (await skep.call('POST', '/auth/password/reset', { json: { token, password: 'brand new horse' } })).body.code,
    ]
    expect(await tryBoth()).toEqual(['invalid_link', 'invalid_link'])
    await switchOn(member.id)
    expect(await tryBoth()).toEqual(['invalid_link', 'invalid_link'])
  })

  test('invalidates the link for a new address too', async () => {
    const { member } = await newcomer()
    const email = `fresh.${member.email}`
    const json = { email, current_password: member.password }
    await skep.call('PATCH', '/users/me', { token: member.token, json })
    const token = tokenIn(await mailbox.next(email))
    await switchOff(member.id)
    await switchOn(member.id)
    expect((await skep.call('POST', '/auth/email/verify', { json: { token } })).body.code).toBe('invalid_link')
  })
})

describe('sessions of a user', () => {
  test('are listed and ended by an admin, and by nobody else', async () => {
    const [{ member: ann }, { member: bob }] = [await newcomer(), await newcomer()]
    await signIn(skep.call, ann)
    const path = `/users/${ann.id}/sessions`
    const { items } = (await byRoot('GET', path)).body
    expect(items.map(({ current }) => current)).toEqual([false, false])
    for (const method of ['GET', 'DELETE']) {
      expect((await skep.call(method, path, { token: bob.token })).status).toBe(403)
      expect((await byRoot(method, '/users/999999/sessions')).status).toBe(404)
    }
    expect((await byRoot('DELETE', path)).status).toBe(204)
    expect(await statusOf(ann)).toBe(401)
    expect((await signIn(skep.call, ann)).token).toBeString()
  })

  test('end with the password when a reset is forced', async () => {
    const { member } = await newcomer()
    expect((await byRoot('DELETE', `/users/${member.id}/sessions?force_reset=true`)).status).toBe(204)
    expect(await statusOf(member)).toBe(401)
    expect((await signIn(skep.call, member)).token).toBeUndefined()
    const token = tokenIn(await mailbox.next(member.email))
    const json = { token, password: 'brand new horse' }
    expect((await skep.call('POST', '/auth/password/reset', { json })).status).toBe(204)
    expect((await signIn(skep.call, { ...member, password: 'brand new horse' })).token).toBeString()
  })
})

describe('a changed password', () => {
  const change = (member: Member, headers = {}) =>
    skep.call<{ access_token: string; refresh_token: string }>('POST', '/users/me/password', {
      token: member.token,
      json: { current_password: member.password, new_password: 'another horse' },
      headers,
    })

  test('ends the refresh tokens of its own session, used ones and their successors', async () => {
    const { member } = await newcomer()
    const { body } = await refresh(member.refreshToken)
    expect((await change(member)).status).toBe(204)
    expect(await statusOf(member)).toBe(200)
    expect((await refresh(member.refreshToken)).body.code).toBe('invalid_grant')
    expect((await refresh(String(body.refresh_token))).body.code).toBe('invalid_grant')
  })

  test('renews the tokens of its own session if requested, and ends all older ones', async () => {
    const { member } = await newcomer()
    const { status, headers, body } = await change(member, { prefer: 'respond-async, return=representation' })
    expect([status, headers.get('preference-applied')]).toEqual([200, 'return=representation'])
    expect(headers.get('cache-control')).toBe('no-store')
    expect([await statusOf(member), await statusOf({ token: body.access_token })]).toEqual([401, 200])
    expect((await refresh(member.refreshToken)).status).toBe(400)
    expect((await refresh(body.refresh_token)).status).toBe(200)
  })
})

describe('passwords', () => {
  const register = (email: string, password: string) =>
    skep.call<{ code: string; errors: { pointer: string }[] }>('POST', '/users/', {
      json: { email, name: 'A', password },
    })
  const entries = async (email: string, password: string) =>
    (await skep.call('POST', '/auth/token', { form: { username: email, password } })).status

  test.each(['pässwörter', '비밀번호입니다요', 'Ångström 12', 'ﬁne ligature'])(
    'one set as %s works in any Unicode form, and the reverse',
    async (password) => {
      for (const [n, form] of (['NFC', 'NFD'] as const).entries()) {
        const email = `${form}${password.length}${n}${crypto.randomUUID()}@example.com`
        expect((await register(email, password.normalize(form))).status).toBe(201)
        expect(await entries(email, password.normalize('NFC'))).toBe(200)
        expect(await entries(email, password.normalize('NFD'))).toBe(200)
      }
    },
  )

  test('are measured in composed form', async () => {
    const [longest, tooLong, tooShort] = ['각'.repeat(128), '각'.repeat(129), 'é'.repeat(7)]
    expect((await register('longest@example.com', longest.normalize('NFD'))).status).toBe(201)
    expect(await entries('longest@example.com', longest)).toBe(200)
    for (const password of [tooLong, tooShort.normalize('NFD')]) {
      const { status, body } = await register('never@example.com', password)
      expect([status, body.code, body.errors[0]?.pointer]).toEqual([422, 'validation_failed', '/password'])
    }
  })

  test.each([
    'password1',
    'PassWord1',
    'iloveyou',
    '1234567890',
    'weak@example.com',
    ' WEAK@example.com ',
    'qwertyuiop',
  ])('%s is refused as too easy to guess, wherever it is set', async (password) => {
    const registered = await register('weak@example.com', password)
    expect([registered.status, registered.body.code]).toEqual([422, 'weak_password'])
    expect(registered.body.errors).toMatchObject([{ in: 'body', pointer: '/password' }])
    const { member } = await newcomer()
    const weak = password.includes('@') ? member.email : password
    const json = { current_password: member.password, new_password: weak }
    const changed = await skep.call('POST', '/users/me/password', { token: member.token, json })
    expect([changed.status, changed.body.code]).toEqual([422, 'weak_password'])
    expect(changed.body.errors).toMatchObject([{ in: 'body', pointer: '/new_password' }])
    await skep.call('POST', '/auth/password/forgot', { json: { email: member.email } })
    const token = tokenIn(await mailbox.next(member.email))
    const reset = await skep.call('POST', '/auth/password/reset', { json: { token, password: weak } })
    expect([reset.status, reset.body.code]).toEqual([422, 'weak_password'])
  })
})
