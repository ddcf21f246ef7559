import { AppError } from '../domain/errors.ts'
import { networksOf } from '../domain/network.ts'
import type { SignInOrigin, Visitor } from '../domain/session.ts'
import { type Instant, isEmail, normalizeEmail, normalizePassword, USER_LIMITS, type User } from '../domain/user.ts'
import { inactive } from './access.ts'
import type { Attempts } from './attempts.ts'
import { audit, auditFailedSignIn } from './audit.ts'
import type { RefreshToken } from './ports/accounts.ts'
import type { AccessNotices } from './ports/messaging.ts'
import type { Tx, UnitOfWork } from './ports/persistence.ts'
import type { AccessTokens, OpaqueTokens, PasswordHasher } from './ports/security.ts'
import type { Clock } from './ports/system.ts'
import { createTokenIssuer, type TokenPair } from './token-issuer.ts'

export interface SignIn {
  readonly username: string
  readonly password: string
  readonly origin: SignInOrigin
  readonly requestId: string
}

export interface Refresh {
  readonly refreshToken: string
  /** The address it is used from now. */
  readonly address: string
  readonly requestId: string
}

export interface Tokens {
  /**
   * Opens a session. Throws the same `invalid_grant` for an unknown address and a wrong password, `inactive_user` only
   * if the password is right, `too_many_requests` past the limit for one account, `overloaded` when too many hashes are
   * queued.
   */
  signIn(signIn: SignIn): Promise<TokenPair>
  /**
   * Exchanges a refresh token for its successor (RFC 6749 section 6). A used token that is sent again within ten
   * seconds gets the same successor, so that a lost response signs nobody out; later it ends the session, because one
   * of two parties with the token is a thief (RFC 9700 section 4.14.2). Throws `invalid_grant`, `inactive_user`.
   */
  refresh(refresh: Refresh): Promise<TokenPair>
  /** Ends the session of an access or refresh token. Unknown tokens are ignored (RFC 7009 section 2.2). */
  revoke(token: string, visitor: Visitor): Promise<void>
}

/** In UTF-16 code units; a character may take two. */
const MAX_PASSWORD_LENGTH = 2 * USER_LIMITS.password.maxLength
/** The limit before normalization, which shortens text by at most this factor. */
const MAX_RAW_PASSWORD_LENGTH = 4 * MAX_PASSWORD_LENGTH

const isTooLong = (password: string): boolean =>
  password.length > MAX_RAW_PASSWORD_LENGTH || normalizePassword(password).length > MAX_PASSWORD_LENGTH

interface Deps {
  readonly unitOfWork: UnitOfWork
  readonly passwords: PasswordHasher
  readonly accessTokens: AccessTokens
  readonly opaqueTokens: OpaqueTokens
  readonly notices: AccessNotices
  readonly attempts: Attempts
  readonly clock: Clock
  readonly accessTtlMs: number
  readonly refreshTtlMs: number
}

const REUSE_GRACE_MS = 10_000

const refused = () => new AppError('invalid_grant', 'Incorrect email or password')
const refusedRefresh = () => new AppError('invalid_grant', 'The refresh token is invalid, expired or was revoked')

interface SessionDeps extends Pick<Deps, 'opaqueTokens' | 'refreshTtlMs'> {
  readonly issuer: ReturnType<typeof createTokenIssuer>
}

