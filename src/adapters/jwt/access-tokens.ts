import { jwt } from '@elysiajs/jwt'
import type { AccessTokens } from '../../application/ports/security.ts'
import type { Clock } from '../../application/ports/system.ts'

const ISSUER = 'skep'
const AUDIENCE = 'skep-api'
const ALGORITHM = 'HS256'

const integer = (value: unknown): number | null => (Number.isSafeInteger(value) ? Number(value) : null)

const id = (value: unknown): number | null =>
  typeof value === 'string' && /^[1-9]\d{0,15}$/.test(value) ? integer(Number(value)) : null

/** JWTs (RFC 7519) signed with HMAC-SHA-256. `verify` pins algorithm, issuer and audience and requires `exp`. */
export const createAccessTokens = (secret: string, clock: Clock): AccessTokens => {
  const { sign, verify } = jwt({ name: 'jwt', secret, alg: ALGORITHM }).decorator.jwt
  return {
    issue: ({ userId, sessionId, expiresAt }) =>
      sign({
        iss: ISSUER,
        aud: AUDIENCE,
        sub: String(userId),
        sid: String(sessionId),
        exp: Math.floor(expiresAt / 1_000),
        jti: crypto.randomUUID(),
      }),
    async verify(token) {
      const claims = await verify(token, {
        algorithms: [ALGORITHM],
        issuer: ISSUER,
        audience: AUDIENCE,
        requiredClaims: ['exp', 'iat', 'sub', 'sid', 'jti'],
        currentDate: new Date(clock.now()),
      })
      if (claims === false) return null
      const [userId, sessionId] = [id(claims.sub), id(claims.sid)]
      const expiresAt = integer(claims.exp)
      if (userId === null || sessionId === null || expiresAt === null) return null
      return { userId, sessionId, expiresAt: expiresAt * 1_000 }
    },
  }
}
