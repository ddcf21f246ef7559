import type { Job } from './job.ts'
import type { JsonObject } from './merge-patch.ts'
import type { Instant } from './user.ts'

/** The kind of the events that report how a job ended. */
export const JOBS = 'jobs'
export const JOB_EVENTS = ['job.done', 'job.dead'] as const
export type JobEventName = (typeof JOB_EVENTS)[number]

/** A job as the log holds it: without its payload. */
export type EndedJob = Omit<Job, 'payload'>

/** What happened, as it is in the log: who, what, when, from which request. Readers ignore kinds they do not know. */
export interface LoggedEvent {
  /** Grows with every commit; what commits later has a higher one. */
  readonly cursor: number
  /** The name of a collection, or {@link JOBS}. */
  readonly kind: string
  readonly event: string
  /** Of the record or job, within its kind. */
  readonly subjectId: number
  /** Null for what belongs to nobody. */
  readonly ownerId: number | null
  /** The subject after the change, or before it was deleted. */
  readonly data: JsonObject
  /** Null for what the server did by itself. */
  readonly actorId: number | null
  readonly requestId: string | null
  readonly createdAt: Instant
}

export type NewEvent = Omit<LoggedEvent, 'cursor'>

export const jobEvent = (event: JobEventName, { payload: _, ...job }: Job, createdAt: Instant): NewEvent => ({
  kind: JOBS,
  event,
  subjectId: job.id,
  ownerId: null,
  data: { ...job },
  actorId: null,
  requestId: null,
  createdAt,
})
