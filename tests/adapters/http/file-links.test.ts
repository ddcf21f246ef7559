import { describe, expect, test } from 'bun:test'
import { createFirstAdmin } from '../../support/admin.ts'
import { testClock } from '../../support/clock.ts'
import { createMailbox, tokenIn } from '../../support/mail.ts'
import { type Member, startSkep, type TestSkep } from '../../support/skep.ts'
import { upload } from '../../support/uploads.ts'

const clock = testClock()
const mailbox = createMailbox()
const skep = await startSkep({ ACCESS_TOKEN_TTL: '30d' }, { mailer: mailbox, clock })
const root = await createFirstAdmin(skep)

interface LinkBody {
  readonly id: number
  readonly url: string
  readonly expires_at: string
  readonly code?: string
}

const link = (ann: Member, fileId: number, expiresIn: unknown = 60, headers = {}) =>
  skep.call<LinkBody>('POST', `/files/${fileId}/links`, { token: ann.token, json: { expires_in: expiresIn }, headers })

const open = async (url: string, headers = {}) => (await fetch(url, { headers })).status

const prepare = async (server: TestSkep = skep) => {
  const ann = await server.member()
  const { body: file } = await upload(server.call, { token: ann.token })
  return { ann, file }
}

describe('a signed link', () => {
  test('opens the content without a token', async () => {
    const { ann, file } = await prepare()
    const { status, headers, body } = await link(ann, file.id)
    expect([status, headers.get('location')]).toEqual([201, `/api/v1/files/${file.id}/links/${body.id}`])
    expect(Object.keys(body).sort()).toEqual(['expires_at', 'id', 'url'])
    expect(body.url).toStartWith(`${skep.url}/api/v1/files/${file.id}/content?link=${body.id}&expires=`)
    expect(Date.parse(body.expires_at)).toBe(clock.now() + 60_000)
    const response = await fetch(body.url)
    expect([response.status, (await response.bytes()).length]).toEqual([200, file.size])
    expect(response.headers.get('content-security-policy')).toBe("sandbox; default-src 'none'")
    expect(await open(body.url, { range: 'bytes=0-3' })).toBe(206)
    expect((await fetch(body.url, { method: 'HEAD' })).status).toBe(200)
  })

  test('gives access only to its file’s content', async () => {
    const { ann, file } = await prepare()
    const { body } = await link(ann, file.id)
    const query = new URL(body.url).search
    expect((await skep.call('GET', `/files/${file.id}${query}`)).status).toBe(401)
    expect((await skep.call('GET', `/files/${file.id}/links${query}`)).status).toBe(401)
  })

  test.each<[string, (url: URL) => unknown]>([
    ['a later expiry', (url) => url.searchParams.set('expires', String(Number(url.searchParams.get('expires')) + 1))],
    ['another link', (url) => url.searchParams.set('link', String(Number(url.searchParams.get('link')) + 1))],
    ['another signature', (url) => url.searchParams.set('signature', 'A'.repeat(43))],
    ['a shorter signature', (url) => url.searchParams.set('signature', 'A')],
    ['no signature', (url) => url.searchParams.set('signature', '')],
    [
      'the same signature, spelled otherwise',
      (url) => url.searchParams.set('signature', `${url.searchParams.get('signature')}=`),
    ],
    ['a leading zero', (url) => url.searchParams.set('link', `0${url.searchParams.get('link')}`)],
    ['words for numbers', (url) => url.searchParams.set('expires', 'never')],
  ])('with %s gives no access', async (_, change) => {
    const { ann, file } = await prepare()
    const url = new URL((await link(ann, file.id)).body.url)
    change(url)
    expect(await open(url.href)).toBe(404)
  })

  test('for another file gives no access', async () => {
    const { ann, file } = await prepare()
    const other = (await upload(skep.call, ann)).body
    const { url } = (await link(ann, file.id)).body
    expect(await open(url.replace(`/files/${file.id}/`, `/files/${other.id}/`))).toBe(404)
  })

  test.each(['link', 'expires', 'signature'])('without its %s is 401', async (name) => {
    const { ann, file } = await prepare()
    const url = new URL((await link(ann, file.id)).body.url)
    url.searchParams.delete(name)
    expect(await open(url.href)).toBe(401)
  })

  test('of another server’s secret gives no access', async () => {
    const other = await startSkep({}, { mailer: createMailbox(), clock })
    const [ours, theirs] = [await prepare(), await prepare(other)]
    const { url } = (await link(ours.ann, ours.file.id)).body
    const { search } = new URL(url)
    expect(await open(`${other.url}/api/v1/files/${theirs.file.id}/content${search}`)).toBe(404)
  })

  test('expires at the stated time', async () => {
    const { ann, file } = await prepare()
    const { body } = await link(ann, file.id, 10)
    clock.advance(9_999)
    expect(await open(body.url)).toBe(200)
    clock.advance(1)
    expect(await open(body.url)).toBe(404)
    expect((await skep.call('GET', `/files/${file.id}/links/${body.id}`, { token: ann.token })).status).toBe(404)
    const list = await skep.call('GET', `/files/${file.id}/links`, { token: ann.token })
    expect(list.body).toMatchObject({ items: [], total: 0 })
  })

  test('that is revoked stops working at once, and others still work', async () => {
    const { ann, file } = await prepare()
    const [one, other] = [(await link(ann, file.id)).body, (await link(ann, file.id)).body]
    const path = `/files/${file.id}/links/${one.id}`
    expect((await skep.call('DELETE', path, { token: ann.token })).status).toBe(204)
    expect([await open(one.url), await open(other.url)]).toEqual([404, 200])
    expect((await skep.call('DELETE', path, { token: ann.token })).status).toBe(404)
  })

  test('goes with its file, and with its owner', async () => {
    const [one, other] = [await prepare(), await prepare()]
    const urls = [(await link(one.ann, one.file.id)).body.url, (await link(other.ann, other.file.id)).body.url] as const
    await skep.call('DELETE', `/files/${one.file.id}`, { token: one.ann.token })
    await skep.call('DELETE', '/users/me', { token: other.ann.token, json: { current_password: other.ann.password } })
    expect([await open(urls[0]), await open(urls[1])]).toEqual([404, 404])
  })

  test('counts against the address that uses it', async () => {
    const limited = await startSkep({ RATE_LIMIT: '6/1m' }, { mailer: createMailbox() })
    const { ann, file } = await prepare(limited)
    const made = await limited.call<LinkBody>('POST', `/files/${file.id}/links`, {
      token: ann.token,
      json: { expires_in: 60 },
    })
    const statuses: number[] = []
    for (let n = 0; n < 7; n++) statuses.push(await open(made.body.url))
    expect([statuses[0], statuses.at(-1)]).toEqual([200, 429])
  })
})

