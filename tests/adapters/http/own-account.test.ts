import { describe, expect, test } from 'bun:test'
import { createFirstAdmin } from '../../support/admin.ts'
import { createMailbox, tokenIn } from '../../support/mail.ts'
import { type Member, signIn, startSkep } from '../../support/skep.ts'

const mailbox = createMailbox()
const skep = await startSkep({}, { mailer: mailbox })
const root = await createFirstAdmin(skep)
const json = (email: string, changes: object = {}) => ({ email, name: 'Ann', password: 'correct horse', ...changes })

describe('a self-chosen address', () => {
  const ask = (member: Member, changes: object) =>
    skep.call('PATCH', '/users/me', { token: member.token, json: changes })

  test('needs the current password', async () => {
    const ann = await skep.member()
    const missing = await ask(ann, { email: 'elsewhere@example.com' })
    expect([missing.status, missing.body.code]).toEqual([422, 'password_required'])
    const wrong = await ask(ann, { email: 'elsewhere@example.com', current_password: 'wrong' })
    expect([wrong.status, wrong.body.code]).toEqual([400, 'wrong_password'])
  })

  test('counts once its mailed link is used, and the old address gets a notice', async () => {
    const ann = await skep.member()
    await skep.call('POST', '/auth/email/verify', { json: { token: tokenIn(await mailbox.next(ann.email)) } })
    const fresh = `fresh.${ann.email}`
    const { status, body } = await ask(ann, { email: fresh, current_password: ann.password })
    expect([status, body.email]).toEqual([200, ann.email])
    expect((await mailbox.next(ann.email)).text).toContain(fresh)
    const token = tokenIn(await mailbox.next(fresh))
    expect((await skep.call('POST', '/auth/email/verify', { json: { token } })).status).toBe(204)
    const me = await skep.call('GET', '/users/me', { token: ann.token })
    expect(me.body).toMatchObject({ email: fresh, email_verified: true })
    expect((await mailbox.next(ann.email)).subject).toBe('Your email address for Skep was changed')
  })

  test('that another user registers meanwhile stays theirs', async () => {
    const ann = await skep.member()
    const wanted = `wanted.${ann.email}`
    await ask(ann, { email: wanted, current_password: ann.password })
    const token = tokenIn(await mailbox.next(wanted))
    await skep.member(wanted)
    const { status, body } = await skep.call('POST', '/auth/email/verify', { json: { token } })
    expect([status, body.code]).toEqual([400, 'email_taken'])
    expect((await skep.call('GET', '/users/me', { token: ann.token })).body.email).toBe(ann.email)
  })
})

describe('changing the password', () => {
  const change = (member: Member, current: string, next: string) =>
    skep.call('POST', '/users/me/password', {
      token: member.token,
      json: { current_password: current, new_password: next },
    })

  test('needs the current one', async () => {
    const ann = await skep.member()
    const { status, body } = await change(ann, 'wrong', 'another horse')
    expect([status, body.code]).toEqual([400, 'wrong_password'])
  })

  test('ends every other session at once, and keeps this one', async () => {
    const ann = await skep.member()
    const elsewhere = await signIn(skep.call, ann)
    await skep.call('GET', '/users/me', { token: elsewhere.token })
    expect((await change(ann, ann.password, 'another horse')).status).toBe(204)
    expect((await skep.call('GET', '/users/me', { token: elsewhere.token })).status).toBe(401)
    expect((await skep.call('GET', '/users/me', { token: ann.token })).status).toBe(200)
    const refresh = { grant_type: 'refresh_token', refresh_token: elsewhere.refreshToken }
    expect((await skep.call('POST', '/auth/token', { form: refresh })).status).toBe(400)
  })

  test('is reported to the owner by mail', async () => {
    const ann = await skep.member()
    await mailbox.next(ann.email)
    await change(ann, ann.password, 'another horse')
    expect((await mailbox.next(ann.email)).subject).toBe('Your Skep password was changed')
  })

  test('the new one signs in, the old one does not', async () => {
    const ann = await skep.member()
    await change(ann, ann.password, 'another horse')
    const attempt = (password: string) => skep.call('POST', '/auth/token', { form: { username: ann.email, password } })
    expect([(await attempt(ann.password)).status, (await attempt('another horse')).status]).toEqual([400, 200])
  })

  test('of two that race, one wins', async () => {
    const ann = await skep.member()
    const race = await Promise.all([
      change(ann, ann.password, 'first horse'),
      change(ann, ann.password, 'second horse'),
    ])
    expect(race.map(({ status }) => status).sort()).toEqual([204, 400])
  })
})

