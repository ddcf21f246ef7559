import { describe, expect, test } from 'bun:test'
import type { Mail } from '../../../src/domain/mail.ts'
import { createFirstAdmin } from '../../support/admin.ts'
import { testClock } from '../../support/clock.ts'
import { createMailbox, tokenIn } from '../../support/mail.ts'
import { type Member, startSkep } from '../../support/skep.ts'

const MINUTE_MS = 60_000
const clock = testClock()
const mailbox = createMailbox()
const skep = await startSkep({ ACCESS_TOKEN_TTL: '30d' }, { mailer: mailbox, clock })

const ask = (member: Member, email: string) =>
  skep.call('PATCH', '/users/me', { token: member.token, json: { email, current_password: member.password } })
const request = (member: Member) => skep.call('POST', '/auth/email/verify/request', { token: member.token })
const verify = (token: string) => skep.call('POST', '/auth/email/verify', { json: { token } })
const reset = (token: string) =>
  skep.call('POST', '/auth/password/reset', { json: { token, password: 'a battery staple' } })

/** Someone with a proven address. */
const proven = async () => {
  const member = await skep.member()
  await verify(tokenIn(await mailbox.next(member.email)))
  return member
}

/** Until every forgotten password that was asked for has been looked at. */
const settled = async () => {
  const member = await proven()
  await skep.call('POST', '/auth/password/forgot', { json: { email: member.email } })
  await mailbox.next(member.email)
}

const mailsTo = (address: string) => mailbox.mails.filter(({ to }) => to === address)

describe('mail to one recipient', () => {
  test('is sent once a minute over all accounts', async () => {
    const [ann, bob] = [await proven(), await proven()]
    expect((await ask(ann, 'stranger@example.com')).status).toBe(200)
    for (const address of ['stranger@example.com', 'STRANGER@example.com', 'stranger+2@example.com']) {
      const refused = await ask(bob, address)
      expect([refused.status, refused.body.code, refused.headers.get('retry-after')]).toEqual([
        429,
        'too_many_requests',
        '60',
      ])
    }
    clock.advance(MINUTE_MS)
    expect((await ask(bob, 'stranger@example.com')).status).toBe(200)
  })

  test('is sent five times an hour', async () => {
    const ann = await skep.member()
    await mailbox.next(ann.email)
    const older: string[] = []
    for (let n = 0; n < 5; n++) {
      expect((await request(ann)).status).toBe(204)
      older.push(tokenIn(await mailbox.next(ann.email)))
      clock.advance(MINUTE_MS)
    }
    const refused = await request(ann)
    expect([refused.status, refused.headers.get('retry-after')]).toEqual([429, String(55 * 60)])
    // Nothing went out, so what went before is not void.
    expect((await verify(older.at(-1) ?? '')).status).toBe(204)
  })

  test('a password reset above the limit gets the same response and invalidates nothing', async () => {
    const ann = await proven()
    const forgot = () => skep.call('POST', '/auth/password/forgot', { json: { email: ann.email } })
    expect((await forgot()).status).toBe(202)
    const token = tokenIn(await mailbox.next(ann.email))
    expect((await forgot()).status).toBe(202)
    await settled()
    expect(mailsTo(ann.email).filter(({ subject }) => subject === 'Choose a new password for Skep')).toHaveLength(1)
    expect((await reset(token)).status).toBe(204)
  })

  test('a refused change of address changes nothing else either', async () => {
    const [ann, bob] = [await proven(), await proven()]
    await ask(ann, 'taken@example.com')
    const json = { name: 'Bobby', email: 'taken@example.com', current_password: bob.password }
    expect((await skep.call('PATCH', '/users/me', { token: bob.token, json })).status).toBe(429)
    expect((await skep.call('GET', '/users/me', { token: bob.token })).body.name).toBe('Ann')
  })
})

describe('what a stranger typed', () => {
  const EVIL = 'winner! https://evil.example'

  test('is in no mail to an unverified address', async () => {
    const email = 'victim@example.com'
    const registration = { email, name: EVIL, password: 'correct horse' }
    const { body } = await skep.call<{ id: number }>('POST', '/users/', { json: registration })
    const form = { username: email, password: registration.password }
    const { body: pair } = await skep.call<{ access_token: string }>('POST', '/auth/token', { form })
    const mallory = { id: body.id, email, password: registration.password, token: pair.access_token, refreshToken: '' }
    const mails: Mail[] = [await mailbox.next(email)]
    const json = { current_password: registration.password, new_password: 'another horse' }
    const causes = [
      () => request(mallory),
      () => ask(mallory, 'www.evil.example/x@evil.example'),
      () => skep.call('POST', '/users/me/password', { token: mallory.token, json }),
      () => skep.call('POST', '/auth/password/forgot', { json: { email } }),
    ]
    for (const cause of causes) {
      await cause()
      mails.push(await mailbox.next(email))
    }
    expect(new Set(mails.map(({ subject }) => subject)).size).toBe(5)
    for (const { text, html, subject } of mails) {
      expect(text + html + subject).not.toContain('winner')
      expect(text + html + subject).not.toContain('evil.example')
    }
  })

  test('is in no mail to a requested new address', async () => {
    const ann = await proven()
    await skep.call('PATCH', '/users/me', { token: ann.token, json: { name: EVIL } })
    await ask(ann, 'wanted@example.com')
    const { text, html } = await mailbox.next('wanted@example.com')
    expect(text + html).not.toContain('winner')
    // The old address is proven, so its mail names the new one, as text.
    const mail = await mailbox.next(ann.email)
    expect(mail.text).toContain('wanted@example.com')
    for (const [, url] of mail.html.matchAll(/href="([^"]*)"/g)) expect(url).toBe(`${skep.url}/forgot-password`)
  })
})

test('an admin’s change is mailed to the old address and names the new one', async () => {
  const root = await createFirstAdmin(skep)
  const ann = await skep.member()
  await mailbox.next(ann.email)
  await skep.call('PATCH', `/users/${ann.id}`, { token: root.token, json: { email: `moved.${ann.email}` } })
  expect((await mailbox.next(ann.email)).text).toContain(`moved.${ann.email}`)
})
