import { describe, expect, setDefaultTimeout, test } from 'bun:test'
import { createMemoryRateLimiter } from '../../../src/adapters/memory/rate-limiter.ts'
import { createRedisAccessNotices } from '../../../src/adapters/redis/access-notices.ts'
import { createRedisCommitSignals } from '../../../src/adapters/redis/commit-signals.ts'
import { createRedisRateLimiter } from '../../../src/adapters/redis/rate-limiter.ts'
import type { CommitSignal } from '../../../src/application/ports/messaging.ts'
import { needsRedisServer, openConnection, redisServer } from '../../support/redis.ts'
import { until } from '../../support/until.ts'

setDefaultTimeout(30_000)

const skip = needsRedisServer !== ''
const rate = { limit: 2, windowMs: 60_000 }

/** One for commands, one for subscriptions. */
const CONNECTIONS_PER_TRY_COUNT = 2

/** All that a process has of a Redis. */
const openProcess = (url: string, secret?: string) => {
  const { connection, namespace, log } = openConnection(url, secret)
  const fallback = createMemoryRateLimiter({ now: () => 0 })
  const limiter = createRedisRateLimiter({ connection, namespace, fallback })
  const notices = createRedisAccessNotices(connection, namespace)
  const signals = createRedisCommitSignals(connection, namespace)
  const noticed: number[] = []
  const received: CommitSignal[] = []
  notices.subscribe((userId) => void noticed.push(userId))
  signals.subscribe((by) => void received.push(by))
  return { connection, log, limiter, notices, signals, noticed, received }
}

const twoProcesses = async (url: string) => {
  const secret = crypto.randomUUID()
  const [one, other] = [openProcess(url, secret), openProcess(url, secret)]
  await Promise.all([one.connection.start(), other.connection.start()])
  return [one, other] as const
}

