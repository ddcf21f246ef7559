import { type AuditAction, type AuditDetails, type AuditOrigin, auditEntry, startOfSpan } from '../domain/audit.ts'
import type { Instant, Role } from '../domain/user.ts'
import type { Tx } from './ports/persistence.ts'

/** Who did something. Entries of admins, of the server and of its command line are never combined. */
export interface AuditActor extends AuditOrigin {
  readonly role?: Role
}

export interface Audited {
  readonly subject?: string | null
  readonly details?: AuditDetails
  readonly now: Instant
}

/** Entries that a user who is not an admin adds per hour; further ones are counted in one entry for each action. */
export const MAX_USER_ENTRIES_PER_SPAN_COUNT = 100

/** Entries about failed sign-ins per hour; further ones are counted in one entry. */
export const MAX_FAILURES_PER_SPAN_COUNT = 1_000

/**
 * Adds an entry to the audit log, in the transaction of what it is about. So that nobody fills the disk, entries of a
 * user who is not an admin are combined beyond {@link MAX_USER_ENTRIES_PER_SPAN_COUNT}.
 */
export const audit = async (
  tx: Pick<Tx, 'audit'>,
  actor: AuditActor,
  action: AuditAction,
  about: Audited,
): Promise<void> => {
  const entry = auditEntry(actor, action, about)
  const { actorId } = entry
  const span = startOfSpan(about.now)
  const isUser = actorId !== null && actor.role !== 'admin'
  const limitReachedAt = isUser ? await tx.audit.timeOfActor(actorId, MAX_USER_ENTRIES_PER_SPAN_COUNT) : null
  if (limitReachedAt === null || limitReachedAt < span) return tx.audit.append(entry)
  const combined = { ...entry, subject: null, details: {}, requestId: null, sessionId: null }
  return tx.audit.appendOrCount(combined, `${action} by ${actorId} at ${span}`)
}

/** A sign-in that was refused. Failures of one account from one network are counted in one entry per hour. */
export interface FailedSignIn {
  /** Null if there is no such account: what was typed may be a password, and is not stored. */
  readonly userId: number | null
  readonly address: string
  readonly source: string
  readonly requestId: string | null
  readonly now: Instant
}

/** Adds a failed sign-in to the audit log, or counts it. */
export const auditFailedSignIn = async (
  tx: Pick<Tx, 'audit'>,
  { userId, address, source, requestId, now }: FailedSignIn,
): Promise<void> => {
  const action = 'sign_in.failed'
  const span = startOfSpan(now)
  const limitReachedAt = await tx.audit.timeOfAction(action, MAX_FAILURES_PER_SPAN_COUNT)
  if (limitReachedAt !== null && limitReachedAt >= span) {
    const others = auditEntry({ userId: null, sessionId: null, requestId: null, address: null }, action, { now })
    return tx.audit.appendOrCount(others, `${action} at ${span}`)
  }
  const subject = userId === null ? null : `users/${userId}`
  const entry = auditEntry({ userId: null, sessionId: null, requestId, address }, action, { subject, now })
  return tx.audit.appendOrCount(entry, `${action} ${subject} from ${source} at ${span}`)
}
