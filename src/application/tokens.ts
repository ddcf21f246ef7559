import { AppError } from '../domain/errors.ts'
import { DEVICE_LENGTH, type Origin, type Session } from '../domain/session.ts'
import { type Instant, isEmail, normalizeEmail, USER_LIMITS } from '../domain/user.ts'
import type { Attempts } from './attempts.ts'
import type { AccessNotices } from './ports/messaging.ts'
import type { RefreshToken, Tx, UnitOfWork } from './ports/persistence.ts'
import type { AccessTokens, OpaqueTokens, PasswordHasher } from './ports/security.ts'
import type { Clock } from './ports/system.ts'

export interface TokenPair {
  readonly accessToken: string
  /** Seconds. */
  readonly expiresIn: number
  readonly refreshToken: string
  /** Seconds. */
  readonly refreshExpiresIn: number
}

export interface SignIn {
  readonly username: string
  readonly password: string
  readonly origin: Origin
}

export interface Refresh {
  readonly refreshToken: string
  /** Where it is used from now. */
  readonly address: string
}

export interface Tokens {
  /**
   * Opens a session. Throws `invalid_grant` alike for an unknown address and a wrong password, `inactive_user` only to
   * someone who knew the password, `too_many_requests` past the limit for one account, `overloaded` when too many hash.
   */
  signIn(signIn: SignIn): Promise<TokenPair>
  /**
   * Exchanges a refresh token for its successor (RFC 6749 section 6). A spent one that comes back within ten seconds
   * gets the same successor again, so that a lost answer signs nobody out; later it ends the session, since one of
   * its two holders is a thief (RFC 9700 section 4.14.2). Throws `invalid_grant`, `inactive_user`.
   */
  refresh(refresh: Refresh): Promise<TokenPair>
  /** Ends the session of an access or refresh token; one that is not ours is none of ours to tell (RFC 7009). */
  revoke(token: string): Promise<void>
}

/** UTF-16 code units, two of which can make a character. */
const LONGEST = 2 * USER_LIMITS.password.maxLength

interface Deps {
  readonly unitOfWork: UnitOfWork
  readonly passwords: PasswordHasher
  readonly accessTokens: AccessTokens
  readonly opaqueTokens: OpaqueTokens
  readonly notices: AccessNotices
  readonly attempts: Attempts
  readonly clock: Clock
  /** Milliseconds. */
  readonly accessTtl: number
  /** Milliseconds. */
  readonly refreshTtl: number
}

const REUSE_GRACE = 10_000

const refused = () => new AppError('invalid_grant', 'Incorrect email or password')
const refusedRefresh = () => new AppError('invalid_grant', 'The refresh token is invalid, expired or was revoked')
const inactive = () => new AppError('inactive_user', 'Inactive user')

export const createTokens = (deps: Deps): Tokens => {
  const { unitOfWork, passwords, accessTokens, opaqueTokens, notices, attempts, clock, accessTtl, refreshTtl } = deps

  // No access token outlives the session it belongs to.
  const accessLifetime = Math.min(accessTtl, refreshTtl)

  const pair = async (session: Pick<Session, 'id' | 'userId'>, refreshToken: string, now: Instant) => ({
    accessToken: await accessTokens.issue({
      userId: session.userId,
      sessionId: session.id,
      expiresAt: now + accessLifetime,
    }),
    expiresIn: Math.floor(accessLifetime / 1_000),
    refreshToken,
    refreshExpiresIn: Math.floor(refreshTtl / 1_000),
  })

  /** The session goes on with `successor`, or null when the token was stolen and the session ended. */
  const rotate = async (tx: Tx, token: RefreshToken, successor: string, address: string, now: Instant) => {
    const session = await tx.sessions.findById(token.sessionId)
    if (session === null || session.expiresAt <= now) throw refusedRefresh()
    // Without a hold on the user: whoever has that may be waiting for the session.
    const holder = await tx.sessions.findHolder(session.id)
    if (holder === null) throw refusedRefresh()
    if (!holder.isActive) throw inactive()
    if (token.spentAt !== null) {
      if (now - token.spentAt <= REUSE_GRACE) return { session, stolen: false }
      await tx.sessions.delete(session.id)
      return { session, stolen: true }
    }
    await tx.refreshTokens.spend(token.hash, now)
    await tx.refreshTokens.insert({ hash: opaqueTokens.hash(successor), sessionId: session.id, createdAt: now })
    await tx.sessions.touch({ id: session.id, lastUsedAt: now, expiresAt: now + refreshTtl, address })
    return { session, stolen: false }
  }

  const sessionOf = async (tx: Tx, token: string): Promise<number | null> => {
    const refresh = await tx.refreshTokens.find(opaqueTokens.hash(token))
    return refresh?.sessionId ?? null
  }

  return {
    async signIn({ username, password, origin }) {
      const email = normalizeEmail(username)
      // Nobody can be called so: it costs the same time, and no room in anyone's memory.
      if (!isEmail(email) || password.length > LONGEST) {
        await passwords.verify('', null)
        throw refused()
      }
      await attempts.count('sign-in', email)
      const user = await unitOfWork.read((tx) => tx.users.findByEmail(email))
      if (!(await passwords.verify(password, user?.passwordHash ?? null)) || user === null) throw refused()
      await attempts.succeeded('sign-in', email)
      if (!user.isActive) throw inactive()

      const now = clock.now()
      const refreshToken = opaqueTokens.generate()
      const session = await unitOfWork.write(async (tx) => {
        // The password may have been changed, or the account closed, while it was being checked.
        const current = await tx.users.findById(user.id)
        if (current?.passwordHash !== user.passwordHash || !current.isActive) throw refused()
        const opened = await tx.sessions.insert({
          userId: user.id,
          device: origin.device.slice(0, DEVICE_LENGTH),
          address: origin.address,
          createdAt: now,
          lastUsedAt: now,
          expiresAt: now + refreshTtl,
        })
        const hash = opaqueTokens.hash(refreshToken)
        await tx.refreshTokens.insert({ hash, sessionId: opened.id, createdAt: now })
        return opened
      })
      return pair(session, refreshToken, now)
    },

    async refresh({ refreshToken, address }) {
      const now = clock.now()
      const successor = opaqueTokens.derive(`refresh ${refreshToken}`)
      const { session, stolen } = await unitOfWork.write(async (tx) => {
        const token = await tx.refreshTokens.find(opaqueTokens.hash(refreshToken))
        if (token === null) throw refusedRefresh()
        return rotate(tx, token, successor, address, now)
      })
      if (!stolen) return pair(session, successor, now)
      await notices.publish(session.userId)
      throw refusedRefresh()
    },

    async revoke(token) {
      const claims = await accessTokens.verify(token)
      const userId = await unitOfWork.write(async (tx) => {
        const id = claims?.sessionId ?? (await sessionOf(tx, token))
        const session = id === null ? null : await tx.sessions.findById(id)
        if (session !== null) await tx.sessions.delete(session.id)
        return session?.userId ?? null
      })
      if (userId !== null) await notices.publish(userId)
    },
  }
}