describe.skipIf(skip)(`the connection to Redis${needsRedisServer}`, () => {
  test('is up when the first attempt has ended, and logs nothing', async () => {
    const server = await redisServer()
    await server.start()
    const { connection, log } = openProcess(server.url)
    await connection.start()
    expect(connection.isUp()).toBe(true)
    expect(log.entries).toEqual([])
  })

  test('works through a Unix socket too', async () => {
    const server = await redisServer()
    await server.start()
    const { connection, limiter } = openProcess(server.unixUrl)
    await connection.start()
    expect(connection.isUp()).toBe(true)
    expect((await limiter.take('a', rate)).remaining).toBe(1)
  })

  test('may be down from the start: logs that once, and connects when Redis is available', async () => {
    const server = await redisServer()
    const { connection, log, limiter } = openProcess(server.url)
    await connection.start()
    expect(connection.isUp()).toBe(false)
    expect((await limiter.take('a', rate)).remaining).toBe(1)
    await server.refuse(4 * CONNECTIONS_PER_TRY_COUNT)
    expect(log.entries.map(({ level }) => level)).toEqual(['warn'])
    await server.start()
    await until(connection.isUp)
    expect(log.entries.map(({ level }) => level)).toEqual(['warn', 'info'])
  })

  test('recovers after each kill: channels are subscribed and scripts loaded again, with one log line each way', async () => {
    const server = await redisServer()
    await server.start()
    const [one, other] = await twoProcesses(server.url)
    for (const round of [1, 2, 3]) {
      await server.kill()
      await until(() => !one.connection.isUp() && !other.connection.isUp())
      await server.start()
      await until(() => one.connection.isUp() && other.connection.isUp())
      await one.notices.publish(round)
      await until(() => other.noticed.includes(round))
      expect((await one.limiter.take('a', rate)).remaining).toBe(1)
      expect((await other.limiter.take('a', rate)).remaining).toBe(0)
    }
    for (const { log } of [one, other]) {
      const lines = log.entries.map(({ level }) => level)
      expect(lines).toEqual(['warn', 'info', 'warn', 'info', 'warn', 'info'])
    }
    expect(one.noticed).toEqual([1, 2, 3])
    expect(other.noticed).toEqual([1, 2, 3])
  })

  test('signals events and jobs after a reconnect, since signals may have been lost', async () => {
    const server = await redisServer()
    await server.start()
    const { connection, received } = openProcess(server.url)
    await connection.start()
    received.length = 0
    await server.kill()
    await until(() => !connection.isUp())
    expect(received).toEqual([])
    await server.start()
    await until(connection.isUp)
    expect(received).toEqual(['events', 'jobs'])
  })

  test('is detected as dead when Redis stops responding; limits are counted in the process, and publishing works', async () => {
    const server = await redisServer()
    await server.start()
    const { connection, log, limiter, notices, signals, noticed } = openProcess(server.url)
    await connection.start()
    server.freeze()
    // What is asked before that is known gets its answer too.
    expect((await limiter.take('a', rate)).allowed).toBe(true)
    await notices.publish(5)
    expect(noticed).toEqual([5])
    signals.publish('jobs')
    await until(() => !connection.isUp())
    expect((await limiter.take('a', rate)).remaining).toBe(0)
    server.thaw()
    await until(connection.isUp)
    expect(log.entries.map(({ level }) => level)).toEqual(['warn', 'info'])
  })

  test('is detected as dead without any command', async () => {
    const server = await redisServer()
    await server.start()
    const { connection } = openProcess(server.url)
    await connection.start()
    server.freeze()
    await until(() => !connection.isUp())
    server.thaw()
  })

  test('is down while Redis accepts no writes', async () => {
    const server = await redisServer()
    await server.start()
    const { connection, log } = openProcess(server.url)
    await connection.start()
    await server.command('REPLICAOF', '127.0.0.1', '1')
    await until(() => !connection.isUp())
    expect(JSON.stringify(log.entries)).toContain('READONLY')
    await server.command('REPLICAOF', 'NO', 'ONE')
    await until(connection.isUp)
    expect(log.entries).toHaveLength(2)
  })

  test('works after Redis has lost all scripts', async () => {
    const server = await redisServer()
    await server.start()
    const { connection, limiter, log } = openProcess(server.url)
    await connection.start()
    await server.command('SCRIPT', 'FLUSH')
    expect((await limiter.take('a', rate)).remaining).toBe(1)
    expect(await server.command('KEYS', '*:limit:*')).toHaveLength(1)
    expect(connection.isUp()).toBe(true)
    expect(log.entries).toEqual([])
  })

  test('a wrong password is reported once, without the password', async () => {
    const server = await redisServer([], 'the-right-one')
    await server.start()
    const { connection, log } = openProcess(server.url.replace('the-right-one', 'hunter2'))
    await connection.start()
    await until(async () => {
      const refusals = /errorstat_WRONGPASS:count=(\d+)/.exec(String(await server.command('INFO', 'errorstats')))
      return Number(refusals?.[1] ?? 0) >= 4 * CONNECTIONS_PER_TRY_COUNT
    })
    expect(connection.isUp()).toBe(false)
    expect(log.entries).toHaveLength(1)
    expect(log.entries[0]).toMatchObject({ level: 'warn', fields: { reason: 'wrong user or password in REDIS_URL' } })
    expect(JSON.stringify(log.entries)).not.toMatch(/hunter2|the-right-one/)
  })

  test('a missing password is reported in the same words', async () => {
    const server = await redisServer([], 'the-right-one')
    await server.start()
    const { connection, log } = openProcess(server.url.replace(':the-right-one@', ''))
    await connection.start()
    expect(log.entries).toMatchObject([{ fields: { reason: 'wrong user or password in REDIS_URL' } }])
  })

  test('a user without the required permissions is reported', async () => {
    const server = await redisServer()
    await server.start()
    await server.command('ACL', 'SETUSER', 'skep', 'on', '>hunter2', '~*', '&*', '+@all', '-subscribe')
    const { connection, log } = openProcess(server.url.replace('redis://', 'redis://skep:hunter2@'))
    await connection.start()
    expect(log.entries).toMatchObject([{ level: 'warn', fields: { reason: expect.stringContaining('lacks rights') } }])
    expect(JSON.stringify(log.entries)).not.toContain('hunter2')
  })

  test('a user restricted to the names of Skep works', async () => {
    const server = await redisServer()
    await server.start()
    const rights = ['~skep:*', '&skep:*', '-@all', '+ping', '+hello', '+evalsha', '+eval', '+publish', '+subscribe']
    const inScripts = ['+set', '+incrby', '+pttl', '+pexpire', '+del']
    await server.command('ACL', 'SETUSER', 'skep', 'on', '>hunter2', ...rights, ...inScripts)
    const { connection, log, limiter } = openProcess(server.url.replace('redis://', 'redis://skep:hunter2@'))
    await connection.start()
    expect(log.entries).toEqual([])
    expect((await limiter.take('a', rate)).remaining).toBe(1)
    await limiter.clear('a')
    expect((await limiter.take('a', rate)).remaining).toBe(1)
    expect(connection.isUp()).toBe(true)
  })

  test('its keys do not reveal what was counted, and expire by themselves', async () => {
    const server = await redisServer()
    await server.start()
    const { connection, limiter } = openProcess(server.url)
    await connection.start()
    await limiter.take('sign-in:ann@example.com', rate)
    const keys = (await server.command('KEYS', '*')) as string[]
    expect(keys).toHaveLength(2)
    for (const key of keys) {
      expect(key).toMatch(/^skep:[\w-]{16}:(alive|limit:[\w-]{43})$/)
      expect(await server.command('PTTL', key)).toBeWithin(1, 60_001)
    }
  })

  test('has no open connection after it is stopped', async () => {
    const server = await redisServer()
    await server.start()
    const { connection } = openProcess(server.url)
    await connection.start()
    await connection.stop()
    // The only one is that of the question itself.
    await until(async () => /connected_clients:1\b/.test(String(await server.command('INFO', 'clients'))))
    expect(connection.isUp()).toBe(false)
  })

  test('leaves no connection behind in Redis, however often it was lost', async () => {
    const server = await redisServer()
    await server.start()
    const { connection } = openProcess(server.url)
    await connection.start()
    for (const _ of [1, 2, 3, 4, 5]) {
      await server.command('CLIENT', 'KILL', 'TYPE', 'pubsub')
      await until(() => !connection.isUp())
      await until(connection.isUp)
    }
    await until(async () => /connected_clients:3\b/.test(String(await server.command('INFO', 'clients'))))
  })
})
