import type { Instant } from './user.ts'

export type MailTokenPurpose = 'verify' | 'reset'

/** A single-use proof that someone can read mail to an address. A user has at most one for each purpose. */
export interface MailToken {
  readonly userId: number
  readonly purpose: MailTokenPurpose
  /** The address it was mailed to, which using it verifies. */
  readonly email: string
  /** The token is derived from it and the server's secret; it is useless alone. */
  readonly nonce: string
  readonly hash: Uint8Array
  readonly expiresAt: Instant
}

export const MAIL_TOKEN_TTL_MS: Readonly<Record<MailTokenPurpose, number>> = {
  verify: 24 * 3_600_000,
  reset: 30 * 60_000,
}
