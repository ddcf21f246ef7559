import type { RateLimiter } from '../../application/ports/security.ts'
import type { Rate } from '../../domain/measures.ts'
import type { RedisConnection } from './connection.ts'
import type { Namespace } from './namespace.ts'
import { script } from './session.ts'

interface Deps {
  readonly connection: RedisConnection
  readonly namespace: Namespace
  /** Counts while Redis is down. */
  readonly fallback: RateLimiter
}

/**
 * Takes three arguments per key: window, limit and cost. Returns whether it was allowed (1 or 0), the count and the
 * remaining milliseconds, by the clock of Redis. Redis removes a key after its time has passed, not when it is reached,
 * so it is set one millisecond shorter.
 */
const TAKE = script(`
  local answers = {}
  for at, key in ipairs(KEYS) do
    local window, limit, cost = tonumber(ARGV[3 * at - 2]), tonumber(ARGV[3 * at - 1]), tonumber(ARGV[3 * at])
    local count = redis.call('INCRBY', key, cost)
    local allowed = count <= limit and 1 or 0
    if allowed == 0 then count = redis.call('INCRBY', key, -cost) end
    local left = redis.call('PTTL', key)
    if left < 0 then
      left = math.max(1, window - 1)
      redis.call('PEXPIRE', key, left)
    end
    answers[at] = { allowed, count, left + 1 }
  end
  return answers
`)

/** A cache for frequent callers: deriving a name takes longer than a look-up. */
const MAX_NAMES_COUNT = 1_000
/** Up to this number of running scripts, requests are not batched. */
const MAX_SCRIPTS_COUNT = 4
/** In one script, during which Redis does nothing else. */
const MAX_KEYS_COUNT = 100

interface Count {
  readonly allowed: boolean
  readonly count: number
  readonly resetInMs: number
}

interface Asked extends PromiseWithResolvers<Count> {
  readonly key: string
  readonly rate: Rate
  readonly cost: number
}

/**
 * Counts for all processes together. While {@link MAX_SCRIPTS_COUNT} scripts are running, requests share the next one.
 * While Redis is down, each process counts separately.
 */
export const createRedisRateLimiter = ({ connection, namespace, fallback }: Deps): RateLimiter => {
  const names = new Map<string, string>()
  const keyOf = (key: string): string => {
    const known = names.get(key)
    if (known !== undefined) return known
    const name = namespace.hidden('limit', key)
    if (names.size >= MAX_NAMES_COUNT) names.clear()
    names.set(key, name)
    return name
  }

  const ask = async (batch: readonly Asked[]): Promise<void> => {
    try {
      const keys = batch.map(({ key }) => keyOf(key))
      const args = batch.flatMap(({ rate, cost }) => [rate.windowMs, rate.limit, cost].map(String))
      const answers = (await connection.run(TAKE, keys, args)) as readonly (readonly [number, number, number])[]
      for (const [at, [allowed, count, resetInMs]] of answers.entries()) {
        batch[at]?.resolve({ allowed: allowed === 1, count, resetInMs })
      }
    } catch (error) {
      for (const { reject } of batch) reject(error)
    }
  }

  const waiting: Asked[] = []
  let underWay = 0
  let planned = false
  const send = (): void => {
    planned = false
    if (waiting.length === 0 || underWay >= MAX_SCRIPTS_COUNT) return
    underWay++
    void ask(waiting.splice(0, MAX_KEYS_COUNT)).finally(() => {
      underWay--
      send()
    })
  }

  const counted = (key: string, rate: Rate, cost: number): Promise<Count> => {
    const asked = { key, rate, cost, ...Promise.withResolvers<Count>() }
    waiting.push(asked)
    // A request is counted under several keys: they share a script.
    if (!planned) queueMicrotask(send)
    planned = true
    return asked.promise
  }

  return {
    async take(key, rate, cost = 1) {
      if (!connection.isUp()) return fallback.take(key, rate, cost)
      try {
        const { allowed, count, resetInMs } = await counted(key, rate, cost)
        return { allowed, limit: rate.limit, remaining: Math.max(0, rate.limit - count), resetInMs }
      } catch {
        return fallback.take(key, rate, cost)
      }
    },
    async clear(key) {
      await fallback.clear(key)
      // If it cannot be cleared, the count ends with its window.
      if (connection.isUp()) await connection.send('DEL', [keyOf(key)]).catch(() => {})
    },
  }
}
