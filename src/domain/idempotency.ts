import type { Instant, Role } from './user.ts'

/** A stored response, which is returned again for the same key. */
export interface StoredResponse {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  /** JSON text. */
  readonly body: string
}

/** A request with an Idempotency-Key that was done, with its user and route. */
export interface IdempotencyRecord {
  readonly userId: number
  readonly route: string
  readonly key: string
  /** SHA-256 of the request. */
  readonly fingerprint: Uint8Array
  readonly response: StoredResponse
  /** The role that the caller needs to read the response. */
  readonly role: Role
  readonly createdAt: Instant
}

export const IDEMPOTENCY_TTL_MS = 24 * 3_600_000