describe('deleting an account', () => {
  const remove = (member: Member, path: string, json?: object) =>
    skep.call('DELETE', path, { token: member.token, json })

  test('signs out everywhere on the very next request and frees the address', async () => {
    const ann = await skep.member()
    await skep.call('GET', '/users/me', { token: ann.token })
    expect((await remove(ann, '/users/me', { current_password: ann.password })).status).toBe(204)
    expect((await skep.call('GET', '/users/me', { token: ann.token })).status).toBe(401)
    expect((await skep.call('POST', '/users/', { json: json(ann.email) })).status).toBe(201)
  })

  test('of one’s own needs the current password, whichever path names it', async () => {
    const ann = await skep.member()
    for (const path of ['/users/me', `/users/${ann.id}`]) {
      for (const json of [undefined, {}]) {
        const missing = await remove(ann, path, json)
        expect([missing.status, missing.body.code]).toEqual([422, 'password_required'])
      }
      const wrong = await remove(ann, path, { current_password: 'wrong' })
      expect([wrong.status, wrong.body.code]).toEqual([400, 'wrong_password'])
    }
    expect((await skep.call('GET', '/users/me', { token: ann.token })).status).toBe(200)
    expect((await remove(ann, `/users/${ann.id}`, { current_password: ann.password })).status).toBe(204)
  })

  test('of someone else is for admins', async () => {
    const [ann, bob] = [await skep.member(), await skep.member()]
    expect((await skep.call('DELETE', `/users/${bob.id}`, { token: ann.token })).status).toBe(404)
    expect((await skep.call('DELETE', `/users/${bob.id}`, { token: root.token })).status).toBe(204)
    expect((await skep.call('GET', '/users/me', { token: bob.token })).status).toBe(401)
  })
})

describe('the last active admin', async () => {
  const lonely = await startSkep({}, { mailer: createMailbox() })
  const admin = await createFirstAdmin(lonely)

  test.each<[string, string, object | undefined]>([
    ['demoted', 'PATCH', { role: 'user' }],
    ['deactivated', 'PATCH', { is_active: false }],
    ['removed', 'DELETE', undefined],
  ])('cannot be %s', async (_, method, changes) => {
    for (const path of ['/users/me', `/users/${admin.id}`]) {
      const json = changes ?? { current_password: admin.password }
      const { status, body } = await lonely.call(method, path, { token: admin.token, json })
      expect([status, body.code]).toEqual([409, 'last_admin'])
    }
  })

  test('two admins who demote each other at once leave one', async () => {
    const other = await lonely.member()
    await lonely.call('PATCH', `/users/${other.id}`, { token: admin.token, json: { role: 'admin' } })
    const demote = (by: Member, whom: Member) =>
      lonely.call('PATCH', `/users/${whom.id}`, { token: by.token, json: { role: 'user' } })
    const race = await Promise.all([demote(admin, other), demote(other, admin)])
    expect(race.map(({ status }) => status).filter((status) => status === 200)).toHaveLength(1)
  })
})

test('a password of the maximum length signs in', async () => {
  const member = await skep.member('bees@example.com', '🐝'.repeat(128))
  expect(member.token).toBeString()
})
