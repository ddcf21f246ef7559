import { describe, expect, setDefaultTimeout, test } from 'bun:test'
import { createRedisCommitSignals } from '../../src/adapters/redis/commit-signals.ts'
import type { UnitOfWork } from '../../src/application/ports/persistence.ts'
import { itemEvent } from '../support/events.ts'
import { needsRedisServer, openConnection, redisServer } from '../support/redis.ts'
import { startSkep, type TestSkep } from '../support/skep.ts'
import { openSocket } from '../support/socket.ts'
import { openStoreOf } from '../support/stack.ts'
import { until } from '../support/until.ts'

setDefaultTimeout(30_000)

const JWT_SECRET = 'a secret that only these tests know'

const readiness = async (skep: TestSkep) => {
  const { status, body } = await skep.call<{ status: string; checks: Record<string, string> }>('GET', '//health/ready')
  return { status, said: body.status, redis: body.checks.redis, database: body.checks.database }
}
const DEGRADED = { status: 200, said: 'degraded', redis: 'degraded', database: 'ok' }
const WELL = { status: 200, said: 'ok', redis: 'ok', database: 'ok' }
const untilReadiness = (skep: TestSkep, state: typeof WELL) =>
  until(async () => Bun.deepEquals(await readiness(skep), state))

const linesAbout = (skep: TestSkep, what: RegExp) => skep.log.entries.filter(({ message }) => what.test(message))

/** What another process on the same database would do, without a word to this one. */
const elsewhere = async (skep: TestSkep, work: Parameters<UnitOfWork['write']>[0]) => {
  const store = await openStoreOf(skep.dataDir)
  try {
    await store.write(work)
  } finally {
    await store.close()
  }
}

describe.skipIf(needsRedisServer !== '')(`a Skep with REDIS_URL${needsRedisServer}`, () => {
  test('is ready without Redis, says that it is degraded, and heals; one line in the log each way', async () => {
    const server = await redisServer()
    await server.start()
    const skep = await startSkep({ REDIS_URL: server.url, RATE_LIMIT: '1000/1m' })
    expect(await readiness(skep)).toEqual(WELL)
    await server.kill()
    await untilReadiness(skep, DEGRADED)
    const ann = await skep.member()
    for (let call = 0; call < 20; call++) {
      expect((await skep.call('GET', '/users/me', { token: ann.token })).status).toBe(200)
    }
    expect(linesAbout(skep, /Redis/)).toHaveLength(1)
    await server.start()
    await untilReadiness(skep, WELL)
    expect((await skep.call('GET', '/users/me', { token: ann.token })).status).toBe(200)
    expect(linesAbout(skep, /Redis/).map(({ level }) => level)).toEqual(['warn', 'info'])
  })

  test('starts while Redis is down', async () => {
    const server = await redisServer()
    const skep = await startSkep({ REDIS_URL: server.url })
    expect(await readiness(skep)).toEqual(DEGRADED)
    await server.start()
    await untilReadiness(skep, WELL)
  })

  test('shares its limits with all of the same secret, and with no other', async () => {
    const server = await redisServer()
    await server.start()
    const REDIS_URL = server.url
    const limited = { REDIS_URL, RATE_LIMIT: '10/1h' }
    const [one, other, stranger] = await Promise.all([
      startSkep({ ...limited, JWT_SECRET }),
      startSkep({ ...limited, JWT_SECRET }),
      startSkep(limited),
    ])
    const remaining = async (skep: TestSkep) =>
      Number((await skep.call('GET', '/users/me')).headers.get('ratelimit-remaining'))
    expect([await remaining(one), await remaining(other), await remaining(one)]).toEqual([9, 8, 7])
    expect(await remaining(stranger)).toBe(9)
    while ((await one.call('GET', '/users/me')).status !== 429);
    expect((await other.call('GET', '/users/me')).status).toBe(429)
    // Then each counts by itself.
    await server.kill()
    await untilReadiness(other, DEGRADED)
    expect((await other.call('GET', '/users/me')).status).toBe(401)
    expect(await remaining(other)).toBe(8)
  })

  test.each([
    ['with Redis', true],
    ['without', false],
  ])('a session ended elsewhere, of which no notice came, ends sockets and requests here too, %s', async (_, up) => {
    const server = await redisServer()
    if (up) await server.start()
    const skep = await startSkep({ REDIS_URL: server.url })
    const [ann, bob] = [await skep.member(), await skep.member()]
    const socket = await openSocket(skep.url, { token: ann.token })
    await using bobs = await openSocket(skep.url, { token: bob.token })
    await elsewhere(skep, (tx) => tx.sessions.deleteAll(ann.id, null))
    const ended = performance.now()
    expect(await socket.closed).toMatchObject({ code: 4401 })
    expect(performance.now() - ended).toBeLessThan(1_000)
    expect((await skep.call('GET', '/users/me', { token: ann.token })).status).toBe(401)
    // Others are not disturbed.
    await bobs.settled()
    expect(bobs.frames.filter(({ type }) => type !== 'pong').map(({ type }) => type)).toEqual(['ready'])
  })

  test('notifies the others of events and jobs, and is notified of theirs before it would poll', async () => {
    const server = await redisServer()
    await server.start()
    const skep = await startSkep({ REDIS_URL: server.url, JWT_SECRET })
    const { connection, namespace } = openConnection(server.url, JWT_SECRET)
    const other = createRedisCommitSignals(connection, namespace)
    const received = new Set<string>()
    await connection.start()
    other.subscribe((by) => void received.add(by))
    const ann = await skep.member()
    await until(() => received.has('jobs'))
    received.clear()
    const created = await skep.call<{ id: number }>('POST', '/items/', { token: ann.token, json: { title: 'here' } })
    const { id } = created.body
    await until(() => received.has('events'))

    await using socket = await openSocket(skep.url, { token: ann.token })
    await socket.subscribe('items')
    const began = performance.now()
    for (let round = 0; round < 10; round++) {
      await elsewhere(skep, async (tx) => {
        const item = await tx.records('items').findById(id)
        if (item === null) throw new Error('no item')
        const author = { actorId: ann.id, requestId: 'elsewhere', createdAt: Date.now() }
        await tx.events.append(itemEvent('updated', { ...item, title: `there ${round}` }, author))
      })
      other.publish('events')
      await socket.until(() => socket.events().some(({ data }) => data?.title === `there ${round}`))
    }
    // Looking once a second finds one of them a second.
    expect(performance.now() - began).toBeLessThan(5_000)
  })

  test('a demoted admin whose notice was lost receives no more events of others', async () => {
    const server = await redisServer()
    const skep = await startSkep({ REDIS_URL: server.url })
    const ann = await skep.member()
    const change = (role: 'admin' | 'user') =>
      elsewhere(skep, async (tx) => {
        const user = await tx.users.findById(ann.id)
        if (user !== null) await tx.users.update({ ...user, role })
      })
    await change('admin')
    await until(async () => (await skep.call('GET', '/users/', { token: ann.token })).status === 200)
    await using socket = await openSocket(skep.url, { token: ann.token })
    await socket.subscribe('items/all')
    await change('user')
    await socket.sees({ type: 'unsubscribed', topic: 'items/all' })
  })
})
