import { describe, expect, test } from 'bun:test'
import { sendRaw } from '../../support/raw-http.ts'
import { startSkep } from '../../support/skep.ts'

const from = (address: string) => ({ 'x-forwarded-for': address })

describe('the general limit', () => {
  test('answers 429 with Retry-After past the rate, and tells how it stands before', async () => {
    const skep = await startSkep({ RATE_LIMIT: '2/1m' })
    const first = await skep.call('GET', '/users/me')
    expect(first.headers.get('ratelimit-limit')).toBe('2')
    expect(first.headers.get('ratelimit-remaining')).toBe('1')
    expect(Number(first.headers.get('ratelimit-reset'))).toBeWithin(1, 61)
    await skep.call('GET', '/users/me')
    const { status, headers, body } = await skep.call('GET', '/users/me')
    expect([status, body.code]).toEqual([429, 'too_many_requests'])
    expect(headers.get('retry-after')).toBe(headers.get('ratelimit-reset'))
    expect(headers.get('ratelimit-remaining')).toBe('0')
  })

  test('counts a signed-in user as one client, wherever they call from, and not with their neighbours', async () => {
    const skep = await startSkep({ RATE_LIMIT: '3/1m', TRUST_PROXY: '1' })
    const ann = await skep.member()
    const bob = await skep.member()
    const statuses: number[] = []
    for (const address of ['192.0.2.1', '192.0.2.2', '192.0.2.3', '192.0.2.4']) {
      const { status } = await skep.call('GET', '/users/me', { token: ann.token, headers: from(address) })
      statuses.push(status)
    }
    expect(statuses).toEqual([200, 200, 200, 429])
    expect((await skep.call('GET', '/users/me', { token: bob.token })).status).toBe(200)
  })

  test('counts unknown paths and doubled slashes like any other', async () => {
    const skep = await startSkep({ RATE_LIMIT: '2/1m' })
    await skep.call('GET', '/nothing')
    await sendRaw(skep.url, 'GET //api/v1/users/me HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n')
    expect((await skep.call('GET', '/users/me')).status).toBe(429)
  })

  test('limits whoever guesses tokens by address', async () => {
    const skep = await startSkep({ RATE_LIMIT: '2/1m' })
    const guess = (n: number) => skep.call('GET', '/users/me', { token: `eyJ.${n}.x` })
    expect([(await guess(1)).status, (await guess(2)).status, (await guess(3)).status]).toEqual([401, 401, 429])
  })

  test('leaves /health alone', async () => {
    const skep = await startSkep({ RATE_LIMIT: '1/1m' })
    for (const _ of [1, 2, 3]) {
      const { status, headers } = await skep.call('GET', '//health')
      expect([status, headers.get('ratelimit-limit')]).toEqual([200, null])
    }
  })

  test('can be turned off', async () => {
    const skep = await startSkep({ RATE_LIMIT: 'off' })
    expect((await skep.call('GET', '/users/me')).headers.get('ratelimit-limit')).toBeNull()
  })
})

describe('addresses', () => {
  test('a forged X-Forwarded-For changes nothing without a trusted proxy', async () => {
    const skep = await startSkep({ RATE_LIMIT: '1/1m' })
    await skep.call('GET', '/users/me', { headers: from('192.0.2.1') })
    expect((await skep.call('GET', '/users/me', { headers: from('192.0.2.2') })).status).toBe(429)
  })

  test('behind one proxy only the entry it added counts', async () => {
    const skep = await startSkep({ RATE_LIMIT: '1/1m', TRUST_PROXY: '1' })
    await skep.call('GET', '/users/me', { headers: from('6.6.6.6, 192.0.2.1') })
    expect((await skep.call('GET', '/users/me', { headers: from('7.7.7.7, 192.0.2.1') })).status).toBe(429)
    expect((await skep.call('GET', '/users/me', { headers: from('192.0.2.2') })).status).toBe(401)
  })

  test('an IPv6 subscriber is one client, whatever address of the /64 they use', async () => {
    const skep = await startSkep({ RATE_LIMIT: '1/1m', TRUST_PROXY: '1' })
    await skep.call('GET', '/users/me', { headers: from('2001:db8:0:1::1') })
    expect((await skep.call('GET', '/users/me', { headers: from('2001:db8:0:1:ffff::2') })).status).toBe(429)
    expect((await skep.call('GET', '/users/me', { headers: from('2001:db8:0:2::1') })).status).toBe(401)
  })
})

describe('the limit on credentials', () => {
  const password = 'correct horse'

  test('counts sign-ins and registrations by address', async () => {
    const skep = await startSkep({ RATE_LIMIT_AUTH: '2/1m' })
    await skep.call('POST', '/users/', { json: { email: 'a@example.com', name: 'A', password } })
    await skep.call('POST', '/auth/token', { form: { username: 'a@example.com', password } })
    const { status, headers } = await skep.call('POST', '/auth/token', {
      form: { username: 'a@example.com', password },
    })
    expect([status, headers.get('ratelimit-limit')]).toEqual([429, '2'])
    expect(headers.get('retry-after')).toMatch(/^\d+$/)
  })

  test('counts guesses at one account, from wherever they come', async () => {
    const skep = await startSkep({ RATE_LIMIT_AUTH: '3/1m', TRUST_PROXY: '1' })
    const ann = await skep.member()
    const guess = (n: number, form = { username: ann.email, password: 'wrong' }) =>
      skep.call('POST', '/auth/token', { form, headers: from(`192.0.2.${n}`) })
    for (const n of [1, 2, 3]) expect((await guess(n)).status).toBe(400)
    expect((await guess(4)).status).toBe(429)
    expect((await guess(5, { username: ann.email.toUpperCase(), password: ann.password })).status).toBe(429)
    expect((await skep.call('GET', '/users/me', { token: ann.token })).status).toBe(200)
  })

  test('a right password clears the account’s count', async () => {
    const skep = await startSkep({ RATE_LIMIT_AUTH: '2/1m', TRUST_PROXY: '1' })
    const ann = await skep.member()
    const attempt = (n: number, guess: string) =>
      skep.call('POST', '/auth/token', {
        form: { username: ann.email, password: guess },
        headers: from(`192.0.2.${n}`),
      })
    const statuses = [
      await attempt(1, 'wrong'),
      await attempt(2, ann.password),
      await attempt(3, 'wrong'),
      await attempt(4, 'wrong'),
    ]
    expect(statuses.map(({ status }) => status)).toEqual([400, 200, 400, 400])
  })
})

test.each([
  ['0', '127.0.0.1'],
  ['1', '198.51.100.7'],
  ['2', '2001:db8::1'],
])('with %s trusted proxies the log names %s as the client', async (TRUST_PROXY, address) => {
  const skep = await startSkep({ TRUST_PROXY })
  await skep.call('GET', '//health', { headers: { 'x-forwarded-for': '203.0.113.9, 2001:db8::1, 198.51.100.7' } })
  expect(skep.log.entries.find(({ message }) => message === 'request')?.fields.address).toBe(address)
})
