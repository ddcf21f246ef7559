import type { Context } from 'elysia'
import type { Allowance, RateLimiter } from '../../application/ports/security.ts'
import { AppError } from '../../domain/errors.ts'
import type { Rate } from '../../domain/measures.ts'
import type { Principal } from '../../domain/session.ts'
import { addressGroup } from './client-address.ts'

type Headers = Context['set']['headers']

export interface Limits {
  /** Counts one request of a user or, before anyone signed in, of an address. Throws `too_many_requests`. */
  general(principal: Principal | null, address: () => string, headers: Headers): Promise<void>
  /** Counts one use of an endpoint that takes or gives credentials. Throws `too_many_requests`. */
  credentials(address: string, headers: Headers): Promise<void>
}

interface Deps {
  readonly limiter: RateLimiter
  readonly general: Rate | 'off'
  readonly credentials: Rate | 'off'
}

const seconds = (milliseconds: number) => Math.max(1, Math.ceil(milliseconds / 1_000))

const tell = ({ allowed, limit, remaining, resetIn }: Allowance, headers: Headers): void => {
  headers['ratelimit-limit'] = limit
  headers['ratelimit-remaining'] = remaining
  headers['ratelimit-reset'] = seconds(resetIn)
  if (!allowed) throw new AppError('too_many_requests', 'Too many requests', { retryAfter: seconds(resetIn) })
}

export const createLimits = ({ limiter, general, credentials }: Deps): Limits => ({
  async general(principal, address, headers) {
    if (general === 'off') return
    const key = principal === null ? `address:${addressGroup(address())}` : `user:${principal.userId}`
    const allowance = limiter.take(key, general)
    tell(allowance instanceof Promise ? await allowance : allowance, headers)
  },
  async credentials(address, headers) {
    if (credentials === 'off') return
    tell(await limiter.take(`credentials:${addressGroup(address)}`, credentials), headers)
  },
})
