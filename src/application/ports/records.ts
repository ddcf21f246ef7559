import type { Expression } from '../../domain/expression.ts'
import type { JsonObject } from '../../domain/merge-patch.ts'
import type { Page, PageRequest } from '../../domain/page.ts'
import type { NewRecord, StoredRecord } from '../../domain/record.ts'
import type { Instant } from '../../domain/user.ts'
import type { Awaitable } from '../awaitable.ts'

/** A list of the records of a collection, sorted by one of {@link sortsOf}. */
export interface RecordQuery extends PageRequest<string> {
  /** Null for all owners. */
  readonly ownerId: number | null
  /** Words that the searched fields together must all contain, at least as prefixes. */
  readonly text: string | null
  readonly createdAfter: Instant | null
  readonly createdBefore: Instant | null
  /** What else must hold; only `record` is left to be known. Null for nothing. */
  readonly condition?: Expression | null
  /** Long lists of different accounts take turns; the owner if absent. */
  readonly account?: number | null
}

export interface RecordReader {
  findById(id: number): Awaitable<StoredRecord | null>
  list(query: RecordQuery): Promise<Page<StoredRecord>>
  /** Those that exist, in no order. Call it with at most a hundred ids. */
  findAll(ids: readonly number[]): Awaitable<readonly StoredRecord[]>
  /** Throws `Marked` if a deletion is marking one of these records, which the same transaction has read. */
  requireUnmarked(records: readonly StoredRecord[]): void
  /** The next records in the order of their ids: up to `maxCount`, or to the one that reaches `maxBytes`. */
  chunk(query: { readonly after: number; readonly maxCount: number; readonly maxBytes: number }): Promise<{
    readonly records: readonly StoredRecord[]
    /** Whether no records follow. */
    readonly complete: boolean
  }>
}

/**
 * Of a collection defined at run time, `next` are the fields in the form of its pending definition. Every change throws
 * `Marked` for a record that is being deleted.
 */
export interface RecordRepository extends RecordReader {
  /** Throws `not_unique`. */
  insert(record: NewRecord, next?: JsonObject): Promise<StoredRecord>
  /**
   * Inserts records without ids, which get them in their order, while no definition is being prepared. Throws `not_unique`
   * if any of them is not, without telling which.
   */
  insertAll(records: readonly NewRecord[]): Promise<readonly StoredRecord[]>
  /** Stores fields, version and time of the change, in the current epoch. The row must exist. Throws `not_unique`. */
  update(record: StoredRecord, next?: JsonObject): Promise<StoredRecord>
  delete(id: number): Promise<void>
  /** Removes up to `limit` records of an owner and returns them. */
  deleteOwned(ownerId: number, limit: number): Promise<readonly StoredRecord[]>
  /** Leaves up to `limit` records of an owner without one, and returns them, changed. */
  releaseOwned(ownerId: number, limit: number, now: Instant): Promise<readonly StoredRecord[]>
  /** Up to `limit` records whose field references the record with this id, in the order of their ids. */
  referencing(field: string, id: number, limit: number): Promise<readonly StoredRecord[]>
  /**
   * Stores a record in the form and the indexes of the pending definition, unless it has changed meanwhile. Throws
   * `not_unique`.
   */
  prepare(record: StoredRecord, next: JsonObject): Promise<void>
}
