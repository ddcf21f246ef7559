import { describe, expect, test } from 'bun:test'
import { createMailbox, tokenIn } from '../../support/mail.ts'
import { type Member, startSkep } from '../../support/skep.ts'

const HOME = '198.51.100.7'
const ELSEWHERE = '203.0.113.9'
const RATE = 3

const strangers = (count: number) => Array.from({ length: count }, (_, n) => `2001:db8:${n.toString(16)}::1`)

const open = async () => {
  const mailbox = createMailbox()
  const skep = await startSkep({ RATE_LIMIT_AUTH: `${RATE}/1m`, TRUST_PROXY: '1' }, { mailer: mailbox })
  const at = (address: string) => ({ 'x-forwarded-for': address })
  const signIn = ({ email }: Pick<Member, 'email'>, password: string, address: string) =>
    skep.call('POST', '/auth/token', { form: { username: email, password }, headers: at(address) })
  const forgot = (email: string, address: string) =>
    skep.call('POST', '/auth/password/forgot', { json: { email }, headers: at(address) })
  const reset = (token: string, password: string, address: string) =>
    skep.call('POST', '/auth/password/reset', { json: { token, password }, headers: at(address) })
  const ann = await skep.member()
  await mailbox.next(ann.email)
  await signIn(ann, ann.password, HOME)
  /** As many failures as lock the account for every source its owner does not know. */
  const attack = async () => {
    for (const address of strangers(RATE * 5)) await signIn(ann, 'wrong', address)
    expect((await signIn(ann, 'wrong', '2001:db8:ffff::1')).status).toBe(429)
  }
  return { skep, mailbox, ann, at, signIn, forgot, reset, attack }
}

describe('an owner whose account strangers guess at', () => {
  test('can sign in from a known source', async () => {
    const { ann, signIn, attack } = await open()
    await attack()
    expect((await signIn(ann, ann.password, HOME)).status).toBe(200)
  })

  test('can sign in from a known source also when no session is left', async () => {
    const { skep, ann, signIn, attack } = await open()
    await skep.call('DELETE', '/auth/sessions', { token: ann.token })
    await attack()
    expect((await signIn(ann, ann.password, HOME)).status).toBe(200)
  })

  test('can use their session, and change the password in it', async () => {
    const { skep, ann, at, attack } = await open()
    await attack()
    const form = { grant_type: 'refresh_token', refresh_token: ann.refreshToken }
    expect((await skep.call('POST', '/auth/token', { form, headers: at(ELSEWHERE) })).status).toBe(200)
    const json = { current_password: ann.password, new_password: 'another horse' }
    const changed = await skep.call('POST', '/users/me/password', { token: ann.token, json, headers: at(ELSEWHERE) })
    expect(changed.status).toBe(204)
  })

  test('can reset the password from anywhere, which lifts the limit there', async () => {
    const { mailbox, ann, signIn, forgot, reset, attack } = await open()
    await attack()
    for (const _ of [1, 2, 3]) await signIn(ann, 'wrong', ELSEWHERE)
    expect((await signIn(ann, ann.password, ELSEWHERE)).status).toBe(429)
    expect((await forgot(ann.email, HOME)).status).toBe(202)
    const token = tokenIn(await mailbox.next(ann.email))
    expect((await reset(token, 'brand new horse', ELSEWHERE)).status).toBe(204)
    expect((await signIn(ann, 'brand new horse', ELSEWHERE)).status).toBe(200)
  })

  test('is still limited where the failures are their own', async () => {
    const { ann, signIn } = await open()
    for (const _ of Array(RATE)) expect((await signIn(ann, 'wrong', ELSEWHERE)).status).toBe(400)
    expect((await signIn(ann, ann.password, ELSEWHERE)).status).toBe(429)
    expect((await signIn(ann, ann.password, HOME)).status).toBe(200)
  })
})

describe('strangers who request a reset of someone’s password', () => {
  test('do not invalidate a link mailed to the owner', async () => {
    const { mailbox, ann, forgot, reset } = await open()
    await forgot(ann.email, HOME)
    const token = tokenIn(await mailbox.next(ann.email))
    for (const address of strangers(20)) expect((await forgot(ann.email, address)).status).toBe(202)
    expect((await forgot(ann.email, HOME)).status).toBe(202)
    expect((await reset(token, 'first horse', HOME)).status).toBe(204)
  })

  test('cause only one mail while its link is valid', async () => {
    const { mailbox, ann, forgot, reset } = await open()
    for (const address of strangers(20)) await forgot(ann.email, address)
    const token = tokenIn(await mailbox.next(ann.email))
    expect((await reset(token, 'brand new horse', HOME)).status).toBe(204)
    expect((await mailbox.next(ann.email)).subject).toBe('Your Skep password was changed')
    const subjects = mailbox.mails.filter(({ to }) => to === ann.email).map(({ subject }) => subject)
    expect(subjects).toHaveLength(3)
  })
})
