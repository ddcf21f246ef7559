import { describe, expect, test } from 'bun:test'
import { sendRaw } from '../../support/raw-http.ts'
import { type Member, startSkep, type TestSkep } from '../../support/skep.ts'

const from = (address: string) => ({ 'x-forwarded-for': address })

describe('the general limit', async () => {
  /** Each test calls from an address of its own. */
  const skep = await startSkep({ RATE_LIMIT: '2/1m', TRUST_PROXY: '1' })

  test('answers 429 with Retry-After past the rate, and reports what remains before', async () => {
    const options = { headers: from('192.0.2.1') }
    const first = await skep.call('GET', '/users/me', options)
    expect(first.headers.get('ratelimit-limit')).toBe('2')
    expect(first.headers.get('ratelimit-remaining')).toBe('1')
    expect(Number(first.headers.get('ratelimit-reset'))).toBeWithin(1, 61)
    await skep.call('GET', '/users/me', options)
    const { status, headers, body } = await skep.call('GET', '/users/me', options)
    expect([status, body.code]).toEqual([429, 'too_many_requests'])
    expect(headers.get('retry-after')).toBe(headers.get('ratelimit-reset'))
    expect(headers.get('ratelimit-remaining')).toBe('0')
  })

  test('counts a signed-in user as one client, wherever they call from, and not with their neighbours', async () => {
    const ann = await skep.member()
    const bob = await skep.member()
    const statuses: number[] = []
    for (const address of ['192.0.2.2', '192.0.2.3', '192.0.2.4']) {
      const { status } = await skep.call('GET', '/users/me', { token: ann.token, headers: from(address) })
      statuses.push(status)
    }
    expect(statuses).toEqual([200, 200, 429])
    const neighbour = { token: bob.token, headers: from('192.0.2.2') }
    expect((await skep.call('GET', '/users/me', neighbour)).status).toBe(200)
  })

  test('counts unknown paths and doubled slashes like any other', async () => {
    const headers = from('192.0.2.5')
    await skep.call('GET', '/nothing', { headers })
    const head = 'Host: localhost\r\nX-Forwarded-For: 192.0.2.5\r\nConnection: close'
    await sendRaw(skep.url, `GET //api/v1/users/me HTTP/1.1\r\n${head}\r\n\r\n`)
    expect((await skep.call('GET', '/users/me', { headers })).status).toBe(429)
  })

  test('limits callers who guess tokens by address', async () => {
    const guess = (n: number) => skep.call('GET', '/users/me', { token: `eyJ.${n}.x`, headers: from('192.0.2.6') })
    expect([(await guess(1)).status, (await guess(2)).status, (await guess(3)).status]).toEqual([401, 401, 429])
  })

  test('leaves /health alone', async () => {
    for (const _ of [1, 2, 3]) {
      const { status, headers } = await skep.call('GET', '//health', { headers: from('192.0.2.7') })
      expect([status, headers.get('ratelimit-limit')]).toEqual([200, null])
    }
  })

  test('can be turned off', async () => {
    const unlimited = await startSkep({ RATE_LIMIT: 'off' })
    expect((await unlimited.call('GET', '/users/me')).headers.get('ratelimit-limit')).toBeNull()
  })
})

describe('addresses', async () => {
  const skep = await startSkep({ RATE_LIMIT: '1/1m', TRUST_PROXY: '1' })

  test('a forged X-Forwarded-For changes nothing without a trusted proxy', async () => {
    const bare = await startSkep({ RATE_LIMIT: '1/1m' })
    await bare.call('GET', '/users/me', { headers: from('192.0.2.1') })
    expect((await bare.call('GET', '/users/me', { headers: from('192.0.2.2') })).status).toBe(429)
  })

  test('behind one proxy only the entry it added counts', async () => {
    await skep.call('GET', '/users/me', { headers: from('6.6.6.6, 192.0.2.1') })
    expect((await skep.call('GET', '/users/me', { headers: from('7.7.7.7, 192.0.2.1') })).status).toBe(429)
    expect((await skep.call('GET', '/users/me', { headers: from('192.0.2.2') })).status).toBe(401)
  })

  test('an IPv6 subscriber is one client, whatever address of the /64 they use', async () => {
    await skep.call('GET', '/users/me', { headers: from('2001:db8:0:1::1') })
    expect((await skep.call('GET', '/users/me', { headers: from('2001:db8:0:1:ffff::2') })).status).toBe(429)
    expect((await skep.call('GET', '/users/me', { headers: from('2001:db8:0:2::1') })).status).toBe(401)
  })
})

