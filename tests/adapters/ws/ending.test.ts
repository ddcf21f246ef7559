import { afterAll, describe, expect, test } from 'bun:test'
import { connect } from 'node:net'
import { createAccessTokens } from '../../../src/adapters/jwt/access-tokens.ts'
import { createFirstAdmin } from '../../support/admin.ts'
import { OF_ITEMS, readEvents } from '../../support/events.ts'
import { createMailbox, tokenIn } from '../../support/mail.ts'
import { type Member, signIn, startSkep } from '../../support/skep.ts'
import { openSocket, positionOf } from '../../support/socket.ts'
import { openStoreOf } from '../../support/stack.ts'

const JWT_SECRET = 'a secret that only these tests know'
/** What the server's clock is ahead of the machine's. */
let ahead = 0
const clock = { now: () => Date.now() + ahead }
const mailbox = createMailbox()
const skep = await startSkep({ JWT_SECRET }, { clock, mailer: mailbox })
const admin = await createFirstAdmin(skep)
const store = await openStoreOf(skep.dataDir)
afterAll(() => store.close())

const connected = (token: string) => openSocket(skep.url, { token })
const create = async ({ token }: Pick<Member, 'token'>, title = 'a title', more: object = {}) =>
  (await skep.call<{ id: number }>('POST', '/items/', { token, json: { title, ...more } })).body.id
const change = (id: number, json: object) => skep.call('PATCH', `/users/${id}`, { token: admin.token, json })

interface Session {
  readonly id: number
  readonly current: boolean
  readonly created_at: string
}
const currentSession = async ({ token }: Pick<Member, 'token'>) => {
  const { body } = await skep.call<{ items: Session[] }>('GET', '/auth/sessions', { token })
  const session = body.items.find(({ current }) => current)
  if (session === undefined) throw new Error('no session')
  return { sessionId: session.id, sessionCreatedAt: Date.parse(session.created_at) }
}
/** A token of this session that ends in 800 ms: they end at whole seconds, so the server's clock is set right before one. */
const shortToken = async (member: Member) => {
  const session = await currentSession(member)
  const expiresAt = Math.ceil(clock.now() / 1_000) * 1_000 + 1_000
  ahead += expiresAt - 800 - clock.now()
  return createAccessTokens(JWT_SECRET, clock).issue({ userId: member.id, ...session, expiresAt })
}

describe('the end of a token', () => {
  test('closes with 4401, at once', async () => {
    const ann = await skep.member()
    const socket = await connected(await shortToken(ann))
    const expiresAt = Date.parse((await socket.sees({ type: 'ready' })).expires_at ?? '')
    expect(await socket.closed).toMatchObject({ code: 4401 })
    expect(clock.now() - expiresAt).toBeWithin(-5, 1_000)
  })

  test('is extended by a new auth frame of the same user', async () => {
    const ann = await skep.member()
    const token = await shortToken(ann)
    await using socket = await connected(token)
    const neighbour = await connected(token)
    const before = Date.parse((await socket.sees({ type: 'ready' })).expires_at ?? '')
    await socket.subscribe('items')
    socket.send({ type: 'auth', token: ann.token, ref: 'more' })
    const { expires_at } = await socket.sees({ type: 'ready', ref: 'more' })
    expect(Date.parse(expires_at ?? '')).toBeGreaterThan(before)
    // The end of the first token has to pass.
    expect(await neighbour.closed).toMatchObject({ code: 4401 })
    await create(ann)
    await socket.sees({ event: 'item.created' })
  })

  test('is not extended by an invalid token or another user’s, and the connection stays', async () => {
    const ann = await skep.member()
    const bob = await skep.member()
    await using socket = await connected(ann.token)
    socket.send({ type: 'auth', token: 'wrong', ref: 'wrong' })
    expect(await socket.sees({ ref: 'wrong' })).toMatchObject({ type: 'error', code: 'invalid_token' })
    socket.send({ type: 'auth', token: bob.token, ref: 'other' })
    expect(await socket.sees({ ref: 'other' })).toMatchObject({ type: 'error', code: 'forbidden' })
    await socket.settled()
  })
})

