import { MAX_DEVICE_LENGTH, type Session, type SignInOrigin } from '../domain/session.ts'
import type { Instant } from '../domain/user.ts'
import type { Tx } from './ports/persistence.ts'
import type { AccessTokens, OpaqueTokens } from './ports/security.ts'

export interface TokenPair {
  readonly accessToken: string
  /** Seconds. */
  readonly expiresIn: number
  readonly refreshToken: string
  /** Seconds. */
  readonly refreshExpiresIn: number
}

export interface TokenIssuer {
  /** Milliseconds. No access token outlives the session it belongs to. */
  readonly accessLifetimeMs: number
  /** A new session, which `refreshToken` continues. */
  open(tx: Tx, userId: number, origin: SignInOrigin, refreshToken: string, now: Instant): Promise<Session>
  /** The tokens that a client of the session gets. */
  pair(session: Pick<Session, 'id' | 'userId' | 'createdAt'>, refreshToken: string, now: Instant): Promise<TokenPair>
}

interface Deps {
  readonly accessTokens: AccessTokens
  readonly opaqueTokens: OpaqueTokens
  readonly accessTtlMs: number
  readonly refreshTtlMs: number
}

export const createTokenIssuer = ({ accessTokens, opaqueTokens, accessTtlMs, refreshTtlMs }: Deps): TokenIssuer => {
  const accessLifetimeMs = Math.min(accessTtlMs, refreshTtlMs)
  return {
    accessLifetimeMs,
    async open(tx, userId, { device, address }, refreshToken, now) {
      const session = await tx.sessions.insert({
        userId,
        device: device.slice(0, MAX_DEVICE_LENGTH),
        address,
        createdAt: now,
        lastUsedAt: now,
        expiresAt: now + refreshTtlMs,
      })
      await tx.refreshTokens.insert({ hash: opaqueTokens.hash(refreshToken), sessionId: session.id, createdAt: now })
      return session
    },
    pair: async (session, refreshToken, now) => ({
      accessToken: await accessTokens.issue({
        userId: session.userId,
        sessionId: session.id,
        sessionCreatedAt: session.createdAt,
        expiresAt: now + accessLifetimeMs,
      }),
      expiresIn: Math.floor(accessLifetimeMs / 1_000),
      refreshToken,
      refreshExpiresIn: Math.floor(refreshTtlMs / 1_000),
    }),
  }
}
