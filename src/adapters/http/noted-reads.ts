import type { AuditReads } from '../../application/audit-reads.ts'
import { type Call, callerOf } from './call.ts'
import type { AddressOf } from './client-address.ts'

/** The content of a response. */
export interface ShownData {
  readonly action: Parameters<AuditReads['note']>[1]
  /** The record, user, file or collection. */
  readonly subject: string
  readonly owners: readonly { readonly ownerId: number | null }[]
}

/** Records in the audit log what an admin reads of other users. Returns a promise only if it has to wait. */
export type NoteRead = (call: Call, request: Request, shown: ShownData) => Promise<void> | undefined

export const createNoteRead =
  (reads: AuditReads, addressOf: AddressOf): NoteRead =>
  (call, request, { action, subject, owners }) => {
    const { principal } = call
    if (principal?.role !== 'admin') return undefined
    if (owners.every(({ ownerId }) => ownerId === null || ownerId === principal.userId)) return undefined
    call.address ??= addressOf(request)
    return reads.note(callerOf(call, call.address), action, subject)
  }
