import type { Instant, Role } from './user.ts'

/** One signed-in device. Ending it removes the row and with it every token that names it. */
export interface Session {
  readonly id: number
  readonly userId: number
  readonly device: string
  readonly address: string
  readonly createdAt: Instant
  readonly lastUsedAt: Instant
  readonly expiresAt: Instant
}

export type NewSession = Omit<Session, 'id'>

/** Where a sign-in came from, as the session list shows it. */
export interface Origin {
  readonly device: string
  readonly address: string
}

/** Who makes a request: proven by an access token whose session still stands. */
export interface Principal {
  readonly userId: number
  readonly sessionId: number
  readonly role: Role
}

/** Who makes a change, and by which request: what the log of changes says of it. */
export interface Actor extends Principal {
  readonly requestId: string
}

/** Who makes a change that may need their password, and from where. */
export interface Caller extends Principal {
  readonly address: string
}

export const MAX_DEVICE_LENGTH = 200

/** From how many networks a user is remembered to have signed in, and for how long. */
export const MAX_SIGN_IN_SOURCES_COUNT = 20
export const SIGN_IN_SOURCE_KEPT_MS = 180 * 24 * 3_600_000
