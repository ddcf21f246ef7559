import type { Instant } from './user.ts'

export type MailTokenPurpose = 'verify' | 'reset'

/** A single-use proof that someone reads an address. A user holds at most one for each purpose. */
export interface MailToken {
  readonly userId: number
  readonly purpose: MailTokenPurpose
  /** The address it was mailed to, and proves. */
  readonly email: string
  /** With the server's secret it makes the token; alone it is worth nothing. */
  readonly nonce: string
  readonly hash: Uint8Array
  readonly expiresAt: Instant
}

export const MAIL_TOKEN_TTL_MS: Readonly<Record<MailTokenPurpose, number>> = {
  verify: 24 * 3_600_000,
  reset: 30 * 60_000,
}
