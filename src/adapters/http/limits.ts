import type { Context } from 'elysia'
import type { Allowance, RateLimiter } from '../../application/ports/security.ts'
import { AppError } from '../../domain/errors.ts'
import type { Rate } from '../../domain/measures.ts'
import type { Principal } from '../../domain/session.ts'
import { addressGroup } from './client-address.ts'

type Headers = Context['set']['headers']

export interface Limits {
  /** Counts one request of a user or, before anyone signed in, of an address. Throws `too_many_requests`. */
  general(principal: Principal | null, address: () => string, headers: Headers): undefined | Promise<void>
  /** Counts one use of an endpoint that takes or gives credentials. Throws `too_many_requests`. */
  credentials(address: string, headers: Headers): undefined | Promise<void>
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

export const createLimits = ({ limiter, general, credentials }: Deps): Limits => {
  const take = (key: string, rate: Rate, headers: Headers): undefined | Promise<void> => {
    const allowance = limiter.take(key, rate)
    if (allowance instanceof Promise) return allowance.then((known) => tell(known, headers))
    tell(allowance, headers)
    return undefined
  }
  return {
    general(principal, address, headers) {
      if (general === 'off') return undefined
      const key = principal === null ? `address:${addressGroup(address())}` : `user:${principal.userId}`
      return take(key, general, headers)
    },
    credentials(address, headers) {
      if (credentials === 'off') return undefined
      return take(`credentials:${addressGroup(address)}`, credentials, headers)
    },
  }
}
