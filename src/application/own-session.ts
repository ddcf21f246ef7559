import type { Caller } from '../domain/session.ts'
import type { Instant } from '../domain/user.ts'
import type { Tx } from './ports/persistence.ts'
import { createTokenIssuer, type TokenPair } from './token-issuer.ts'

type Deps = Parameters<typeof createTokenIssuer>[0]

/** What becomes of the session in which a user changes their password. */
export const createOwnSession = (deps: Deps) => {
  const { opaqueTokens } = deps
  const issuer = createTokenIssuer(deps)

  /**
   * Ends every session of the actor and opens a new one. Returns a function that issues its tokens; call it after the
   * commit.
   */
  const renew = async (tx: Tx, actor: Caller, now: Instant): Promise<() => Promise<TokenPair>> => {
    const session = await tx.sessions.findById(actor.sessionId)
    await tx.sessions.deleteAll(actor.userId, null)
    const refreshToken = opaqueTokens.generate()
    const origin = { device: session?.device ?? '', address: actor.address }
    const opened = await issuer.open(tx, actor.userId, origin, refreshToken, now)
    return () => issuer.pair(opened, refreshToken, now)
  }

  /** Ends all other sessions, and the refresh tokens of this one. */
  const endRefreshing = async (tx: Tx, { userId, sessionId, address }: Caller, now: Instant): Promise<null> => {
    await tx.sessions.deleteAll(userId, sessionId)
    await tx.refreshTokens.deleteAll(sessionId)
    // The session cannot be extended any more, so it leaves lists when its last access token expires.
    await tx.sessions.touch({ id: sessionId, lastUsedAt: now, expiresAt: now + issuer.accessLifetimeMs, address })
    return null
  }

  return { renew, endRefreshing }
}
