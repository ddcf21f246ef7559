import { AppError } from '../domain/errors.ts'
import { DEVICE_LENGTH, type Origin } from '../domain/session.ts'
import { normalizeEmail } from '../domain/user.ts'
import type { Attempts } from './attempts.ts'
import type { UnitOfWork } from './ports/persistence.ts'
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

export interface Tokens {
  /**
   * Opens a session. Throws `invalid_grant` alike for an unknown address and a wrong password, `inactive_user` only to
   * someone who knew the password, `too_many_requests` past the limit for one account, `overloaded` when too many hash.
   */
  signIn(signIn: SignIn): Promise<TokenPair>
}

interface Deps {
  readonly unitOfWork: UnitOfWork
  readonly passwords: PasswordHasher
  readonly accessTokens: AccessTokens
  readonly opaqueTokens: OpaqueTokens
  readonly attempts: Attempts
  readonly clock: Clock
  /** Milliseconds. */
  readonly accessTtl: number
  /** Milliseconds. */
  readonly refreshTtl: number
}

const refused = () => new AppError('invalid_grant', 'Incorrect email or password')

export const createTokens = (deps: Deps): Tokens => {
  const { unitOfWork, passwords, accessTokens, opaqueTokens, attempts, clock, accessTtl, refreshTtl } = deps

  return {
    async signIn({ username, password, origin }) {
      const email = normalizeEmail(username)
      await attempts.count(email)
      const user = await unitOfWork.read((tx) => tx.users.findByEmail(email))
      if (!(await passwords.verify(password, user?.passwordHash ?? null)) || user === null) throw refused()
      if (!user.isActive) throw new AppError('inactive_user', 'Inactive user')
      await attempts.succeeded(email)

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
        await tx.refreshTokens.insert({
          hash: opaqueTokens.hash(refreshToken),
          sessionId: opened.id,
          createdAt: now,
        })
        return opened
      })
      return {
        accessToken: await accessTokens.issue({
          userId: user.id,
          sessionId: session.id,
          expiresAt: now + accessTtl,
        }),
        expiresIn: Math.floor(accessTtl / 1_000),
        refreshToken,
        refreshExpiresIn: Math.floor(refreshTtl / 1_000),
      }
    },
  }
}
