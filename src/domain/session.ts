import type { Instant, Role } from './user.ts'

/** One signed-in device. Ending a session removes its row and invalidates all its tokens. */
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
export interface SignInOrigin {
  readonly device: string
  readonly address: string
}

/** Who sends a request, verified by an access token whose session has not ended. */
export interface Principal {
  readonly userId: number
  readonly sessionId: number
  readonly role: Role
}

/** Who makes a change, and in which request, as recorded in the log of changes. */
export interface Actor extends Principal {
  readonly requestId: string
}

/** Someone without a token who makes a change. */
export interface Anonymous {
  readonly userId: null
  readonly requestId: string
}

/** Who makes a request, and from where. */
export interface Caller extends Actor {
  readonly address: string
}

/** Someone without a token who makes a request, and from where. */
export interface Visitor extends Anonymous {
  readonly address: string
}

export const MAX_DEVICE_LENGTH = 200

/** How many sign-in networks of a user are stored, and for how long. */
export const MAX_SIGN_IN_SOURCES_COUNT = 20
export const SIGN_IN_SOURCE_KEPT_MS = 180 * 24 * 3_600_000
