import { AppError } from '../domain/errors.ts'
import type { Principal } from '../domain/session.ts'
import type { Instant } from '../domain/user.ts'
import type { AccessNotices } from './ports/messaging.ts'
import type { ReadTx, Tx, UnitOfWork } from './ports/persistence.ts'
import type { AccessTokens } from './ports/security.ts'
import type { Clock } from './ports/system.ts'
import {
  type CachedGrant,
  createRevalidation,
  type RevalidationOptions,
  SYSTEM_REVALIDATION_OPTIONS,
} from './revalidation.ts'

/** The user of a token, and when the token expires. */
export interface Grant {
  readonly principal: Principal
  readonly expiresAt: Instant
}

export interface Access {
  /**
   * The principal of an access token. Throws `invalid_token` if it is not valid, has expired or its session has ended,
   * `inactive_user` if the account is deactivated. A verified token is cached until it expires or a notice names its
   * user; a cached result is returned without a promise. If notices may be lost, a cached result is valid only if the
   * database has validated it within the last second.
   */
  authenticate(token: string): Principal | Promise<Principal>
  /** As {@link authenticate}, with the end of the token, for connections that outlive a request. */
  grant(token: string): Grant | Promise<Grant>
  /** Calls `listener` whenever a user's rights may have changed, after their cached tokens were dropped. */
  onRightsChange(listener: (userId: number) => void): void
  /** The number of such notices. A verified token stays valid as long as this does not change. */
  rightsChangeCount(): number
}

interface Deps {
  readonly unitOfWork: UnitOfWork
  readonly accessTokens: AccessTokens
  readonly notices: AccessNotices
  readonly clock: Clock
  readonly revalidationOptions?: RevalidationOptions
}

interface Entry extends Grant, CachedGrant {
  readonly token: string
}

const MAX_CACHED_COUNT = 20_000
/** For a user with more tokens in use, the oldest are verified again. */
const MAX_CACHED_PER_USER_COUNT = 50

const invalid = () => new AppError('invalid_token', 'The access token is invalid or has expired')
export const inactive = () => new AppError('inactive_user', 'Inactive user')

/** Grants of verified tokens, by token; so many in all, and for each user. */
const createGrantCache = (clock: Clock) => {
  /**
   * By token. Each has one accepted spelling and so one entry, so the cache is bounded by the number of issued `jti`s.
   */
  const cached = new Map<string, Entry>()
  const tokensOf = new Map<number, Set<string>>()

  const drop = (token: string) => {
    const userId = cached.get(token)?.principal.userId
    if (userId === undefined) return
    cached.delete(token)
    const tokens = tokensOf.get(userId)
    tokens?.delete(token)
    if (tokens?.size === 0) tokensOf.delete(userId)
  }

  const add = (entry: Entry) => {
    const { token } = entry
    // The oldest first: tokens that are never used again must not stay until the cache is full.
    for (const oldest of cached.values()) {
      if (cached.size < MAX_CACHED_COUNT && oldest.expiresAt > clock.now()) break
      drop(oldest.token)
    }
    const { userId } = entry.principal
    const own = tokensOf.get(userId)
    const [oldestOwn] = own ?? []
    if (own !== undefined && oldestOwn !== undefined && own.size >= MAX_CACHED_PER_USER_COUNT && !own.has(token)) {
      drop(oldestOwn)
    }
    cached.set(token, entry)
    const tokens = tokensOf.get(userId)
    if (tokens) tokens.add(token)
    else tokensOf.set(userId, new Set([token]))
  }

  return {
    find: (token: string) => cached.get(token),
    add,
    drop,
    dropAllOf(userId: number): void {
      for (const token of tokensOf.get(userId) ?? []) drop(token)
    },
  }
}