describe('what a request costs', async () => {
  const open = () => startSkep({ RATE_LIMIT: '1000/1m' })
  const shared = await open()
  const costAt = async (skep: TestSkep, path: string, options: { method?: string; json?: object } = {}) => {
    const { token } = await skep.member()
    const before = Number((await skep.call('GET', '/users/me', { token })).headers.get('ratelimit-remaining'))
    const { headers } = await skep.call(options.method ?? 'GET', path, { token, json: options.json })
    return before - Number(headers.get('ratelimit-remaining'))
  }

  test.each<[string, number]>([
    ['/items/', 1],
    ['/items/?size=20', 1],
    ['/items/?size=21', 2],
    ['/items/?size=100&sort=title', 5],
    ['/items/?q=a', 5],
    ['/items/?q=', 1],
    ['/items/?size=100&q=letters', 9],
    ['/items/?size=1&size=100', 5],
    ['/items/?%73ize=100', 5],
    ['/files/?size=100', 5],
    ['/auth/sessions?size=100', 5],
  ])('%s counts as %d', async (path, cost) => {
    expect(await costAt(shared, path)).toBe(cost)
  })

  test('a path that does not exist counts as much, by address', async () => {
    expect(await costAt(await open(), '/nothing?size=100')).toBe(5)
  })

  test('a batch counts each of its operations', async () => {
    const operations = Array(25).fill({ op: 'create', title: 'x' })
    expect(await costAt(shared, '/items/batch', { method: 'POST', json: { operations } })).toBe(25)
  })

  test('a batch of more than is left is refused whole, and the limit says why if it never can be', async () => {
    const limited = await startSkep({ RATE_LIMIT: '10/1m' })
    const { token } = await limited.member()
    const batch = (count: number) =>
      limited.call('POST', '/items/batch', {
        token,
        json: { operations: Array(count).fill({ op: 'create', title: 'x' }) },
      })
    const never = await batch(20)
    expect([never.status, never.body.code]).toEqual([429, 'too_many_requests'])
    expect(String(never.body.detail)).toContain('10 are allowed')
    expect((await limited.call('GET', '/items/', { token })).body.total).toBe(0)
    expect((await batch(5)).status).toBe(200)
  })
})

describe('the ceiling over all users', () => {
  const open = async (count: number) => {
    const skep = await startSkep({ RATE_LIMIT: '20/1m', TRUST_PROXY: '1' })
    const members: Member[] = []
    for (let n = 0; n < count; n++) members.push(await skep.member())
    /** How many of these calls, each by the next member, were let through. */
    const allowed = async (calls: number, addressOf: (n: number) => string) => {
      let passed = 0
      for (let n = 0; n < calls; n++) {
        const token = members[n % count]?.token
        const { status } = await skep.call('GET', '/users/me', { token, headers: from(addressOf(n)) })
        if (status === 200) passed++
      }
      return passed
    }
    return { skep, allowed }
  }

  test('of one address is four times the limit of each', async () => {
    const { skep, allowed } = await open(6)
    expect(await allowed(120, () => '192.0.2.1')).toBe(80)
    expect((await skep.call('GET', '/users/me', { headers: from('192.0.2.2') })).status).toBe(401)
  })

  test.each<[string, number, (n: number) => string]>([
    ['/56', 160, (n) => `2001:db8:0:1${(n % 256).toString(16).padStart(2, '0')}::1`],
    ['/48', 320, (n) => `2001:db8:0:${((n * 256) % 65_536).toString(16)}::1`],
  ])('of an IPv6 %s is %d, however many networks it is cut into', async (_, ceiling, addressOf) => {
    const { allowed } = await open(18)
    expect(await allowed(360, addressOf)).toBe(ceiling)
  })

  test('of an IPv6 /48 bounds callers without a token too', async () => {
    const skep = await startSkep({ RATE_LIMIT: '1/1m', TRUST_PROXY: '1' })
    const statuses: number[] = []
    for (let n = 0; n < 20; n++) {
      const headers = from(`2001:db8:0:${(n * 256).toString(16)}::1`)
      statuses.push((await skep.call('GET', '/users/me', { headers })).status)
    }
    expect(statuses.filter((status) => status === 401)).toHaveLength(16)
  })

  test('bounds credentials too', async () => {
    const skep = await startSkep({ RATE_LIMIT_AUTH: '1/1m', TRUST_PROXY: '1' })
    const statuses: number[] = []
    for (let n = 0; n < 6; n++) {
      const form = { username: `nobody${n}@example.com`, password: 'wrong' }
      const headers = from(`2001:db8:0:1${n}::1`)
      statuses.push((await skep.call('POST', '/auth/token', { form, headers })).status)
    }
    expect(statuses).toEqual([400, 400, 400, 400, 429, 429])
  })

  test('of an address applies to passwords that several accounts send in their own requests', async () => {
    const skep = await startSkep({ RATE_LIMIT_AUTH: '8/1m', TRUST_PROXY: '1' })
    const members = [await skep.member(), await skep.member(), await skep.member()]
    const statuses: number[] = []
    for (let n = 0; n < 12; n++) {
      const json = { email: `other${n}@example.com`, current_password: 'wrong' }
      const { status } = await skep.call('PATCH', '/users/me', {
        token: members[n % 3]?.token,
        json,
        headers: from('192.0.2.1'),
      })
      statuses.push(status)
    }
    expect(statuses.filter((status) => status === 400)).toHaveLength(8)
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

  test('counts guesses at one account from one source, in any spelling of both', async () => {
    const skep = await startSkep({ RATE_LIMIT_AUTH: '3/1m', TRUST_PROXY: '1' })
    const ann = await skep.member()
    const guess = (address: string, username = ann.email) =>
      skep.call('POST', '/auth/token', { form: { username, password: 'wrong' }, headers: from(address) })
    for (const host of ['1', '2', '3']) expect((await guess(`2001:db8:0:1::${host}`)).status).toBe(400)
    expect((await guess('2001:DB8::1:0:0:0:4', ann.email.toUpperCase())).status).toBe(429)
  })

  test('counts guesses at one account over all sources, with a higher limit', async () => {
    const skep = await startSkep({ RATE_LIMIT_AUTH: '2/1m', TRUST_PROXY: '1' })
    const ann = await skep.member()
    const guess = (n: number) =>
      skep.call('POST', '/auth/token', {
        form: { username: ann.email, password: 'wrong' },
        headers: from(`192.0.2.${n}`),
      })
    const statuses: number[] = []
    for (let n = 0; n < 12; n++) statuses.push((await guess(n)).status)
    expect(statuses).toEqual([...Array(10).fill(400), 429, 429])
  })

  test('a correct password resets the account’s count', async () => {
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
