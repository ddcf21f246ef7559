import { describedFile, type StoredFile } from './file.ts'
import type { Job } from './job.ts'
import type { JsonObject } from './merge-patch.ts'
import type { Instant, User } from './user.ts'

/** The kind of the events that report how a job ended. */
export const JOBS = 'jobs'
export const JOB_EVENTS = ['job.done', 'job.dead'] as const
export type JobEventName = (typeof JOB_EVENTS)[number]

/** The kind of the events that report changes of definitions. */
export const DEFINITIONS = 'collections'
export const DEFINITION_CHANGES = ['created', 'updated', 'deleted'] as const
export type DefinitionChangeName = (typeof DEFINITION_CHANGES)[number]

/**
 * The kind of the events that report changes of users that may change the result of rules: their rights, their address,
 * and the name that others see.
 */
export const USERS = 'users'

/** The kind of the events that report deleted files, which rules may have read. */
export const FILES = 'files'

/** A job in the log, without its payload. */
export type EndedJob = Omit<Job, 'payload'>

/** An entry of the log: who did what, when, in which request. Readers ignore kinds they do not know. */
export interface LoggedEvent {
  /** Increases in the order of commits. */
  readonly position: number
  /** The name of a collection, or {@link JOBS}. */
  readonly kind: string
  readonly event: string
  /** Id of the record or job, within its kind. */
  readonly subjectId: number
  /** Null if the subject has no owner. */
  readonly ownerId: number | null
  /** The subject after the change, or before it was deleted. */
  readonly data: JsonObject
  /**
   * The subject before the change; null if there was none: it was created, or a deletion that removes it now had already
   * taken effect. Clients do not see it. Absent for kinds that do not need it.
   */
  readonly previous?: JsonObject | null
  /** Null for changes made by the server itself. */
  readonly actorId: number | null
  readonly requestId: string | null
  /** The session of the actor; null without one, and for changes made in the background. */
  readonly sessionId: number | null
  readonly createdAt: Instant
}

export type NewEvent = Omit<LoggedEvent, 'position'>

export const jobEvent = (event: JobEventName, { payload: _, ...job }: Job, createdAt: Instant): NewEvent => ({
  kind: JOBS,
  event,
  subjectId: job.id,
  ownerId: null,
  data: { ...job },
  actorId: null,
  requestId: null,
  sessionId: null,
  createdAt,
})

/** A user in the log: only what others may see. */
const loggedUser = ({ id, name }: User): JsonObject => ({ id, name })

/** Null if nothing has changed that rules or other users see. The event counts as the user's own data. */
export const userEvent = (before: User, after: User, actorId: number | null, createdAt: Instant): NewEvent | null => {
  const isSame =
    before.name === after.name &&
    before.role === after.role &&
    before.email === after.email &&
    before.emailVerified === after.emailVerified
  if (isSame) return null
  return {
    kind: USERS,
    event: 'user.updated',
    subjectId: after.id,
    ownerId: after.id,
    data: loggedUser(after),
    previous: loggedUser(before),
    actorId,
    requestId: null,
    sessionId: null,
    createdAt,
  }
}

export const userDeletedEvent = (user: User, actorId: number, createdAt: Instant): NewEvent => ({
  kind: USERS,
  event: 'user.deleted',
  subjectId: user.id,
  ownerId: user.id,
  data: loggedUser(user),
  previous: loggedUser(user),
  actorId,
  requestId: null,
  sessionId: null,
  createdAt,
})

/** The event counts as data of the owner of the file. */
export const fileDeletedEvent = (
  file: StoredFile,
  author: Pick<NewEvent, 'actorId' | 'requestId' | 'sessionId' | 'createdAt'>,
): NewEvent => ({
  kind: FILES,
  event: 'file.deleted',
  subjectId: file.id,
  ownerId: file.ownerId,
  data: describedFile(file),
  previous: describedFile(file),
  ...author,
})

/** A file that was deleted with its owner: the log does not have what it was like. */
export const fileErasedEvent = ({ id, ownerId }: Pick<StoredFile, 'id' | 'ownerId'>, createdAt: Instant): NewEvent => ({
  kind: FILES,
  event: 'file.deleted',
  subjectId: id,
  ownerId,
  data: { id },
  actorId: null,
  requestId: null,
  sessionId: null,
  createdAt,
})