export const createAccess = ({
  unitOfWork,
  accessTokens,
  notices,
  clock,
  revalidationOptions = SYSTEM_REVALIDATION_OPTIONS,
}: Deps): Access => {
  const cache = createGrantCache(clock)
  const listeners: ((userId: number) => void)[] = []
  let changeCount = 0

  // The only subscriber to notices: other listeners are called after the cache has dropped outdated entries.
  notices.subscribe((userId) => {
    changeCount++
    cache.dropAllOf(userId)
    for (const listener of listeners) listener(userId)
  })

  const revalidation = createRevalidation<Entry>({
    unitOfWork,
    clock,
    ...revalidationOptions,
    // By then, another entry may have replaced it.
    drop: (entry) => cache.find(entry.token) === entry && cache.drop(entry.token),
  })

  const verify = async (token: string): Promise<Grant> => {
    const claims = await accessTokens.verify(token)
    if (claims === null) throw invalid()
    const changeCountBefore = changeCount
    const validatedAt = revalidationOptions.elapsed()
    const { userId, sessionId, sessionCreatedAt } = claims
    const claimed: Principal = { userId, sessionId, role: 'user' }
    const principal = await unitOfWork.read((tx) => requireActiveActor(tx, claimed, clock.now(), sessionCreatedAt))
    const verified = { token, principal, expiresAt: claims.expiresAt, validatedAt }
    // A notice that arrived during the read may concern its result: in that case the next request reads again.
    if (changeCount === changeCountBefore) cache.add(verified)
    return verified
  }

  const grant = (token: string): Grant | Promise<Grant> => {
    const known = cache.find(token)
    if (known === undefined) return verify(token)
    const expired = known.expiresAt <= clock.now()
    if (!expired && (notices.lossless || revalidation.isFresh(known))) return known
    cache.drop(token)
    if (expired) throw invalid()
    return verify(token)
  }

  return {
    grant,
    onRightsChange: (listener) => void listeners.push(listener),
    rightsChangeCount: () => changeCount,
    authenticate(token) {
      const granted = grant(token)
      return granted instanceof Promise ? granted.then(({ principal }) => principal) : granted.principal
    },
  }
}

/**
 * The actor with current rights, inside the transaction that uses them, because a request can wait a long time for its
 * body or a hash. Throws `invalid_token` if the session or account has ended meanwhile, or the session did not begin at
 * `sessionCreatedAt`, `inactive_user` if the account was deactivated.
 */
export const requireActiveActor = async <A extends Principal>(
  tx: ReadTx,
  actor: A,
  now: Instant,
  sessionCreatedAt?: Instant,
): Promise<A> => {
  const account = await tx.sessions.findAccount(actor.sessionId)
  if (account === null) {
    // Deactivation ends the session too, but its user should get the reason.
    const user = await tx.users.findById(actor.userId)
    throw user?.isActive === false ? inactive() : invalid()
  }
  if (account.userId !== actor.userId || account.expiresAt <= now) throw invalid()
  // After a restore, new sessions and users get ids that tokens from before may name.
  if (sessionCreatedAt !== undefined && sessionCreatedAt !== account.createdAt) throw invalid()
  if (!account.isActive) throw inactive()
  return actor.role === account.role ? actor : { ...actor, role: account.role }
}

/**
 * As {@link requireActiveActor}, for a unit that changes users or ends sessions. Locks the actor and the affected user,
 * whose rights cannot change meanwhile, and then the actor's session. All such units lock in this order, so that they
 * cannot deadlock.
 */
export const requireActiveActorLocked = async <A extends Principal>(
  tx: Tx,
  actor: A,
  now: Instant,
  userId = actor.userId,
): Promise<A> => {
  // Naming another user must not lock their row for someone without the right to do so.
  const ids = actor.role === 'admin' ? new Set([actor.userId, userId]) : [actor.userId]
  for (const id of [...ids].sort((one, other) => one - other)) await tx.users.findById(id)
  await tx.sessions.findById(actor.sessionId)
  return requireActiveActor(tx, actor, now)
}

/** Throws `forbidden` unless the actor is an admin. */
export const requireAdmin = (principal: Principal): void => {
  if (principal.role !== 'admin') throw new AppError('forbidden', 'Only an admin may do this')
}

/** Throws `forbidden` unless the actor is this owner or an admin. Null means all owners. */
export const requireOwnOrAdmin = (principal: Principal, ownerId: number | null): void => {
  if (ownerId !== principal.userId && principal.role !== 'admin') {
    throw new AppError('forbidden', 'Only an admin may list data of other users')
  }
}
