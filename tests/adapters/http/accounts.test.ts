import { describe, expect, test } from 'bun:test'
import { createFirstAdmin } from '../../support/admin.ts'
import { testClock } from '../../support/clock.ts'
import { createMailbox, tokenIn } from '../../support/mail.ts'
import { type Member, startSkep } from '../../support/skep.ts'
import { outsideOf } from '../../support/stack.ts'

const clock = testClock()
const mailbox = createMailbox()
const skep = await startSkep(
  { PUBLIC_URL: 'https://app.example.com/base/', ALLOWED_HOSTS: '*' },
  { mailer: mailbox, clock },
)

const verify = (token: string) => skep.call('POST', '/auth/email/verify', { json: { token } })
const forgot = (email: string) => skep.call('POST', '/auth/password/forgot', { json: { email } })
const reset = (token: string, password = 'brand new horse') =>
  skep.call('POST', '/auth/password/reset', { json: { token, password } })
const signsIn = async ({ email }: Member, password: string) =>
  (await skep.call('POST', '/auth/token', { form: { username: email, password } })).status === 200

/** Someone registered, and the token that was mailed to them. */
const newcomer = async () => {
  const member = await skep.member()
  return { member, token: tokenIn(await mailbox.next(member.email)) }
}

const resetToken = async ({ email }: Member) => {
  await forgot(email)
  return tokenIn(await mailbox.next(email))
}

describe('verifying an address', () => {
  test('works with the link in the welcome mail, once', async () => {
    const { member, token } = await newcomer()
    expect((await verify(token)).status).toBe(204)
    expect((await skep.call('GET', '/users/me', { token: member.token })).body.email_verified).toBe(true)
    const again = await verify(token)
    expect([again.status, again.body.code]).toEqual([400, 'invalid_link'])
  })

  test('fails after 24 hours', async () => {
    const { token } = await newcomer()
    clock.advance(24 * 3_600_000)
    expect((await verify(token)).status).toBe(400)
  })

  test('can be requested again, which invalidates the older link', async () => {
    const { member, token } = await newcomer()
    expect((await skep.call('POST', '/auth/email/verify/request', { token: member.token })).status).toBe(204)
    const newer = tokenIn(await mailbox.next(member.email))
    expect([(await verify(token)).status, (await verify(newer)).status]).toEqual([400, 204])
  })

  test('a verified address gets no further mail', async () => {
    const { member, token } = await newcomer()
    await verify(token)
    const before = mailbox.mails.length
    expect((await skep.call('POST', '/auth/email/verify/request', { token: member.token })).status).toBe(204)
    await resetToken(member)
    expect(mailbox.mails.slice(before).map(({ subject }) => subject)).toEqual(['Choose a new password for Skep'])
  })

  test('a reset token does not verify, nor a verify token reset', async () => {
    const { member, token } = await newcomer()
    const other = await resetToken(member)
    expect([(await verify(other)).status, (await reset(token)).status]).toEqual([400, 400])
  })
})

