import { describe, expect, test } from 'bun:test'
import { createFirstAdmin } from '../../support/admin.ts'
import { startSkep } from '../../support/skep.ts'
import { openSocket } from '../../support/socket.ts'

const skep = await startSkep({ CORS_ORIGINS: 'https://friend.example.com', PUBLIC_URL: 'https://skep.example.com' })
const admin = await createFirstAdmin(skep)

const UPGRADE = {
  connection: 'Upgrade',
  upgrade: 'websocket',
  'sec-websocket-version': '13',
  'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
}
/** The answer to an upgrade that is refused. */
const refused = (path: string, headers: Readonly<Record<string, string>> = {}, token?: string) =>
  skep.call('GET', `//ws/${path}`, { headers: { ...UPGRADE, ...headers }, token })

describe('the upgrade', () => {
  test.each(['a', 'A-z_09', 'x'.repeat(64)])('takes the client id %p', async (clientId) => {
    const { token } = await skep.member()
    await using socket = await openSocket(skep.url, { clientId, token })
    expect(await socket.sees({ type: 'ready' })).toMatchObject({ client_id: clientId })
  })

  test.each(['a.b', 'x'.repeat(65), 'a%20b', '%C3%A9'])('refuses the client id %p with 422', async (clientId) => {
    expect(await refused(clientId)).toMatchObject({ status: 422, body: { code: 'validation_failed' } })
  })

  test.each(['', 'a/b'])('knows no path /ws/%s', async (path) => {
    expect((await refused(path)).status).toBe(404)
  })

  test.each(['https://friend.example.com', 'https://skep.example.com', skep.url])(
    'lets pages of %s connect',
    async (origin) => {
      const { token } = await skep.member()
      await using socket = await openSocket(skep.url, { headers: { origin }, token })
      await socket.settled()
    },
  )

  test.each([
    'https://foe.example.com',
    'https://friend.example.com.foe.example.com',
    'http://skep.example.com',
    'null',
    '',
  ])('refuses pages of %p with 403', async (origin) => {
    expect(await refused('a', { origin })).toMatchObject({ status: 403, body: { code: 'forbidden' } })
  })

  test('lets pages of any origin connect when CORS_ORIGINS is *', async () => {
    const open = await startSkep({ CORS_ORIGINS: '*' })
    const { token } = await open.member()
    await using socket = await openSocket(open.url, { headers: { origin: 'https://foe.example.com' }, token })
    await socket.settled()
  })

  test('refuses a wrong token with 401, and a switched-off account with 400', async () => {
    expect(await refused('a', {}, 'wrong')).toMatchObject({ status: 401, body: { code: 'invalid_token' } })
    const { id, token } = await skep.member()
    await skep.call('PATCH', `/users/${id}`, { token: admin.token, json: { is_active: false } })
    expect(await refused('a', {}, token)).toMatchObject({ status: 400, body: { code: 'inactive_user' } })
  })

  test('answers a plain request with 426', async () => {
    const answer = await skep.call('GET', '//ws/a')
    expect(answer).toMatchObject({ status: 426, body: { code: 'upgrade_required' } })
    expect(answer.headers.get('upgrade')).toBe('websocket')
  })

  test('is logged like every request, and never with a token', async () => {
    const { id, token } = await skep.member()
    await using socket = await openSocket(skep.url, { token, headers: { 'x-request-id': 'upgrade-1' } })
    await socket.settled()
    const entry = skep.log.entries.find(({ fields }) => fields.request_id === 'upgrade-1')
    expect(entry?.fields).toMatchObject({ method: 'GET', route: '/ws/:client_id', status: 101, user_id: id })
    expect(JSON.stringify(skep.log.entries)).not.toContain(token)
  })

  test('is counted by the rate limit', async () => {
    const limited = await startSkep({ RATE_LIMIT: '4/1m' })
    const upgrade = () => limited.call('GET', '//ws/a', { headers: { ...UPGRADE, origin: 'https://foe.example.com' } })
    const statuses = [await upgrade(), await upgrade(), await upgrade(), await upgrade(), await upgrade()]
    expect(statuses.map(({ status }) => status)).toEqual([403, 403, 403, 403, 429])
  })
})

