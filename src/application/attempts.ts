import { AppError } from '../domain/errors.ts'
import type { Rate } from '../domain/measures.ts'
import { networksOf } from '../domain/network.ts'
import type { User } from '../domain/user.ts'
import type { UnitOfWork } from './ports/persistence.ts'
import type { RateLimiter } from './ports/security.ts'

/** What is counted, each separately: failed sign-ins do not use up the attempts of an existing session. */
export type AttemptKind = 'sign-in' | 'current password' | 'new address' | 'verification' | 'forgotten password'

/** One attempt at a credential or a limited action of an account. */
export interface Attempt {
  readonly kind: AttemptKind
  /** How the account was named, whether there is such a one or not. */
  readonly account: string | number
  /** Whose account it is: null when there is none, absent where nothing is guessed. */
  readonly user?: Pick<User, 'id' | 'passwordHash'> | null
  /** The address of the caller; absent where attempts are counted over all sources. */
  readonly address?: string
}

/**
 * Tries at something of one account. They are limited by account and source together, so that nobody's failures keep
 * out an owner who is elsewhere. Guesses are limited over all sources too, more widely; that limit spares a source from
 * which the owner has signed in before. Both are of one password: a new one starts them anew.
 */
export interface Attempts {
  /** Counts one try. Throws `too_many_requests` past the limit. */
  count(attempt: Attempt): Promise<void>
  /** A right guess clears the counts. */
  succeeded(attempt: Attempt): Promise<void>
}

/** Multiplies the rate for all sources together from which the owner of the account never signed in. */
const ALL_SOURCES_FACTOR = 5

const keyOf = ({ kind, account, user }: Attempt) =>
  // The end of a salted hash identifies the password without revealing it.
  `${kind}:${account}:${user?.passwordHash.slice(-16) ?? ''}`

const keyOfSource = (attempt: Attempt) => {
  const source = attempt.address === undefined ? 'everywhere' : networksOf(attempt.address).client
  return `${keyOf(attempt)}:${source}`
}

export const createAttempts = (
  limiter: RateLimiter,
  rate: Rate | 'off',
  unitOfWork: Pick<UnitOfWork, 'read'>,
): Attempts => {
  const take = async (key: string, limited: Rate): Promise<AppError | null> => {
    const { allowed, resetIn } = await limiter.take(key, limited)
    if (allowed) return null
    const retryAfter = Math.max(1, Math.ceil(resetIn / 1_000))
    return new AppError('too_many_requests', 'Too many attempts on this account', { retryAfter })
  }

  const hasSignedInFrom = (userId = 0, address = ''): Promise<boolean> =>
    unitOfWork.read((tx) => tx.signInSources.has(userId, networksOf(address).client))

  return {
    async count(attempt) {
      if (rate === 'off') return
      const ofSource = await take(keyOfSource(attempt), rate)
      if (ofSource !== null) throw ofSource
      if (attempt.user === undefined) return
      const ofAll = await take(keyOf(attempt), { ...rate, limit: rate.limit * ALL_SOURCES_FACTOR })
      if (ofAll !== null && !(await hasSignedInFrom(attempt.user?.id, attempt.address))) throw ofAll
    },
    async succeeded(attempt) {
      if (rate === 'off') return
      await limiter.clear(keyOfSource(attempt))
      await limiter.clear(keyOf(attempt))
    },
  }
}