describe('closes with 4401 at once', () => {
  /** What is answered once it is done, and must have closed the connection by then or in the next moment. */
  const endings: Readonly<Record<string, (member: Member) => Promise<{ status: number }>>> = {
    'at sign-out': (ann) => skep.call('POST', '/auth/revoke', { form: { token: ann.refreshToken } }),
    'when the session is ended': async (ann) =>
      skep.call('DELETE', `/auth/sessions/${(await currentSession(ann)).sessionId}`, { token: ann.token }),
    'when all sessions are ended': (ann) => skep.call('DELETE', '/auth/sessions', { token: ann.token }),
    'when the password is reset': async ({ email }) => {
      await mailbox.next(email)
      await skep.call('POST', '/auth/password/forgot', { json: { email } })
      const token = tokenIn(await mailbox.next(email))
      return skep.call('POST', '/auth/password/reset', { json: { token, password: 'a battery staple' } })
    },
    'when an admin deactivates the account': (ann) => change(ann.id, { is_active: false }),
    'when an admin ends all sessions of the user': (ann) =>
      skep.call('DELETE', `/users/${ann.id}/sessions`, { token: admin.token }),
    'when the account is deleted': (ann) =>
      skep.call('DELETE', '/users/me', { token: ann.token, json: { current_password: ann.password } }),
  }
  test.each(Object.entries(endings))('%s, and nothing more is received', async (_, end) => {
    const ann = await skep.member()
    const bob = await skep.member()
    const socket = await connected(ann.token)
    await using neighbour = await connected(bob.token)
    await socket.subscribe('items')
    await neighbour.subscribe('items')
    expect((await end(ann)).status).toBeLessThan(300)
    expect(await socket.closed).toMatchObject({ code: 4401 })
    await create(bob)
    await neighbour.sees({ event: 'item.created' })
    expect(socket.events()).toEqual([])
  })

  test('the sessions that a change of password ends, and not the one that made it', async () => {
    const ann = await skep.member()
    const other = await signIn(skep.call, ann)
    await using here = await connected(ann.token)
    const elsewhere = await connected(other.token)
    await here.subscribe('items')
    const json = { current_password: ann.password, new_password: 'another horse' }
    expect((await skep.call('POST', '/users/me/password', { token: ann.token, json })).status).toBe(204)
    expect(await elsewhere.closed).toMatchObject({ code: 4401 })
    await create(ann)
    await here.sees({ event: 'item.created' })
  })
})

describe('rights are checked at delivery', () => {
  test('a demoted admin receives nothing more of others, and still receives their own events', async () => {
    const ann = await skep.member()
    const bob = await skep.member()
    await change(ann.id, { role: 'admin' })
    await using socket = await connected(ann.token)
    await using witness = await connected(admin.token)
    const [bobs, anns] = [await create(bob), await create(ann)]
    for (const topic of ['items', 'items/all', `items/${bobs}`, `items/${anns}`]) await socket.subscribe(topic)
    await witness.subscribe('items/all')
    await create(bob, 'before')
    await socket.sees({ type: 'event', topic: 'items/all' })
    await change(ann.id, { role: 'user' })
    await socket.sees({ type: 'unsubscribed', topic: 'items/all' })
    await socket.sees({ type: 'unsubscribed', topic: `items/${bobs}` })
    await create(bob, 'secret')
    for (const [member, id] of [
      [bob, bobs],
      [ann, anns],
    ] as const) {
      await skep.call('PATCH', `/items/${id}`, { token: member.token, json: { title: 'changed' } })
    }
    await witness.until(() => witness.events().length >= 4)
    await socket.sees({ type: 'event', topic: `items/${anns}` })
    await socket.sees({ type: 'event', topic: 'items' })
    await socket.settled()
    expect(socket.events().map(({ topic, data }) => [topic, data?.owner_id])).toEqual([
      ['items/all', bob.id],
      ['items', ann.id],
      [`items/${anns}`, ann.id],
    ])
  })

  test('a new admin may subscribe to all events on the same connection, and loses nothing meanwhile', async () => {
    const ann = await skep.member()
    await using socket = await connected(ann.token)
    await socket.subscribe('items')
    const writes = Promise.all(Array.from({ length: 50 }, (_, n) => create(ann, `${n}`)))
    for (const role of ['admin', 'user', 'admin']) await change(ann.id, { role })
    await writes
    await socket.subscribe('items/all')
    await socket.until(() => socket.events().filter(({ topic }) => topic === 'items').length >= 50)
    await socket.settled()
    const cursors = socket.events().map(({ cursor }) => positionOf(cursor))
    expect(cursors).toEqual([...new Set(cursors)].sort((a, b) => a - b))
  })
})

test('events removed by retention are a gap, and the rest is replayed', async () => {
  const ann = await skep.member()
  await using socket = await connected(ann.token)
  const { cursor: start } = await socket.sees({ type: 'ready' })
  await create(ann, 'gone')
  await create(ann, 'left')
  const left = Number((await skepCursor()).at(-1))
  await removeBefore(left)
  const { gap, cursor } = await socket.subscribe('items', start)
  expect([gap, positionOf(cursor)]).toEqual([true, left - 1])
  expect((await socket.sees({ type: 'event' })).data).toMatchObject({ title: 'left' })
  await using exact = await connected(ann.token)
  expect(await exact.subscribe('items', cursor)).toMatchObject({ gap: false })
  await exact.sees({ type: 'event' })
})

