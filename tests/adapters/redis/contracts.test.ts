import { expect, test } from 'bun:test'
import { createMemoryRateLimiter } from '../../../src/adapters/memory/rate-limiter.ts'
import { createRedisAccessNotices } from '../../../src/adapters/redis/access-notices.ts'
import { createRedisCommitSignals } from '../../../src/adapters/redis/commit-signals.ts'
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
  return createRedisRateLimiter({ connection, namespace, fallback: unused })
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
  async () => ({
    limiter: await limiterOn(crypto.randomUUID()),
    // The clock is the server's: there is nothing to do but wait, and a little more for its last millisecond.
    pass: (milliseconds) => Bun.sleep(milliseconds + 2),
  }),
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
  const limiters = await Promise.all([limiterOn(secret), limiterOn(secret)])
  const rate = { limit: 7, windowMs: 60_000 }
  const taken = await Promise.all(limiters.flatMap((one) => Array.from({ length: 10 }, () => one.take('a', rate))))
  expect(taken.filter(({ allowed }) => allowed)).toHaveLength(7)
  await limiters[0].clear('a')
  expect((await limiters[1].take('a', rate)).remaining).toBe(6)
})

test.skipIf(skip)(`two installations on one Redis have nothing in common${needsRedis}`, async () => {
  const rate = { limit: 1, windowMs: 60_000 }
  for (const limiter of [await limiterOn('one secret'.repeat(4)), await limiterOn('another secret'.repeat(4))]) {
    await limiter.clear('a')
    expect((await limiter.take('a', rate)).allowed).toBe(true)
  }
})
