import type { AuditAction, AuditEntry, NewAuditEntry } from '../../domain/audit.ts'
import type { Instant } from '../../domain/user.ts'

/** The entries that one index finds: all, those of one actor or about one subject, or those of some actions. */
export type AuditScope =
  | 'all'
  | { readonly actorId: number }
  | { readonly subject: string }
  | { readonly actions: readonly AuditAction[] }

export interface AuditReader {
  /** Entries with a smaller id than `before`, newest first: exactly `limit`, unless there are no more. */
  newest(query: {
    readonly scope: AuditScope
    readonly before: number
    readonly limit: number
  }): Promise<readonly AuditEntry[]>
  /** The newest entry whose id is at most `id`. */
  latest(id: number): Promise<Pick<AuditEntry, 'id' | 'createdAt'> | null>
}

/** Entries are added by the transactions of what they are about, so that there is one exactly if it took effect. */
export interface AuditRepository extends AuditReader {
  append(entry: NewAuditEntry): Promise<void>
  /** As `append`, but if there is an entry with this key, only counts there and sets when it happened last. */
  appendOrCount(entry: NewAuditEntry, key: string): Promise<void>
  /** As `append`, unless there is an entry with this key. */
  appendOnce(entry: NewAuditEntry, key: string): Promise<void>
  /** When the actor's `nth` newest entry was made, counted from 1; null if there are fewer. */
  timeOfActor(actorId: number, nth: number): Promise<Instant | null>
  /** When the `nth` newest entry of an action was made, counted from 1; null if there are fewer. */
  timeOfAction(action: AuditAction, nth: number): Promise<Instant | null>
  /** Removes up to `limit` entries from before `instant`, the oldest first, and returns how many. */
  deleteBefore(instant: Instant, limit: number): Promise<number>
  /**
   * Removes the addresses from the next `limit` entries of a removed user, and from those about them of someone who was
   * not signed in. Returns its progress, to pass as `after`; null when nothing is left.
   */
  eraseAddresses(userId: number, after: number, limit: number): Promise<number | null>
}
