import type { Rate } from '../../domain/measures.ts'
import type { Instant } from '../../domain/user.ts'

export interface PasswordHasher {
  /**
   * A salted hash that carries its own parameters, of the password as {@link normalizePassword} spells it. Rejects with
   * `overloaded` when too many wait. Callers from one network take turns with those from others; `address` says where
   * this one calls from, and is absent when it is nobody outside.
   */
  hash(password: string, address?: string): Promise<string>
  /**
   * Whether `password` made `hash`, in whatever Unicode form it is given. With null it takes the time of a real check
   * and answers false, so that an unknown account costs what a known one does. Queues and rejects as `hash` does.
   */
  verify(password: string, hash: string | null, address?: string): Promise<boolean>
}

/** What an access token says: its subject, the session it belongs to and when it ends (RFC 7519 section 4.1). */
export interface AccessClaims {
  readonly userId: number
  readonly sessionId: number
  readonly expiresAt: Instant
}

export interface AccessTokens {
  issue(claims: AccessClaims): Promise<string>
  /** Null for anything that is not one of our tokens, whole and unexpired. Never rejects. */
  verify(token: string): Promise<AccessClaims | null>
}

export interface OpaqueTokens {
  /** 256 random bits, URL-safe. */
  generate(): string
  /** What is stored instead of the token. */
  hash(token: string): Uint8Array
  /** The same token for the same source, which nobody without the server's secret can make. */
  derive(source: string): string
}

/** How a limit stands after a request was counted. */
export interface Allowance {
  readonly allowed: boolean
  readonly limit: number
  readonly remaining: number
  /** Milliseconds until the window ends and the count starts again. */
  readonly resetIn: number
}

export interface RateLimiter {
  /**
   * Takes `cost` (1 if absent) from what `key` may use, if as much is left; a refused request takes nothing. The window
   * starts with its first request.
   */
  take(key: string, rate: Rate, cost?: number): Allowance | Promise<Allowance>
  /** Forgets what was counted for `key`. */
  clear(key: string): void | Promise<void>
}

/** What a signed link to a file says. `expires` is in seconds since 1970. */
export interface SignedParts {
  readonly fileId: number
  readonly linkId: number
  readonly expires: number
}

export interface LinkSigner {
  /** URL-safe. Nobody without the server's secret can make it. */
  sign(parts: SignedParts): string
  /** Takes the same time for every signature of the right length. */
  verify(parts: SignedParts, signature: string): boolean
}
