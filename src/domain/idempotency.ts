import type { Instant, Role } from './user.ts'

/** The answer a client got, kept to be given again. */
export interface StoredAnswer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  /** JSON text. */
  readonly body: string
}

/** What was done under an Idempotency-Key, by whom and on which route. */
export interface IdempotencyRecord {
  readonly userId: number
  readonly route: string
  readonly key: string
  /** SHA-256 of what was sent. */
  readonly fingerprint: Uint8Array
  readonly answer: StoredAnswer
  /** The role without which its caller may not read the answer. */
  readonly role: Role
  readonly createdAt: Instant
}

export const IDEMPOTENCY_TTL_MS = 24 * 3_600_000
