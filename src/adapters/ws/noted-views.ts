import type { AuditReads } from '../../application/audit-reads.ts'
import { showsOthers, type View } from '../../application/topics.ts'
import type { Principal } from '../../domain/session.ts'
import type { Connection } from './connection.ts'

/**
 * Records in the audit log that an admin follows records of other users. Returns a promise only if it has to query the
 * database.
 */
export type NoteView = (connection: Connection, principal: Principal, view: View) => Promise<void> | undefined

export const createNoteView =
  (auditReads: AuditReads): NoteView =>
  ({ origin }, principal, view) =>
    showsOthers(view)
      ? auditReads.note({ ...principal, ...origin }, 'record.read', view.topic.replace(/\/all$/, ''))
      : undefined
