import { expect, test } from 'bun:test'
import { createMemoryRateLimiter } from '../../../src/adapters/memory/rate-limiter.ts'
import { createRedisAccessNotices } from '../../../src/adapters/redis/access-notices.ts'
import { createRedisCommitSignals } from '../../../src/adapters/redis/commit-signals.ts'
import type { Namespace } from '../../../src/adapters/redis/namespace.ts'
import { createRedisRateLimiter } from '../../../src/adapters/redis/rate-limiter.ts'
import { accessNoticesContract } from '../../contracts/access-notices.ts'
import { commitSignalsContract } from '../../contracts/commit-signals.ts'
import { rateLimiterContract } from '../../contracts/rate-limiter.ts'
import { anyRedis, needsRedis, openConnection, type TestConnection } from '../../support/redis.ts'

const skip = needsRedis !== ''
const url = skip ? '' : await anyRedis()

/** A limiter that must not be needed. */
const unused = createMemoryRateLimiter({
  now() {
    throw new Error('counted in this process')
  },
})

const limiterOn = async (secret: string) => {
  const { connection, namespace } = openConnection(url, secret)
  await connection.start()
  return { limiter: createRedisRateLimiter({ connection, namespace, fallback: unused }), namespace }
}

/** A time to live that is over removes the key. */
const AGE = `
  for _, key in ipairs(redis.call('KEYS', ARGV[1])) do
    local left = redis.call('PTTL', key)
    if left >= 0 then redis.call('PEXPIRE', key, left - tonumber(ARGV[2])) end
  end`

/** Lets time pass for the keys of a namespace, as the clock of the server does. */
const age = async (namespace: Namespace, milliseconds: number) => {
  const client = new Bun.RedisClient(url, { autoReconnect: false })
  try {
    await client.send('EVAL', [AGE, '0', `${namespace.name('')}*`, String(milliseconds)])
  } finally {
    client.close()
  }
}

/** As many processes of one installation, each with its own connection. */
const processes = async <T>(count: number, create: (of: TestConnection) => T): Promise<T[]> => {
  const secret = crypto.randomUUID()
  const connections = Array.from({ length: count }, () => openConnection(url, secret))
  const made = connections.map(create)
  await Promise.all(connections.map(({ connection }) => connection.start()))
  return made
}

const three = async <T>(create: (of: TestConnection) => T): Promise<[T, T, T]> => {
  const [first, second, third] = await processes(3, create)
  if (first === undefined || second === undefined || third === undefined) throw new Error('too few')
  return [first, second, third]
}

rateLimiterContract(
  `Redis${needsRedis}`,
  async () => {
    const { limiter, namespace } = await limiterOn(crypto.randomUUID())
    return { limiter, pass: (milliseconds) => age(namespace, milliseconds) }
  },
  skip,
)

accessNoticesContract(
  `Redis${needsRedis}`,
  () => three(({ connection, namespace }) => createRedisAccessNotices(connection, namespace)),
  { skip },
)

commitSignalsContract(
  `Redis${needsRedis}`,
  () => three(({ connection, namespace }) => createRedisCommitSignals(connection, namespace)),
  skip,
)

test.skipIf(skip)(`processes of one installation count together${needsRedis}`, async () => {
  const secret = crypto.randomUUID()
  const [{ limiter: one }, { limiter: other }] = await Promise.all([limiterOn(secret), limiterOn(secret)])
  const rate = { limit: 7, windowMs: 60_000 }
  const taken = await Promise.all(
    [one, other].flatMap((each) => Array.from({ length: 10 }, () => each.take('a', rate))),
  )
  expect(taken.filter(({ allowed }) => allowed)).toHaveLength(7)
  await one.clear('a')
  expect((await other.take('a', rate)).remaining).toBe(6)
})

test.skipIf(skip)(`two installations on one Redis have nothing in common${needsRedis}`, async () => {
  const rate = { limit: 1, windowMs: 60_000 }
  for (const { limiter } of [await limiterOn('one secret'.repeat(4)), await limiterOn('another secret'.repeat(4))]) {
    await limiter.clear('a')
    expect((await limiter.take('a', rate)).allowed).toBe(true)
  }
})
