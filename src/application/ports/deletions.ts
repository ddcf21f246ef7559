import { AppError } from '../../domain/errors.ts'
import type { JsonObject } from '../../domain/merge-patch.ts'
import type { NewRecord, StoredRecord } from '../../domain/record.ts'
import type { Instant } from '../../domain/user.ts'
import type { StoredCollection } from './collections.ts'

/**
 * A deletion that affects more records than one transaction changes. While it is `marking`, the affected records stay as
 * they are, and cannot be changed. Once it is `done`, they no longer exist, or lack their references to what was deleted;
 * then they are removed or stored in that form. An `abandoned` one has changed nothing.
 */
export interface Deletion {
  readonly id: number
  /** What is deleted: the name of a collection, or `files`, and an id in it. */
  readonly target: string
  readonly targetId: number
  readonly state: 'marking' | 'done' | 'abandoned'
  /** Renewed while records are being marked, so an expired lease means that the process is gone. */
  readonly leaseUntil: Instant
  /** How many records are deleted, by the ids of their collections; of every collection in which records are marked. */
  readonly reached: Readonly<Record<string, number>>
  /** The fields in which references are cleared, by the ids of collections. */
  readonly cleared: Readonly<Record<string, readonly string[]>>
  readonly actorId: number | null
  readonly requestId: string | null
  readonly sessionId: number | null
  readonly createdAt: Instant
}

export type NewDeletion = Omit<Deletion, 'id'>

/** How a record is marked. */
export interface Mark {
  readonly deletionId: number
  /**
   * How many references lead from the record to what is deleted. Null if the record stays, and only its references are
   * cleared.
   */
  readonly level: number | null
}

export interface Referrer {
  /** Without the references that the deletion that has marked it clears. */
  readonly record: StoredRecord
  readonly mark: Mark | null
}

/** Where a list of referrers continues. */
export interface ReferrerPosition {
  readonly createdAt: Instant
  readonly id: number
}

/** The records of a collection that deletions have marked. */
export interface MarkedRecords {
  /** The next records whose field references the record with this id, in the order of their creation. */
  referrers(
    field: string,
    id: number,
    page: { readonly after: ReferrerPosition | null; readonly limit: number },
  ): Promise<{ readonly found: readonly Referrer[]; readonly next: ReferrerPosition | null }>
  /** Marks records, which must exist and have no mark, for deletion. */
  mark(deletionId: number, ids: readonly number[], level: number): Promise<void>
  /** Marks a record, which is not to be deleted, with the fields that it will have. */
  markCleared(deletionId: number, id: number, fields: JsonObject): Promise<void>
  /** The ids of the next records of a level, in ascending order. */
  ofLevel(
    deletionId: number,
    level: number,
    page: { readonly after: number; readonly limit: number },
  ): Promise<readonly number[]>
  /** Removes up to `limit` marks and returns how many. */
  unmark(deletionId: number, limit: number): Promise<number>
  /** Up to `limit` records of a deletion that is done: as they were, or without their references if they stay. */
  remaining(
    deletionId: number,
    limit: number,
  ): Promise<readonly { readonly record: StoredRecord; readonly isDeleted: boolean }[]>
  /** The deleted records, not removed yet, whose entries in unique indexes this record needs. */
  obstructing(record: NewRecord | StoredRecord, next: JsonObject | undefined): Promise<readonly StoredRecord[]>
}

export interface DeletionReader {
  find(id: number): Promise<Deletion | null>
  /** The deletion that is marking what depends on this target, or was when its process ended. */
  marking(target: string, targetId: number): Promise<Deletion | null>
}

export interface DeletionRepository extends DeletionReader {
  insert(deletion: NewDeletion): Promise<Deletion>
  update(deletion: Deletion): Promise<void>
  delete(id: number): Promise<void>
  recordsOf(stored: StoredCollection): MarkedRecords
}

/**
 * Thrown inside a unit that would change or reference something that a deletion has marked. The caller of the unit may find
 * that the deletion was abandoned.
 */
export class Marked extends AppError {
  readonly deletionId: number
  /** Where the marked record is; null for another target. */
  readonly storage: StoredCollection | null

  constructor(deletionId: number, storage: StoredCollection | null) {
    super('being_deleted', 'It is being deleted together with what it references')
    this.name = 'Marked'
    this.deletionId = deletionId
    this.storage = storage
  }
}
