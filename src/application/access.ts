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
  type RevalidationTimer,
  SYSTEM_REVALIDATION_TIMER,
} from './revalidation.ts'

/** Who presented a token, and until when it speaks for them. */
export interface Grant {
  readonly principal: Principal
  readonly expiresAt: Instant
}

export interface Access {
  /**
   * Who presents this access token. Throws `invalid_token` when it is not ours, has expired or its session has ended,
   * `inactive_user` when the account is switched off. A proven token is remembered until it expires or a notice
   * names its user; the answer then comes without a promise. Where a notice may be lost, it is remembered only as long
   * as the database has revalidated it within the last second.
   */
  authenticate(token: string): Principal | Promise<Principal>
  /** As {@link authenticate}, with the end of the token, for connections that outlive a request. */
  grant(token: string): Grant | Promise<Grant>
  /** Calls `listener` whenever a user's rights may have changed, after the cached grants are dropped. */
  onRightsChange(listener: (userId: number) => void): void
  /** How often that was. What was proven stands as long as this stays the same. */
  rightsChangeCount(): number
}

interface Deps {
  readonly unitOfWork: UnitOfWork
  readonly accessTokens: AccessTokens
  readonly notices: AccessNotices
  readonly clock: Clock
  readonly ageing?: RevalidationTimer
}

interface Entry extends Grant, CachedGrant {
  readonly token: string
}

const MAX_REMEMBERED_COUNT = 20_000
/** With more tokens of one user, the oldest is dropped and verified again at its next use. */
const MAX_REMEMBERED_PER_USER_COUNT = 50

const invalid = () => new AppError('invalid_token', 'The access token is invalid or has expired')
const inactive = () => new AppError('inactive_user', 'Inactive user')

export const createAccess = ({
  unitOfWork,
  accessTokens,
  notices,
  clock,
  ageing = SYSTEM_REVALIDATION_TIMER,
}: Deps): Access => {
  /**
   * By token. Each has one spelling, and so one entry: what is remembered is bounded by the `jti`s that were issued.
   */
  const remembered = new Map<string, Entry>()
  const tokensOf = new Map<number, Set<string>>()
  const listeners: ((userId: number) => void)[] = []
  let changeCount = 0

  const forget = (token: string) => {
    const userId = remembered.get(token)?.principal.userId
    if (userId === undefined) return
    remembered.delete(token)
    const tokens = tokensOf.get(userId)
    tokens?.delete(token)
    if (tokens?.size === 0) tokensOf.delete(userId)
  }

  const remember = (entry: Entry) => {
    const { token } = entry
    // Oldest first, so that tokens which are no longer used do not stay.
    for (const oldest of remembered.values()) {
      if (remembered.size < MAX_REMEMBERED_COUNT && oldest.expiresAt > clock.now()) break
      forget(oldest.token)
    }
    const { userId } = entry.principal
    const own = tokensOf.get(userId)
    const [oldestOwn] = own ?? []
    if (own !== undefined && oldestOwn !== undefined && own.size >= MAX_REMEMBERED_PER_USER_COUNT && !own.has(token)) {
      forget(oldestOwn)
    }
    remembered.set(token, entry)
    const tokens = tokensOf.get(userId)
    if (tokens) tokens.add(token)
    else tokensOf.set(userId, new Set([token]))
  }

  // The only subscriber, so that nothing stale is cached when the other listeners are called.
  notices.subscribe((userId) => {
    changeCount++
    for (const token of tokensOf.get(userId) ?? []) forget(token)
    for (const listener of listeners) listener(userId)
  })

  const revalidation = createRevalidation<Entry>({
    unitOfWork,
    clock,
    ...ageing,
    // By then another may stand in its place.
    forget: (entry) => remembered.get(entry.token) === entry && forget(entry.token),
  })

  const prove = async (token: string): Promise<Grant> => {
    const claims = await accessTokens.verify(token)
    if (claims === null) throw invalid()
    const changeCountBefore = changeCount
    const validatedAt = ageing.elapsed()
    const { userId, sessionId } = claims
    const claimed: Principal = { userId, sessionId, role: 'user' }
    const principal = await unitOfWork.read((tx) => requireActiveActor(tx, claimed, clock.now()))
    const proven = { token, principal, expiresAt: claims.expiresAt, validatedAt }
    // A notice that arrived during the read may concern it: then the next request reads again.
    if (changeCount === changeCountBefore) remember(proven)
    return proven
  }

  const grant = (token: string): Grant | Promise<Grant> => {
    const known = remembered.get(token)
    if (known === undefined) return prove(token)
    const expired = known.expiresAt <= clock.now()
    if (!expired && (notices.complete || revalidation.isFresh(known))) return known
    forget(token)
    if (expired) throw invalid()
    return prove(token)
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
 * The actor with today's rights, inside the transaction that uses them: a request can wait long for its body or a hash.
 * Throws `invalid_token` when the session or account has ended meanwhile, `inactive_user` when it was switched off.
 */
export const requireActiveActor = async <A extends Principal>(tx: ReadTx, actor: A, now: Instant): Promise<A> => {
  const account = await tx.sessions.findAccount(actor.sessionId)
  if (account === null) {
    // Deactivation ends the session too, but its owner gets the reason.
    const user = await tx.users.findById(actor.userId)
    throw user?.isActive === false ? inactive() : invalid()
  }
  if (account.userId !== actor.userId || account.expiresAt <= now) throw invalid()
  if (!account.isActive) throw inactive()
  return actor.role === account.role ? actor : { ...actor, role: account.role }
}

/**
 * As {@link requireActiveActor}, for a unit that changes users or ends sessions. Locks the actor and the user it is
 * about, so that nobody changes their rights meanwhile, then the actor's session. All such units lock in this order, so
 * that two of them never deadlock.
 */
export const requireActiveActorLocked = async <A extends Principal>(
  tx: Tx,
  actor: A,
  now: Instant,
  userId = actor.userId,
): Promise<A> => {
  // Only an admin may lock another user's row by naming it.
  const ids = actor.role === 'admin' ? new Set([actor.userId, userId]) : [actor.userId]
  for (const id of [...ids].sort((one, other) => one - other)) await tx.users.findById(id)
  await tx.sessions.findById(actor.sessionId)
  return requireActiveActor(tx, actor, now)
}

/** Throws `forbidden` for everyone but an admin. */
export const requireAdmin = (principal: Principal): void => {
  if (principal.role !== 'admin') throw new AppError('forbidden', 'Only an admin may do this')
}
