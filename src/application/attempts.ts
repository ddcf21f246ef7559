import { AppError } from '../domain/errors.ts'
import type { Rate } from '../domain/measures.ts'
import type { RateLimiter } from './ports/security.ts'

/** Guesses at one account's password, from wherever they come. */
export interface Attempts {
  /** Counts one guess. Throws `too_many_requests` past the limit. */
  count(account: string): Promise<void>
  /** A right guess clears the count. */
  succeeded(account: string): Promise<void>
}

export const createAttempts = (limiter: RateLimiter, rate: Rate | 'off'): Attempts => {
  const key = (account: string) => `account:${account}`
  return {
    async count(account) {
      if (rate === 'off') return
      const { allowed, resetIn } = await limiter.take(key(account), rate)
      if (allowed) return
      const retryAfter = Math.max(1, Math.ceil(resetIn / 1_000))
      throw new AppError('too_many_requests', 'Too many attempts on this account', { retryAfter })
    },
    async succeeded(account) {
      if (rate !== 'off') await limiter.clear(key(account))
    },
  }
}
