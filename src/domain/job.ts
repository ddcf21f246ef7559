import type { MailRequest } from './mail.ts'
import type { Instant } from './user.ts'

export const JOB_STATES = ['queued', 'running', 'done', 'dead'] as const
export type JobState = (typeof JOB_STATES)[number]

/** What comes back by itself, and needs to know nothing. */
export const RECURRING_KINDS = ['clean-up', 'sweep-blobs'] as const
export type RecurringKind = (typeof RECURRING_KINDS)[number]

/** Someone at `source` asked for a new password of an account; absent in jobs of older programs. */
export interface PasswordForgotten {
  readonly email: string
  readonly source?: string
}

/** Work to be done after a commit, with what it needs to know. */
export type JobRequest =
  | { readonly kind: 'mail'; readonly payload: MailRequest }
  | { readonly kind: 'password-forgotten'; readonly payload: PasswordForgotten }
  | { readonly kind: 'forget-user'; readonly payload: { readonly userId: number } }
  | { readonly kind: 'delete-blob'; readonly payload: { readonly key: string } }
  | { readonly kind: RecurringKind; readonly payload: Readonly<Record<string, never>> }

export type JobKind = JobRequest['kind']

export interface Job {
  readonly id: number
  /** A kind of an older or newer program may be in the queue too. */
  readonly kind: JobKind | (string & {})
  readonly payload: unknown
  readonly state: JobState
  /** How often it was started. */
  readonly attempts: number
  /** Not before. */
  readonly runAt: Instant
  readonly lastError: string | null
  readonly createdAt: Instant
  readonly updatedAt: Instant
}

export const MAX_RETRIES_COUNT = 8

const FIRST_DELAY_MS = 5_000
const MAX_DELAY_MS = 6 * 3_600_000

/**
 * Milliseconds to wait after so many failed attempts, or null when it is time to give up. Grows by four each time;
 * `random` (0 to 1) spreads it between half and one and a half times, so that what failed together retries apart.
 */
export const retryDelay = (attempts: number, random: number): number | null =>
  attempts > MAX_RETRIES_COUNT ? null : Math.min(MAX_DELAY_MS, FIRST_DELAY_MS * 4 ** (attempts - 1)) * (0.5 + random)
