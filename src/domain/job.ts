import type { MailRequest } from './mail.ts'
import type { Instant } from './user.ts'

export const JOB_STATES = ['queued', 'running', 'done', 'dead'] as const
export type JobState = (typeof JOB_STATES)[number]

/** Recurring jobs without a payload. */
export const RECURRING_KINDS = ['clean-up', 'sweep-blobs'] as const
export type RecurringKind = (typeof RECURRING_KINDS)[number]

/** Someone at `source` requested a new password for an account. Jobs of older releases have only the address. */
export interface PasswordForgotten {
  readonly email: string
  readonly source?: string
  readonly address?: string
  readonly requestId?: string
}

/** Work to do after a commit, with its parameters. */
export type JobRequest =
  | { readonly kind: 'mail'; readonly payload: MailRequest }
  | { readonly kind: 'password-forgotten'; readonly payload: PasswordForgotten }
  | { readonly kind: 'forget-user'; readonly payload: { readonly userId: number } }
  | { readonly kind: 'finish-deletion'; readonly payload: { readonly deletionId: number } }
  | { readonly kind: 'delete-blob'; readonly payload: { readonly key: string } }
  | { readonly kind: 'backup'; readonly payload: { readonly backupId: number } }
  | { readonly kind: 'verify-backup'; readonly payload: { readonly backupId: number } }
  | { readonly kind: 'delete-archive'; readonly payload: { readonly name: string } }
  | { readonly kind: 'scheduled-backup'; readonly payload: { readonly schedule: string } }
  | { readonly kind: RecurringKind; readonly payload: Readonly<Record<string, never>> }

const JOB_REQUEST_ID = /^job-(\d+)$/

/** Names a job as the cause of a change, in place of the request id of a client. */
export const jobRequestId = ({ id }: { readonly id: number }): string => `job-${id}`

/** Null for the id of a client's request, which never looks like a job's. */
export const jobIdOf = (requestId: string | null): number | null => {
  const [, id] = JOB_REQUEST_ID.exec(requestId ?? '') ?? []
  return id === undefined ? null : Number(id)
}

export type JobKind = JobRequest['kind']

export interface Job {
  readonly id: number
  /** The queue may also contain kinds of an older or newer release. */
  readonly kind: JobKind | (string & {})
  readonly payload: unknown
  readonly state: JobState
  /** How many times it was started. */
  readonly attempts: number
  /** Not before. */
  readonly runAt: Instant
  readonly lastError: string | null
  readonly createdAt: Instant
  readonly updatedAt: Instant
}

const MAX_RETRIES_COUNT = 8

const FIRST_DELAY_MS = 5_000
const MAX_DELAY_MS = 6 * 3_600_000

/**
 * Milliseconds to wait after this number of failed attempts, or null to give up. Each delay is four times the one
 * before, multiplied by 0.5 to 1.5 depending on `random` (0 to 1), so that jobs that failed together do not retry
 * together.
 */
export const retryDelay = (attempts: number, random: number): number | null =>
  attempts > MAX_RETRIES_COUNT ? null : Math.min(MAX_DELAY_MS, FIRST_DELAY_MS * 4 ** (attempts - 1)) * (0.5 + random)
