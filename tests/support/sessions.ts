import { createAccessTokens } from '../../src/adapters/jwt/access-tokens.ts'
import type { UnitOfWork } from '../../src/application/ports/persistence.ts'
import { userNamed } from './store.ts'

const clock = { now: () => Date.now() }
/** Signs and verifies the tokens of {@link newSession}. */
export const sessionTokens = createAccessTokens('a secret that only these tests know', clock)

let names = 0

/** A session of a new user, with an access token, made in the database itself. */
export const newSession = async (store: UnitOfWork) => {
  const expiresAt = Date.now() + 3_600_000
  const session = await store.write(async (tx) => {
    const user = await tx.users.insert(userNamed(`person${++names}`))
    const at = { createdAt: 1, lastUsedAt: 1, expiresAt }
    return tx.sessions.insert({ userId: user.id, device: '', address: '', ...at })
  })
  const claims = { userId: session.userId, sessionId: session.id, sessionCreatedAt: session.createdAt, expiresAt }
  return { ...session, token: await sessionTokens.issue(claims) }
}
