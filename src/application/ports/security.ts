import type { Rate } from '../../domain/measures.ts'
import type { Instant } from '../../domain/user.ts'

export interface PasswordHasher {
  /**
   * A salted hash that carries its own parameters, of the password as {@link normalizePassword} spells it. Rejects with
   * `overloaded` when too many hashes are queued. Networks take turns; `address` is the caller's, and is absent for
   * internal callers.
   */
  hash(password: string, address?: string): Promise<string>
  /**
   * Whether `password`, in any Unicode form, matches `hash`. With null, it takes the time of a real check and returns
   * false, so that unknown accounts cannot be told apart by time. Queues and rejects as `hash` does.
   */
  verify(password: string, hash: string | null, address?: string): Promise<boolean>
}

/**
 * The claims of an access token: its subject and expiry (RFC 7519 section 4.1), its session, and when that began
 * (`auth_time` of OpenID Connect Core 1.0 section 2).
 */
export interface AccessClaims {
  readonly userId: number
  readonly sessionId: number
  readonly sessionCreatedAt: Instant
  readonly expiresAt: Instant
}

export interface AccessTokens {
  issue(claims: AccessClaims): Promise<string>
  /** Null for anything but a valid, unexpired token of this server. Never rejects. */
  verify(token: string): Promise<AccessClaims | null>
}

export interface OpaqueTokens {
  /** 256 random bits, URL-safe. */
  generate(): string
  /** The hash that is stored instead of the token. */
  hash(token: string): Uint8Array
  /** Returns the same token for the same source. Nobody without the server's secret can derive it. */
  derive(source: string): string
}

/** The state of a limit after a request was counted. */
export interface Allowance {
  readonly allowed: boolean
  readonly limit: number
  readonly remaining: number
  /** Milliseconds until the window ends and the count starts again. */
  readonly resetInMs: number
}

export interface RateLimiter {
  /**
   * Takes `cost` (1 if absent) from the remaining limit of `key` if that is enough; a refused request takes nothing.
   * The window starts with its first request.
   */
  take(key: string, rate: Rate, cost?: number): Allowance | Promise<Allowance>
  /** Resets the count of `key`. */
  clear(key: string): void | Promise<void>
}

/** The content of a signed link to a file. `expires` is in seconds since 1970. */
export interface SignedParts {
  readonly fileId: number
  readonly linkId: number
  readonly expires: number
}

/** The content of a signed link to an archive. `expires` is in seconds since 1970. */
export interface SignedBackupParts {
  readonly backupId: number
  /** Of whoever created the link, and when it began. */
  readonly sessionId: number
  readonly sessionCreatedAt: Instant
  readonly expires: number
}

export interface LinkSigner<Parts = SignedParts> {
  /** URL-safe. Nobody without the server's secret can create it. */
  sign(parts: Parts): string
  /** Takes the same time for every signature of the right length. */
  verify(parts: Parts, signature: string): boolean
}
