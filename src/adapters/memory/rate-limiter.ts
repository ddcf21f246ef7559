import type { RateLimiter } from '../../application/ports/security.ts'
import type { Clock } from '../../application/ports/system.ts'

interface Window {
  count: number
  endsAt: number
}

const MAX_KEYS_COUNT = 200_000

/** Counts only in this process. The oldest key is dropped when there are too many. */
export const createMemoryRateLimiter = (clock: Clock): RateLimiter => {
  const windows = new Map<string, Window>()
  let sweepAt = 0

  const sweep = (now: number) => {
    for (const [key, window] of windows) if (window.endsAt <= now) windows.delete(key)
    sweepAt = now + 60_000
  }

  const open = (key: string, now: number, length: number): Window => {
    if (now >= sweepAt) sweep(now)
    if (windows.size >= MAX_KEYS_COUNT) {
      const [oldest] = windows.keys()
      if (oldest !== undefined) windows.delete(oldest)
    }
    const window = { count: 0, endsAt: now + length }
    windows.delete(key)
    windows.set(key, window)
    return window
  }

  return {
    take(key, rate, cost = 1) {
      const now = clock.now()
      const known = windows.get(key)
      const window = known !== undefined && known.endsAt > now ? known : open(key, now, rate.windowMs)
      const allowed = window.count + cost <= rate.limit
      if (allowed) window.count += cost
      return {
        allowed,
        limit: rate.limit,
        remaining: Math.max(0, rate.limit - window.count),
        resetInMs: window.endsAt - now,
      }
    },
    clear(key) {
      windows.delete(key)
    },
  }
}