describe('a forgotten password', () => {
  test('is replaced with the mailed link, and every session ends', async () => {
    const { member } = await newcomer()
    const token = await resetToken(member)
    expect((await reset(token)).status).toBe(204)
    expect((await skep.call('GET', '/users/me', { token: member.token })).status).toBe(401)
    expect([await signsIn(member, member.password), await signsIn(member, 'brand new horse')]).toEqual([false, true])
  })

  test('mails its owner that it was replaced', async () => {
    const { member } = await newcomer()
    await reset(await resetToken(member))
    const mail = await mailbox.next(member.email)
    expect(mail.subject).toBe('Your Skep password was changed')
    expect(mail.text).not.toContain('#token=')
  })

  test('a reset token works once', async () => {
    const { member } = await newcomer()
    const token = await resetToken(member)
    await reset(token)
    expect((await reset(token, 'a thief’s horse')).body.code).toBe('invalid_link')
    expect(await signsIn(member, 'brand new horse')).toBe(true)
  })

  test('of two resets that race, one wins', async () => {
    const { member } = await newcomer()
    const token = await resetToken(member)
    const race = await Promise.all([reset(token, 'first horse'), reset(token, 'second horse')])
    expect(race.map(({ status }) => status).sort()).toEqual([204, 400])
    const wins = [await signsIn(member, 'first horse'), await signsIn(member, 'second horse')]
    expect(wins.filter((wins) => wins)).toHaveLength(1)
  })

  test('a reset token expires after 30 minutes', async () => {
    const { member } = await newcomer()
    const token = await resetToken(member)
    clock.advance(30 * 60_000)
    expect((await reset(token)).status).toBe(400)
  })

  test('a newer mail invalidates a reset token', async () => {
    const { member } = await newcomer()
    const older = await resetToken(member)
    clock.advance(60_000)
    const newer = await resetToken(member)
    expect([(await reset(older)).status, (await reset(newer)).status]).toEqual([400, 204])
  })

  test('a change of address invalidates a reset token', async () => {
    const { member } = await newcomer()
    const token = await resetToken(member)
    const fresh = `fresh.${member.email}`
    const json = { email: fresh, current_password: member.password }
    await skep.call('PATCH', '/users/me', { token: member.token, json })
    await verify(tokenIn(await mailbox.next(fresh)))
    expect((await reset(token)).status).toBe(400)
  })

  test('a change of password invalidates a reset token', async () => {
    const { member } = await newcomer()
    const token = await resetToken(member)
    const json = { current_password: member.password, new_password: 'another horse' }
    await skep.call('POST', '/users/me/password', { token: member.token, json })
    expect((await reset(token)).status).toBe(400)
  })

  test('gets the same response for an unknown address, with the same writes', async () => {
    const { member } = await newcomer()
    const [known, unknown] = [await forgot(member.email), await forgot('nobody@example.com')]
    expect([known.status, unknown.status]).toEqual([202, 202])
    expect(String(known.body)).toBe(String(unknown.body))
    await mailbox.next(member.email)
    expect(mailbox.mails.filter(({ to }) => to === 'nobody@example.com')).toEqual([])
  })

  test('is not mailed to a deactivated account', async () => {
    const { member } = await newcomer()
    const admin = await createFirstAdmin(skep)
    await skep.call('PATCH', `/users/${member.id}`, { token: admin.token, json: { is_active: false } })
    await forgot(member.email)
    await resetToken((await newcomer()).member)
    expect(mailbox.mails.filter(({ to, subject }) => to === member.email && subject !== 'Welcome to Skep')).toEqual([])
  })

  test('a weak new password does not use up the link', async () => {
    const { member } = await newcomer()
    const token = await resetToken(member)
    expect((await reset(token, 'short')).status).toBe(422)
    expect((await reset(token)).status).toBe(204)
  })
})

describe('a mailed link', () => {
  test('starts at PUBLIC_URL, whatever Host the caller sent', async () => {
    const email = 'hosted@example.com'
    await skep.call('POST', '/users/', {
      json: { email, name: 'H', password: 'correct horse' },
      headers: { host: 'evil.example', 'x-forwarded-host': 'evil.example', forwarded: 'host=evil.example' },
    })
    const mail = await mailbox.next(email)
    expect(mail.text).toContain('https://app.example.com/base/verify-email#token=')
    expect(mail.text + mail.html).not.toContain('evil.example')
  })

  test('is nowhere in the database', async () => {
    const { member, token } = await newcomer()
    const other = await resetToken(member)
    const everything = JSON.stringify(await outsideOf(skep.dataDir))
    expect(everything).toContain(member.email)
    for (const secret of [token, other, member.refreshToken, member.password]) expect(everything).not.toContain(secret)
  })
})

test('requests for mails are limited for one account and source, known or not', async () => {
  const limited = await startSkep({ RATE_LIMIT_AUTH: '2/1m', TRUST_PROXY: '1' }, { mailer: createMailbox() })
  for (const [index, email] of ['nobody@example.com', 'ANN@example.com'].entries()) {
    const ask = (host: string) =>
      limited.call('POST', '/auth/password/forgot', {
        json: { email },
        headers: { 'x-forwarded-for': `2001:db8:${index}::${host}` },
      })
    expect([(await ask('1')).status, (await ask('2')).status, (await ask('3')).status]).toEqual([202, 202, 429])
    expect((await ask('1:0:0:0:1')).status).toBe(202)
  }
})

test('someone else’s failures do not affect existing sessions', async () => {
  const limited = await startSkep({ RATE_LIMIT_AUTH: '3/1m', TRUST_PROXY: '1' }, { mailer: createMailbox() })
  const ann = await limited.member()
  for (const n of [1, 2, 3, 4, 5]) {
    const headers = { 'x-forwarded-for': `192.0.2.${n}` }
    await limited.call('POST', '/auth/token', { form: { username: ann.email, password: 'wrong' }, headers })
  }
  expect((await limited.call('GET', '/users/me', { token: ann.token })).status).toBe(200)
  const form = { grant_type: 'refresh_token', refresh_token: ann.refreshToken }
  expect((await limited.call('POST', '/auth/token', { form })).status).toBe(200)
})