describe('signing in', () => {
  test('by header: ready comes unasked', async () => {
    const { id, token } = await skep.member()
    await using socket = await openSocket(skep.url, { token })
    const [ready] = socket.frames
    expect(ready).toEqual({
      type: 'ready',
      client_id: 'client',
      user_id: id,
      expires_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
      cursor: expect.stringMatching(/^[0-9a-z]+\.\d+$/),
    })
    expect(Date.parse(ready?.expires_at ?? '') - Date.now()).toBeWithin(14 * 60_000, 15 * 60_000 + 1_000)
  })

  test('by a first frame, whose ref is echoed', async () => {
    const { id, token } = await skep.member()
    await using socket = await openSocket(skep.url)
    socket.send({ type: 'auth', token, ref: 'one' })
    expect(await socket.sees({ type: 'ready' })).toMatchObject({ user_id: id, ref: 'one' })
  })

  test('the cursor of the first connection is after what was committed before', async () => {
    const quiet = await startSkep()
    const { token } = await quiet.member()
    const create = (title: string) => quiet.call('POST', '/items/', { token, json: { title } })
    await create('before')
    await using socket = await openSocket(quiet.url, { token })
    const { cursor } = await socket.sees({ type: 'ready' })
    await socket.subscribe('items', cursor)
    await create('after')
    await socket.until(() => socket.events().some(({ data }) => data?.title === 'after'))
    expect(socket.events().map(({ data }) => data?.title)).toEqual(['after'])
  })

  test('frames may follow the first without waiting for the reply', async () => {
    const { token } = await skep.member()
    await using socket = await openSocket(skep.url)
    socket.send({ type: 'auth', token })
    socket.send({ type: 'subscribe', topic: 'items' })
    socket.send({ type: 'ping' })
    await socket.sees({ type: 'pong' })
    expect(socket.frames.map(({ type }) => type)).toEqual(['ready', 'subscribed', 'pong'])
  })

  test('a wrong token closes with 4401', async () => {
    const socket = await openSocket(skep.url)
    socket.send({ type: 'auth', token: 'wrong' })
    expect(await socket.closed).toMatchObject({ code: 4401 })
  })

  test('any other frame of the protocol before it closes with 4401', async () => {
    const socket = await openSocket(skep.url)
    socket.send({ type: 'subscribe', topic: 'items' })
    expect(await socket.closed).toMatchObject({ code: 4401 })
    expect(socket.frames).toEqual([])
  })

  test('not doing so in time closes with 4401', async () => {
    const hasty = await startSkep({}, { socketDurations: { signInMs: 50 } })
    const socket = await openSocket(hasty.url)
    expect(await socket.closed).toMatchObject({ code: 4401, reason: 'Nobody signed in in time' })
  })

  test('a connection that signed in in time stays open', async () => {
    const signInMs = 500
    const hasty = await startSkep({}, { socketDurations: { signInMs } })
    const { token } = await hasty.member()
    await using socket = await openSocket(hasty.url, { token })
    // Closed in its time, this one opened later than the other.
    expect(await (await openSocket(hasty.url)).closed).toMatchObject({ code: 4401 })
    await socket.settled()
  })

  test('the 21st connection of a user is closed with 4429, and a closed one makes room', async () => {
    const { token } = await skep.member()
    const sockets = await Promise.all(Array.from({ length: 20 }, () => openSocket(skep.url, { token })))
    const late = await openSocket(skep.url)
    late.send({ type: 'auth', token })
    expect(await late.closed).toMatchObject({ code: 4429 })
    const [first, ...rest] = sockets
    await first?.[Symbol.asyncDispose]()
    await using again = await openSocket(skep.url, { token })
    await again.settled()
    for (const socket of rest) await socket[Symbol.asyncDispose]()
  })
})
