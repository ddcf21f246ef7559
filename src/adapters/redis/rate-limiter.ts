import type { RateLimiter } from '../../application/ports/security.ts'
import type { RedisLink } from './link.ts'
import type { Namespace } from './namespace.ts'
import { script } from './session.ts'

interface Deps {
  readonly link: RedisLink
  readonly namespace: Namespace
  /** Counts while Redis is down. */
  readonly fallback: RateLimiter
}

/**
 * Answers the count and the milliseconds left, by the clock of Redis. A key is there until its time has passed, not
 * reached: one millisecond less makes both ends of a window the same instant.
 */
const TAKE = script(`
  local count = redis.call('INCR', KEYS[1])
  local left = redis.call('PTTL', KEYS[1])
  if left < 0 then
    left = math.max(1, tonumber(ARGV[1]) - 1)
    redis.call('PEXPIRE', KEYS[1], left)
  end
  return { count, left + 1 }
`)

/** Of those who call often: a name takes longer to make than to find. */
const MOST_NAMES = 1_000

/** Counts for all processes together; while Redis is down, each for itself. */
export const createRedisRateLimiter = ({ link, namespace, fallback }: Deps): RateLimiter => {
  const names = new Map<string, string>()
  const keyOf = (key: string): string => {
    const known = names.get(key)
    if (known !== undefined) return known
    const name = namespace.hidden('limit', key)
    if (names.size >= MOST_NAMES) names.clear()
    names.set(key, name)
    return name
  }
  return {
    async take(key, rate) {
      if (!link.isUp()) return fallback.take(key, rate)
      try {
        const [count, resetIn] = (await link.run(TAKE, [keyOf(key)], [String(rate.window)])) as [number, number]
        const remaining = Math.max(0, rate.limit - count)
        return { allowed: count <= rate.limit, limit: rate.limit, remaining, resetIn }
      } catch {
        return fallback.take(key, rate)
      }
    },
    async clear(key) {
      await fallback.clear(key)
      // What cannot be cleared ends with its window.
      if (link.isUp()) await link.send('DEL', [keyOf(key)]).catch(() => {})
    },
  }
}
