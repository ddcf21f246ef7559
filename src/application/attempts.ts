import { AppError } from '../domain/errors.ts'
import type { Rate } from '../domain/measures.ts'
import type { RateLimiter } from './ports/security.ts'

/** What is counted, each by itself: nobody's sign-ins use up what someone else may do in a session they have. */
export type Attempted = 'sign-in' | 'current password' | 'new address' | 'verification' | 'forgotten password'

/** Tries at something of one account, from wherever they come. */
export interface Attempts {
  /** Counts one try. Throws `too_many_requests` past the limit. */
  count(attempted: Attempted, account: string | number): Promise<void>
  /** A right guess clears the count. */
  succeeded(attempted: Attempted, account: string | number): Promise<void>
}

export const createAttempts = (limiter: RateLimiter, rate: Rate | 'off'): Attempts => {
  const key = (attempted: Attempted, account: string | number) => `${attempted}:${account}`
  return {
    async count(attempted, account) {
      if (rate === 'off') return
      const { allowed, resetIn } = await limiter.take(key(attempted, account), rate)
      if (allowed) return
      const retryAfter = Math.max(1, Math.ceil(resetIn / 1_000))
      throw new AppError('too_many_requests', 'Too many attempts on this account', { retryAfter })
    },
    async succeeded(attempted, account) {
      if (rate !== 'off') await limiter.clear(key(attempted, account))
    },
  }
}
