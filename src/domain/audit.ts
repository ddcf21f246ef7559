import type { Instant } from './user.ts'

/**
 * What can be in the audit log. Changes of records are not stored there: they are shown from the log of changes, see
 * {@link LOGGED_ACTIONS}.
 */
export const AUDIT_ACTIONS = [
  'session.started',
  'session.ended',
  'sign_in.failed',
  'user.created',
  'user.updated',
  'user.deleted',
  'user.read',
  'password.changed',
  'password.reset',
  'password.reset_requested',
  'email.verified',
  'email.verification_requested',
  'collection.created',
  'collection.updated',
  'collection.deleted',
  'record.read',
  'record.created',
  'record.updated',
  'record.deleted',
  'file.created',
  'file.read',
  'file.deleted',
  'link.created',
  'link.deleted',
  'job.retried',
  'job.deleted',
  'backup.created',
  'backup.deleted',
  'backup.read',
  'backup.verified',
  'settings.loaded',
] as const
export type AuditAction = (typeof AUDIT_ACTIONS)[number]

/** The actions that are shown from the log of changes. */
export const LOGGED_ACTIONS = ['record.created', 'record.updated', 'record.deleted'] as const
export type LoggedAction = (typeof LOGGED_ACTIONS)[number]

/** What was changed or read: names, numbers and roles. Never a secret, an email address or the content of records. */
export type AuditDetails = Readonly<Record<string, string | number | boolean | null>>

/** Who did something, in which request and from where. */
export interface AuditOrigin {
  /** Null for someone who is not signed in, and for the server and its command line. */
  readonly userId: number | null
  /** Absent for a visitor. */
  readonly sessionId?: number | null
  /** `job-ID` for a job. */
  readonly requestId: string | null
  readonly address: string | null
}

export interface AuditEntry {
  readonly id: number
  readonly createdAt: Instant
  readonly actorId: number | null
  readonly action: AuditAction
  /** The subject, such as `users/12` or `tasks/7`. */
  readonly subject: string | null
  readonly address: string | null
  readonly sessionId: number | null
  readonly requestId: string | null
  readonly details: AuditDetails
  /** How often it happened: more than 1 if repetitions are counted in this entry. */
  readonly count: number
  /** When it happened last. */
  readonly lastAt: Instant
}

export type NewAuditEntry = Omit<AuditEntry, 'id' | 'count' | 'lastAt'>

/** The server itself, and its command line. */
export const SERVER_ORIGIN: AuditOrigin = { userId: null, sessionId: null, requestId: null, address: null }

/** An entry about something that happens now. */
export const auditEntry = (
  { userId, sessionId = null, requestId, address }: AuditOrigin,
  action: AuditAction,
  {
    subject = null,
    details = {},
    now,
  }: { readonly subject?: string | null; readonly details?: AuditDetails; readonly now: Instant },
): NewAuditEntry => ({ createdAt: now, actorId: userId, action, subject, address, sessionId, requestId, details })

/** Null means all. */
export interface AuditFilter {
  readonly actorId: number | null
  /** An action, or a prefix of actions that ends with a dot. */
  readonly action: string | null
  readonly subject: string | null
  /** The first and the last time to include. */
  readonly since: Instant | null
  readonly until: Instant | null
}

/** The actions that a filter selects; null for all. */
export const actionsOf = ({ action }: Pick<AuditFilter, 'action'>): readonly AuditAction[] | null => {
  if (action === null) return null
  return AUDIT_ACTIONS.filter((each) => (action.endsWith('.') ? each.startsWith(action) : each === action))
}

/** The span in which failures and reads are counted in one entry. */
export const AUDIT_SPAN_MS = 3_600_000

/** The beginning of the span that contains an instant. */
export const startOfSpan = (now: Instant): Instant => now - (now % AUDIT_SPAN_MS)