/** Opens and continues sessions inside a transaction. */
const createSessionChanges = ({ opaqueTokens, refreshTtlMs, issuer }: SessionDeps) => {
  /**
   * Continues the session with `successor`. If a used token is sent again after the grace period, ends the session;
   * `stolen` is then true. Throws `invalid_grant`, `inactive_user`.
   */
  const rotate = async (
    tx: Tx,
    token: RefreshToken,
    successor: string,
    { address, requestId }: Refresh,
    now: Instant,
  ) => {
    const session = await tx.sessions.findById(token.sessionId)
    if (session === null || session.expiresAt <= now) throw refusedRefresh()
    // Does not lock the user, because a unit that has the user locked may be waiting for the session.
    const account = await tx.sessions.findAccount(session.id)
    if (account === null) throw refusedRefresh()
    if (!account.isActive) throw inactive()
    if (token.spentAt !== null) {
      if (now - token.spentAt <= REUSE_GRACE_MS) return { session, stolen: false }
      await tx.sessions.delete(session.id)
      const details = { session: session.id, reason: 'a spent refresh token was used again' }
      const visitor = { userId: null, requestId, address }
      await audit(tx, visitor, 'session.ended', { subject: `users/${session.userId}`, details, now })
      return { session, stolen: true }
    }
    await tx.refreshTokens.spend(token.hash, now)
    await tx.refreshTokens.insert({ hash: opaqueTokens.hash(successor), sessionId: session.id, createdAt: now })
    await tx.sessions.touch({ id: session.id, lastUsedAt: now, expiresAt: now + refreshTtlMs, address })
    return { session, stolen: false }
  }

  const openSession = async (tx: Tx, user: User, { origin, requestId }: SignIn, refreshToken: string, now: Instant) => {
    // The password may have been changed, or the account closed, while it was being checked.
    const current = await tx.users.findById(user.id)
    if (current?.passwordHash !== user.passwordHash || !current.isActive) throw refused()
    await tx.signInSources.put({ userId: user.id, source: networksOf(origin.address).client, usedAt: now })
    const session = await issuer.open(tx, user.id, origin, refreshToken, now)
    const caller = { userId: user.id, sessionId: session.id, role: current.role, requestId, address: origin.address }
    await audit(tx, caller, 'session.started', { subject: `users/${user.id}`, now })
    return session
  }

  return { rotate, openSession }
}

export const createTokens = (deps: Deps): Tokens => {
  const { unitOfWork, passwords, accessTokens, opaqueTokens, notices, attempts, clock } = deps
  const issuer = createTokenIssuer(deps)
  const { rotate, openSession } = createSessionChanges({ ...deps, issuer })

  const noteFailure = (user: User | null, { origin: { address }, requestId }: SignIn): Promise<void> => {
    const source = networksOf(address).client
    const failure = { userId: user?.id ?? null, address, source, requestId, now: clock.now() }
    return unitOfWork.write((tx) => auditFailedSignIn(tx, failure))
  }

  const sessionOf = async (tx: Tx, token: string): Promise<number | null> => {
    const refresh = await tx.refreshTokens.find(opaqueTokens.hash(token))
    return refresh?.sessionId ?? null
  }

  return {
    async signIn(signIn) {
      const { username, password, origin } = signIn
      const email = normalizeEmail(username)
      const { address } = origin
      // No account can have this name: the attempt takes the same time, but no memory.
      if (!isEmail(email) || isTooLong(password)) {
        await passwords.verify('', null, address)
        await noteFailure(null, signIn)
        throw refused()
      }
      const user = await unitOfWork.read((tx) => tx.users.findByEmail(email))
      const tried = { kind: 'sign-in', account: email, user, address } as const
      await attempts.count(tried)
      if (!(await passwords.verify(password, user?.passwordHash ?? null, address)) || user === null) {
        await noteFailure(user, signIn)
        throw refused()
      }
      await attempts.succeeded(tried)
      if (!user.isActive) {
        await noteFailure(user, signIn)
        throw inactive()
      }

      const now = clock.now()
      const refreshToken = opaqueTokens.generate()
      const session = await unitOfWork.write((tx) => openSession(tx, user, signIn, refreshToken, now))
      return issuer.pair(session, refreshToken, now)
    },

    async refresh(refresh) {
      const { refreshToken } = refresh
      const now = clock.now()
      const successor = opaqueTokens.derive(`refresh ${refreshToken}`)
      const { session, stolen } = await unitOfWork.write(async (tx) => {
        const token = await tx.refreshTokens.find(opaqueTokens.hash(refreshToken))
        if (token === null) throw refusedRefresh()
        return rotate(tx, token, successor, refresh, now)
      })
      if (!stolen) return issuer.pair(session, successor, now)
      await notices.publish(session.userId)
      throw refusedRefresh()
    },

    async revoke(token, visitor) {
      const claims = await accessTokens.verify(token)
      const userId = await unitOfWork.write(async (tx) => {
        const id = claims?.sessionId ?? (await sessionOf(tx, token))
        const session = id === null ? null : await tx.sessions.findById(id)
        if (session === null || (claims !== null && claims.sessionCreatedAt !== session.createdAt)) return null
        await tx.sessions.delete(session.id)
        const { userId } = session
        const caller = { ...visitor, userId, sessionId: session.id }
        const details = { session: session.id }
        await audit(tx, caller, 'session.ended', { subject: `users/${userId}`, details, now: clock.now() })
        return userId
      })
      if (userId !== null) await notices.publish(userId)
    },
  }
}