describe('a signed link ends with the right behind it', () => {
  const change = (member: Member, json: object) =>
    skep.call('PATCH', `/users/${member.id}`, { token: root.token, json })
  const admin = async () => {
    const member = await skep.member()
    await change(member, { role: 'admin' })
    return member
  }

  test('when its creator and owner is deactivated, also after reactivation', async () => {
    const { ann, file } = await prepare()
    const { url } = (await link(ann, file.id)).body
    await change(ann, { is_active: false })
    expect(await open(url)).toBe(404)
    await change(ann, { is_active: true })
    expect(await open(url)).toBe(404)
  })

  test('when the owner is deactivated, whoever created it', async () => {
    const { ann, file } = await prepare()
    const { url } = (await link(root, file.id)).body
    expect(await open(url)).toBe(200)
    await change(ann, { is_active: false })
    await change(ann, { is_active: true })
    expect(await open(url)).toBe(404)
  })

  test.each<[string, (creator: Member) => Promise<unknown>]>([
    ['demoted', (creator) => change(creator, { role: 'user' })],
    [
      'demoted for a moment',
      async (creator) => {
        await change(creator, { role: 'user' })
        await change(creator, { role: 'admin' })
      },
    ],
    ['deactivated', (creator) => change(creator, { is_active: false })],
    ['deleted', (creator) => skep.call('DELETE', `/users/${creator.id}`, { token: root.token })],
  ])('when the admin who made it for another’s file is %s', async (_, end) => {
    const { ann, file } = await prepare()
    const creator = await admin()
    const [theirs, own] = [(await link(creator, file.id)).body, (await link(ann, file.id)).body]
    expect(await open(theirs.url)).toBe(200)
    await end(creator)
    expect([await open(theirs.url), await open(own.url)]).toEqual([404, 200])
    const list = await skep.call('GET', `/files/${file.id}/links`, { token: ann.token })
    expect(list.body).toMatchObject({ total: 1 })
  })

  test('a demoted admin keeps links to their own files', async () => {
    const creator = await admin()
    const { body: file } = await upload(skep.call, { token: creator.token })
    const { url } = (await link(creator, file.id)).body
    await change(creator, { role: 'user' })
    expect(await open(url)).toBe(200)
  })

  test('when its creator resets the password', async () => {
    const { ann, file } = await prepare()
    const others = (await link(root, file.id)).body
    const { url } = (await link(ann, file.id)).body
    await skep.call('POST', '/auth/password/forgot', { json: { email: ann.email } })
    const mails = [await mailbox.next(ann.email), await mailbox.next(ann.email)]
    const [token = ''] = mails.flatMap((mail) =>
      mail.subject === 'Choose a new password for Skep' ? [tokenIn(mail)] : [],
    )
    const json = { token, password: 'a battery staple' }
    expect((await skep.call('POST', '/auth/password/reset', { json })).status).toBe(204)
    expect([await open(url), await open(others.url)]).toEqual([404, 200])
  })

  test('when its creator changes the password, or ends every session', async () => {
    const [one, other] = [await prepare(), await prepare()]
    const urls = [(await link(one.ann, one.file.id)).body.url, (await link(other.ann, other.file.id)).body.url] as const
    const json = { current_password: one.ann.password, new_password: 'a battery staple' }
    await skep.call('POST', '/users/me/password', { token: one.ann.token, json })
    await skep.call('DELETE', '/auth/sessions', { token: other.ann.token })
    expect([await open(urls[0]), await open(urls[1])]).toEqual([404, 404])
  })
})

