import { AppError } from '../domain/errors.ts'
import type { Rate } from '../domain/measures.ts'
import { networksOf } from '../domain/network.ts'
import type { User } from '../domain/user.ts'
import type { UnitOfWork } from './ports/persistence.ts'
import type { RateLimiter } from './ports/security.ts'

/** Each kind is counted separately, so that sign-in attempts do not use up the limit for actions in a session. */
export type AttemptKind = 'sign-in' | 'current password' | 'new address' | 'verification' | 'forgotten password'

/** One attempt on an account. */
export interface Attempt {
  readonly kind: AttemptKind
  /** The account name in the request, whether it exists or not. */
  readonly account: string | number
  /** The user of the account: null if there is none, absent if the attempt is not a guess. */
  readonly user?: Pick<User, 'id' | 'passwordHash'> | null
  /** The source of the attempt; absent if attempts count for the account from all sources together. */
  readonly address?: string
}

/**
 * Limits attempts on one account. They are limited by account and source together, so that failures from one source do
 * not lock out an owner at another. Guesses are also limited over all sources, with a higher limit; sources from which
 * the owner has signed in before are exempt from it. A new password resets both limits.
 */
export interface Attempts {
  /** Counts one attempt. Throws `too_many_requests` above the limit. */
  count(attempt: Attempt): Promise<void>
  /** A correct password resets the counts. */
  succeeded(attempt: Attempt): Promise<void>
}

/** The limit over all unknown sources of an account, as a multiple of the limit of one source. */
const ALL_SOURCES_FACTOR = 5

const keyOf = ({ kind, account, user }: Attempt) =>
  // The end of a salted hash identifies the password without revealing anything about it.
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
    const { allowed, resetInMs } = await limiter.take(key, limited)
    if (allowed) return null
    const retryAfterSeconds = Math.max(1, Math.ceil(resetInMs / 1_000))
    return new AppError('too_many_requests', 'Too many attempts on this account', { retryAfterSeconds })
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
