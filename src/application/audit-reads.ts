import { AUDIT_SPAN_MS, type AuditAction, auditEntry, startOfSpan } from '../domain/audit.ts'
import { AppError } from '../domain/errors.ts'
import type { Caller } from '../domain/session.ts'
import type { UnitOfWork } from './ports/persistence.ts'
import type { Clock } from './ports/system.ts'

/** Records in the audit log what admins read of other users. */
export interface AuditReads {
  /**
   * Adds an entry unless this actor has read the same within the hour, also from another process. Returns a promise only
   * if it has to query the database. While the disk is full, nothing is recorded, so that admins can still find out why.
   */
  note(actor: Caller, action: Extract<AuditAction, `${string}.read`>, subject: string): Promise<void> | undefined
}

/** Reads that are known to have an entry. Beyond this number, the database is queried again. */
const MAX_CACHED_COUNT = 10_000

interface Deps {
  readonly unitOfWork: Pick<UnitOfWork, 'write'>
  readonly clock: Clock
}

const ignoreFullDisk = (error: unknown): void => {
  if (!(error instanceof AppError) || error.code !== 'storage_full') throw error
}

export const createAuditReads = ({ unitOfWork, clock }: Deps): AuditReads => {
  /** The beginning of the hour for which there is an entry, by key. */
  const noted = new Map<string, number>()

  const cache = (key: string, span: number) => {
    const [oldest] = noted.keys()
    if (noted.size >= MAX_CACHED_COUNT && oldest !== undefined) noted.delete(oldest)
    noted.delete(key)
    noted.set(key, span)
  }

  return {
    note(actor, action, subject) {
      const now = clock.now()
      const span = startOfSpan(now)
      const key = `${action} ${subject} by ${actor.userId}`
      const known = noted.get(key)
      if (known !== undefined && now - known < AUDIT_SPAN_MS) return undefined
      const entry = auditEntry(actor, action, { subject, now })
      return unitOfWork
        .write((tx) => tx.audit.appendOnce(entry, `${key} at ${span}`))
        .then(() => cache(key, span), ignoreFullDisk)
    },
  }
}