describe('making links', () => {
  test.each([0, -1, 604_801, 1.5, '60', null])('expires_in %p is 422', async (expiresIn) => {
    const { ann, file } = await prepare()
    expect((await link(ann, file.id, expiresIn)).status).toBe(422)
  })

  test('up to seven days ahead', async () => {
    const { ann, file } = await prepare()
    expect(Date.parse((await link(ann, file.id, 604_800)).body.expires_at) - clock.now()).toBe(604_800_000)
  })

  test('requires access to the file', async () => {
    const { ann, file } = await prepare()
    const bob = await skep.member()
    expect((await link(bob, file.id)).status).toBe(404)
    expect((await link(root, file.id)).status).toBe(201)
    const { body } = await link(ann, file.id)
    for (const method of ['GET', 'DELETE']) {
      expect((await skep.call(method, `/files/${file.id}/links/${body.id}`, { token: bob.token })).status).toBe(404)
    }
  })

  test('lists and returns them as created', async () => {
    const { ann, file } = await prepare()
    const made = [(await link(ann, file.id)).body, (await link(ann, file.id)).body]
    const { body } = await skep.call('GET', `/files/${file.id}/links`, { token: ann.token })
    expect(body).toMatchObject({ items: made.toReversed(), total: 2 })
    const one = await skep.call<LinkBody>('GET', `/files/${file.id}/links/${made[0]?.id}`, { token: ann.token })
    expect(Object.is(one.body.url, made[0]?.url)).toBe(true)
  })

  test('a link of one file is not found under another', async () => {
    const { ann, file } = await prepare()
    const other = (await upload(skep.call, ann)).body
    const { body } = await link(ann, file.id)
    expect((await skep.call('DELETE', `/files/${other.id}/links/${body.id}`, { token: ann.token })).status).toBe(404)
    expect(await open(body.url)).toBe(200)
  })

  test('under one Idempotency-Key happens once', async () => {
    const { ann, file } = await prepare()
    const headers = { 'idempotency-key': 'once' }
    const [first, again] = [await link(ann, file.id, 60, headers), await link(ann, file.id, 60, headers)]
    expect([again.status, again.body.id, again.headers.get('idempotency-replayed')]).toEqual([
      201,
      first.body.id,
      'true',
    ])
    expect((await link(ann, file.id, 61, headers)).body.code).toBe('idempotency_mismatch')
    const other = (await upload(skep.call, ann)).body
    expect((await link(ann, other.id, 60, headers)).body.code).toBe('idempotency_mismatch')
  })

  test('PUBLIC_URL is the base of their URLs', async () => {
    const named = await startSkep({ PUBLIC_URL: 'https://files.example.com/base/' }, { mailer: createMailbox() })
    const { ann, file } = await prepare(named)
    const { body } = await named.call<LinkBody>('POST', `/files/${file.id}/links`, {
      token: ann.token,
      json: { expires_in: 60 },
    })
    expect(body.url).toStartWith(`https://files.example.com/base/api/v1/files/${file.id}/content?link=`)
  })
})