const skepCursor = async (): Promise<readonly number[]> => {
  const events = await readEvents(store, { scope: OF_ITEMS })
  return events.map(({ position }) => position)
}

/** As retention does, one event after the other. */
const removeBefore = async (position: number) => {
  while ((await store.read((tx) => tx.events.bounds())).removed < position - 1) {
    await store.write((tx) => tx.events.deleteBefore(Number.MAX_SAFE_INTEGER, 1))
  }
}

test('the server closes every connection with 1001 when it stops, and stops at once', async () => {
  const other = await startSkep({ SHUTDOWN_TIMEOUT: '20s' })
  const { token } = await other.member()
  const sockets = await Promise.all([
    openSocket(other.url, { token }),
    openSocket(other.url, { token }),
    openSocket(other.url),
  ])
  const startedAt = performance.now()
  await other.close()
  expect(performance.now() - startedAt).toBeLessThan(5_000)
  for (const socket of sockets) expect(await socket.closed).toMatchObject({ code: 1001 })
})

/** A reader that signs in and then reads nothing until it is told to. */
const lazyReader = async (token: string) => {
  const { hostname, port } = new URL(skep.url)
  const socket = connect({ host: hostname, port: Number(port) })
  const upgrade = [
    'GET /ws/lazy HTTP/1.1',
    `Host: ${hostname}:${port}`,
    'Connection: Upgrade',
    'Upgrade: websocket',
    'Sec-WebSocket-Version: 13',
    'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
    `Authorization: Bearer ${token}`,
    '\r\n',
  ]
  let received = Buffer.alloc(0)
  const watchers = new Set<() => void>()
  socket.on('data', (part: Buffer) => {
    received = Buffer.concat([received, part])
    for (const watcher of watchers) watcher()
  })
  const sees = (text: string) =>
    new Promise<void>((resolve) => {
      const watcher = () => {
        if (received.includes(text)) resolve()
      }
      watchers.add(watcher)
      watcher()
    })
  socket.write(upgrade.join('\r\n'))
  await sees('"ready"')
  const frame = Buffer.from(JSON.stringify({ type: 'subscribe', topic: 'items' }))
  // RFC 6455 section 5.2, masked with zeros.
  socket.write(Buffer.concat([Buffer.from([0x81, 0x80 | frame.length, 0, 0, 0, 0]), frame]))
  await sees('"subscribed"')
  socket.pause()
  return {
    /** Everything from here to the end. */
    async rest() {
      const ended = Promise.withResolvers<void>()
      socket.on('end', ended.resolve)
      socket.on('close', ended.resolve)
      socket.resume()
      await ended.promise
      return received
    },
  }
}

test('a reader too slow for 1 MiB of backlog is closed with 4408, and its neighbour receives everything', async () => {
  const ann = await skep.member()
  const lazy = await lazyReader(ann.token)
  await using neighbour = await connected(ann.token)
  await neighbour.subscribe('items')
  const data = { filling: 'x'.repeat(16_000) }
  const operations = Array.from({ length: 50 }, (_, n) => ({ op: 'create', title: `${n}`, data }))
  // Beyond what the kernel holds for either side.
  const batches = 30
  for (let n = 0; n < batches; n++) await skep.call('POST', '/items/batch', { token: ann.token, json: { operations } })
  await neighbour.until(() => neighbour.events().length >= batches * 50)
  await neighbour.settled()
  expect(neighbour.events()).toHaveLength(batches * 50)
  const rest = await lazy.rest()
  const end = rest.lastIndexOf(Buffer.from([0x11, 0x38]))
  expect(end).toBeGreaterThan(rest.length - 64)
  expect(rest.subarray(end + 2).toString()).toBe('Too much waits to be read')
})

test('a replay larger than any backlog reaches a slow client', async () => {
  const ann = await skep.member()
  await using first = await connected(ann.token)
  const { cursor } = await first.sees({ type: 'ready' })
  const data = { filling: 'x'.repeat(16_000) }
  const operations = Array.from({ length: 50 }, (_, n) => ({ op: 'create', title: `${n}`, data }))
  for (let n = 0; n < 20; n++) await skep.call('POST', '/items/batch', { token: ann.token, json: { operations } })
  await using socket = await connected(ann.token)
  await socket.subscribe('items', cursor)
  await socket.until(() => socket.events().length >= 1_000)
  const cursors = socket.events().map((event) => positionOf(event.cursor))
  expect(cursors).toEqual([...new Set(cursors)].sort((a, b) => a - b))
  expect(cursors).toHaveLength(1_000)
})
