import { afterAll, expect, test } from 'bun:test'
import { createEventLoopSlices } from '../../../src/adapters/bun/event-loop-slices.ts'
import { createAccessTokens } from '../../../src/adapters/jwt/access-tokens.ts'
import { createMemoryAccessNotices } from '../../../src/adapters/memory/access-notices.ts'
import { createMemorySocketSlots } from '../../../src/adapters/memory/socket-slots.ts'
import type { Connection } from '../../../src/adapters/ws/connection.ts'
import { createSockets } from '../../../src/adapters/ws/sockets.ts'
import { createAccess } from '../../../src/application/access.ts'
import type { UnitOfWork } from '../../../src/application/ports/persistence.ts'
import { AppError } from '../../../src/domain/errors.ts'
import { createTestRealtime } from '../../support/realtime.ts'
import { recordingLog } from '../../support/skep.ts'
import { openSocket } from '../../support/socket.ts'
import { openTestStore, userNamed } from '../../support/store.ts'

const clock = { now: () => Date.now() }
const AWAY = new AppError('unavailable', 'The database is not available')

/** The sockets of a server, on a database that fails when it is told to. */
const open = async () => {
  const { store } = openTestStore()
  let failure: Error | null = null
  const unitOfWork: UnitOfWork = {
    write: store.write,
    async read(work) {
      if (failure !== null) throw failure
      return store.read(work)
    },
  }
  const accessTokens = createAccessTokens('a secret that only these tests know', clock)
  const notices = createMemoryAccessNotices()
  const log = recordingLog()
  const sockets = createSockets({
    slots: createMemorySocketSlots(),
    maxSocketsPerUser: 20,
    realtime: createTestRealtime(unitOfWork, log),
    access: createAccess({ unitOfWork, accessTokens, notices, clock }),
    auditReads: { note: () => undefined },
    notices,
    clock,
    log,
    slices: createEventLoopSlices(),
    metrics: { eventSeen() {}, eventDelivered() {} },
    toBody() {
      throw new Error('nothing happens here')
    },
    toRecordBody() {
      throw new Error('nothing happens here')
    },
  })
  await sockets.start()
  const server = Bun.serve<Connection>({
    hostname: '127.0.0.1',
    port: 0,
    fetch(request, self) {
      const token = request.headers.get('authorization')?.replace('Bearer ', '') ?? null
      return self.upgrade(request, { data: sockets.connect('client', token, { requestId: 'test', address: '' }) })
        ? undefined
        : new Response()
    },
    websocket: sockets.handlers,
  })
  sockets.publishTo(server)
  afterAll(async () => {
    await sockets.stop()
    await server.stop(true)
  })
  const expiresAt = Date.now() + 3_600_000
  const session = await store.write(async (tx) => {
    const user = await tx.users.insert(userNamed('ann'))
    return tx.sessions.insert({
      userId: user.id,
      device: '',
      address: '',
      createdAt: 1,
      lastUsedAt: 1,
      expiresAt,
    })
  })
  const { userId } = session
  return {
    url: `http://127.0.0.1:${server.port}`,
    token: await accessTokens.issue({
      userId,
      sessionId: session.id,
      sessionCreatedAt: session.createdAt,
      expiresAt,
    }),
    fail: (by: Error | null) => {
      failure = by
    },
    publishRightsChange: () => notices.publish(userId),
    /** What was said of sockets; that the log of changes cannot be read is said beside. */
    said: () =>
      log.entries.filter(({ message }) => message.startsWith('realtime')).map(({ level, message }) => [level, message]),
  }
}

test('a sign-in with the upgrade while the database is unavailable is closed with 1013, without an error in the log', async () => {
  const { url, token, fail, said } = await open()
  fail(AWAY)
  const socket = await openSocket(url, { headers: { authorization: `Bearer ${token}` } })
  expect(await socket.closed).toEqual({ code: 1013, reason: 'Try again later' })
  expect(said()).toEqual([['warn', 'realtime connection closed']])
})

test('a connection that cannot be reauthorized while the database is away is closed with 1013', async () => {
  const { url, token, fail, publishRightsChange, said } = await open()
  const socket = await openSocket(url, { token })
  await socket.subscribe('items')
  fail(AWAY)
  await publishRightsChange()
  expect(await socket.closed).toMatchObject({ code: 1013 })
  expect(said()).toEqual([['warn', 'realtime connection closed']])
})

test('a frame that needs the database while it is unavailable is refused, and may be sent again on the same connection', async () => {
  const { url, token, fail, said } = await open()
  await using socket = await openSocket(url)
  fail(AWAY)
  socket.send({ type: 'auth', token, ref: 'one' })
  await socket.sees({ type: 'error', ref: 'one', code: 'unavailable' })
  fail(null)
  socket.send({ type: 'auth', token, ref: 'two' })
  await socket.sees({ type: 'ready', ref: 'two' })
  fail(AWAY)
  socket.send({ type: 'subscribe', topic: 'items', ref: 'three' })
  await socket.sees({ type: 'error', ref: 'three', code: 'unavailable' })
  fail(null)
  expect(await socket.subscribe('items')).toMatchObject({ gap: false })
  expect(said()).toEqual([
    ['warn', 'realtime frame refused'],
    ['warn', 'realtime frame refused'],
  ])
})

test('any other failure closes with 1011 and is an error in the log', async () => {
  const { url, token, fail, publishRightsChange, said } = await open()
  const socket = await openSocket(url, { token })
  fail(new Error('a defect'))
  await publishRightsChange()
  expect(await socket.closed).toMatchObject({ code: 1011 })
  expect(said()).toEqual([['error', 'realtime connection failed']])
})
