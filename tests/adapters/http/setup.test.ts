import { describe, expect, test } from 'bun:test'
import { SETUP_TOKEN_TTL_MS } from '../../../src/application/setup.ts'
import { testClock } from '../../support/clock.ts'
import { startSkep } from '../../support/skep.ts'

const ADMIN = { email: 'root@example.com', name: 'Root', password: 'violet correct horse' }

const tokenOf = (url: string | null) => new URL(url ?? 'none:').hash.replace('#token=', '')

/** A server without an admin, and its token. */
const startWithout = async (...options: Parameters<typeof startSkep>) => {
  const skep = await startSkep(...options)
  const create = (json: object) => skep.call('POST', '/auth/setup', { json })
  return { skep, create, token: tokenOf(skep.setupUrl) }
}

describe('a server without an admin', () => {
  test('offers a link to create one, who is active and verified and can sign in', async () => {
    const { skep, create, token } = await startWithout()
    expect(skep.setupUrl).toStartWith(`${skep.url}/console/setup#token=`)
    const { status, body, headers } = await create({ token, ...ADMIN })
    expect(status).toBe(201)
    expect(body).toMatchObject({ email: ADMIN.email, role: 'admin', is_active: true, email_verified: true })
    expect(headers.get('location')).toBe(`/api/v1/users/${body.id}`)
    const form = { username: ADMIN.email, password: ADMIN.password }
    expect((await skep.call('POST', '/auth/token', { form })).status).toBe(200)
  })

  test('offers it also if there are ordinary users', async () => {
    const { skep } = await startWithout()
    await skep.member()
    await skep.close()
    expect((await startSkep({ DATA_DIR: skep.dataDir })).setupUrl).not.toBeNull()
  })

  test('leads to PUBLIC_URL', async () => {
    const { skep } = await startWithout({ PUBLIC_URL: 'https://example.com/back' })
    expect(skep.setupUrl).toStartWith('https://example.com/back/console/setup#token=')
  })

  test('says which field is wrong, and the link still works', async () => {
    const { create, token } = await startWithout()
    const weak = await create({ token, ...ADMIN, password: 'password1' })
    expect([weak.status, weak.body.errors]).toMatchObject([422, [{ pointer: '/password' }]])
    const wrong = await create({ token, ...ADMIN, email: 'root' })
    expect([wrong.status, wrong.body.errors]).toMatchObject([422, [{ pointer: '/email' }]])
    expect((await create({ token, ...ADMIN })).status).toBe(201)
  })
})

describe('a setup link', async () => {
  const offered = await startWithout()

  test('is refused once there is an admin, however many use it at once', async () => {
    const { create, token } = await startWithout()
    const answers = await Promise.all(
      [1, 2, 3, 4].map((n) => create({ token, ...ADMIN, email: `root${n}@example.com` })),
    )
    expect(answers.map(({ status }) => status).sort()).toEqual([201, 400, 400, 400])
    const late = await create({ token, ...ADMIN, email: 'late@example.com' })
    expect([late.status, late.body.code]).toEqual([400, 'invalid_link'])
  })

  test('expires', async () => {
    const clock = testClock()
    const { create, token } = await startWithout({}, { clock })
    clock.advance(SETUP_TOKEN_TTL_MS)
    expect((await create({ token, ...ADMIN })).body.code).toBe('invalid_link')
  })

  test.each([
    ['of another server', async () => (await startWithout()).token],
    ['with another expiry', async (token: string) => token.replace(/^[^.]+/, (Date.now() * 2).toString(36))],
    ['that is cut short', async (token: string) => token.slice(0, -1)],
    ['that is made up', async () => 'x'],
  ])('%s is refused', async (_, forge) => {
    const { status, body } = await offered.create({ token: await forge(offered.token), ...ADMIN })
    expect([status, body.code]).toEqual([400, 'invalid_link'])
  })

  test('is not offered by a server that has an admin', async () => {
    const { skep, create, token } = await startWithout()
    await create({ token, ...ADMIN })
    await skep.close()
    const again = await startSkep({ DATA_DIR: skep.dataDir })
    expect(again.setupUrl).toBeNull()
  })
})
