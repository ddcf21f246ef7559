import { jwt } from '@elysiajs/jwt'
import type { AccessTokens } from '../../application/ports/security.ts'
import type { Clock } from '../../application/ports/system.ts'

const ISSUER = 'skep'
const AUDIENCE = 'skep-api'
const ALGORITHM = 'HS256'

/** Real tokens have about 350 characters. */
const MAX_TOKEN_LENGTH = 1_000

const integer = (value: unknown): number | null => (Number.isSafeInteger(value) ? Number(value) : null)

const id = (value: unknown): number | null =>
  typeof value === 'string' && /^[1-9]\d{0,15}$/.test(value) ? integer(Number(value)) : null

/** Identifies a key without revealing anything about it (RFC 7515 section 4.1.4). */
const keyIdOf = (secret: string): string =>
  new Bun.CryptoHasher('sha256').update(`skep key id ${secret}`).digest('base64url').slice(0, 12)

/**
 * Whether it has the canonical spelling. The signature covers the text of the parts before it, but its own last
 * character has bits that decoders ignore, and lenient decoders accept padding, spaces and another alphabet.
 */
const isCanonical = (token: string): boolean => {
  const signature = /^[\w-]+\.[\w-]+\.([\w-]+)$/.exec(token)?.[1]
  return signature !== undefined && Buffer.from(signature, 'base64url').toString('base64url') === signature
}

/** The key id in a token; undefined for tokens from before key ids existed. */
const keyIdIn = (token: string): unknown => {
  try {
    const header: unknown = JSON.parse(Buffer.from(token.slice(0, token.indexOf('.')), 'base64url').toString())
    return typeof header === 'object' && header !== null && 'kid' in header ? header.kid : undefined
  } catch {
    return null
  }
}

/** A retired key; its signatures are valid until `verifiesUntil`, in milliseconds since 1970. */
export interface PreviousKey {
  readonly secret: string
  readonly verifiesUntil: number
}

/**
 * JWTs (RFC 7519) signed with HMAC-SHA-256. `verify` pins algorithm, issuer and audience, requires `exp`, and accepts
 * only the canonical spelling. `kid` identifies the key.
 */
export const createAccessTokens = (secret: string, clock: Clock, previous: PreviousKey | null = null): AccessTokens => {
  const keyOf = (key: string) => {
    const kid = keyIdOf(key)
    return { kid, ...jwt({ name: 'jwt', secret: key, alg: ALGORITHM, kid }).decorator.jwt }
  }
  const current = keyOf(secret)
  const retired = previous === null ? null : { ...keyOf(previous.secret), verifiesUntil: previous.verifiesUntil }

  const keyFor = (kid: unknown) => {
    if (kid === undefined || kid === current.kid) return current
    return retired !== null && kid === retired.kid && clock.now() < retired.verifiesUntil ? retired : null
  }

  return {
    issue: ({ userId, sessionId, sessionCreatedAt, expiresAt }) =>
      current.sign({
        iss: ISSUER,
        aud: AUDIENCE,
        sub: String(userId),
        sid: String(sessionId),
        auth_time: sessionCreatedAt / 1_000,
        exp: Math.floor(expiresAt / 1_000),
        jti: crypto.randomUUID(),
      }),
    async verify(token) {
      if (token.length > MAX_TOKEN_LENGTH || !isCanonical(token)) return null
      const key = keyFor(keyIdIn(token))
      if (key === null) return null
      const claims = await key.verify(token, {
        algorithms: [ALGORITHM],
        issuer: ISSUER,
        audience: AUDIENCE,
        requiredClaims: ['exp', 'iat', 'sub', 'sid', 'auth_time', 'jti'],
        currentDate: new Date(clock.now()),
      })
      if (claims === false) return null
      const [userId, sessionId] = [id(claims.sub), id(claims.sid)]
      const expiresAt = integer(claims.exp)
      const sessionCreatedAt = integer(Math.round(Number(claims.auth_time) * 1_000))
      if (userId === null || sessionId === null || expiresAt === null || sessionCreatedAt === null) return null
      // Tokens signed with the retired key after its retirement are not valid for longer than those signed before.
      const until = key === retired ? Math.min(expiresAt * 1_000, retired.verifiesUntil) : expiresAt * 1_000
      return { userId, sessionId, sessionCreatedAt, expiresAt: until }
    },
  }
}
