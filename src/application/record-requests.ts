import type { Collection } from '../domain/collection.ts'
import type { StoredFile } from '../domain/file.ts'
import type { JsonObject } from '../domain/merge-patch.ts'
import type { Page } from '../domain/page.ts'
import type { StoredRecord } from '../domain/record.ts'
import type { Actor, Principal } from '../domain/session.ts'
import type { IdempotencyRequest, IdempotentResult } from './idempotency.ts'
import type { ImportIdempotency } from './import-idempotency.ts'
import type { ImportResult } from './import-results.ts'
import type { RecordQuery } from './ports/records.ts'
import type { Author } from './record-access.ts'

/** A version that a change may apply to. */
export interface ExpectedVersion {
  readonly version: number
  /** Null for any. */
  readonly epoch: string | null
  /** The `form` of the collection that the version was shown in; null for any. */
  readonly form: number | null
}

/** The versions that a change may apply to; null for any. */
export type Expected = readonly ExpectedVersion[] | null

/** The input of a change. */
export interface Checkable {
  /** Whether it has passed the schema of the collection, which must be one defined in code. */
  readonly isChecked?: boolean
}

export type RecordOperation = { readonly collection: string } & (
  | ({ readonly op: 'create'; readonly draft: JsonObject } & Checkable)
  | ({
      readonly op: 'update'
      readonly id: number
      readonly patch: JsonObject
      readonly expected: Expected
    } & Checkable)
  | { readonly op: 'delete'; readonly id: number; readonly expected: Expected }
)

/** A record, and the definition of its collection in the same transaction. */
export interface RecordResult {
  readonly collection: Collection
  readonly record: StoredRecord
}

/** What is shown in the place of references, by their fields; without those that the caller may not read. */
export type Expanded = Readonly<Record<string, ExpandedReference | readonly ExpandedReference[]>>

export type ExpandedReference =
  | ({ readonly kind: 'record'; readonly expanded: Expanded | null } & RecordResult)
  | { readonly kind: 'user'; readonly id: number; readonly name: string }
  | { readonly kind: 'file'; readonly file: StoredFile }

export interface ReadOptions {
  /** Which references to expand: names of fields, `owner`, or `list.owner` for one behind another. */
  readonly expand?: readonly string[]
}

export interface ListOptions extends ReadOptions {
  /** What else must hold, as an expression over the fields of the collection. */
  readonly filter?: string | null
}

export interface ReadResult extends RecordResult {
  readonly expanded: Expanded | null
}

export interface ListResult {
  readonly collection: Collection
  readonly page: Page<StoredRecord>
  /** By the ids of the records of the page; null if nothing was to be expanded. */
  readonly expanded: ReadonlyMap<number, Expanded> | null
}

export interface CreateOptions<T> extends Checkable {
  readonly idempotency: IdempotencyRequest<T> | null
}

export interface UpdateOptions extends Checkable {
  readonly expected: Expected
}

export interface ImportOptions {
  readonly isDryRun: boolean
  /** Ignored by a dry run, which creates nothing. */
  readonly idempotency: ImportIdempotency | null
}

/**
 * The records of every collection. What the rules of a collection do not let someone read does not exist for them
 * (`not_found`); what they may read but not change, and what they may not create, is `forbidden`; for someone without
 * a token (null, {@link Anonymous}) it is all `unauthenticated`. A collection that does not exist is `not_found`.
 *
 * Input that does not fit the schema is `validation_failed` with every fault, or `data_too_large`. So is a reference to
 * something that does not exist or that the caller may not read. A value that another record has in a unique index is
 * `not_unique`. Every write that needs space may throw `quota_exceeded` and `storage_reserved`, and every write of a
 * user whose account is gone `invalid_token`.
 */
export interface Records {
  /** The present definition of a collection. */
  collection(name: string): Collection | Promise<Collection>
  /** Throws `idempotency_mismatch`. The caller becomes the owner. */
  create(
    author: Author,
    name: string,
    draft: JsonObject,
    options: CreateOptions<RecordResult>,
  ): Promise<IdempotentResult<RecordResult>>
  /** Throws if the caller may create no record, whatever it is: for use before the body of a request is read. */
  checkCreate(principal: Principal | null, name: string): Promise<void>
  get(principal: Principal | null, name: string, id: number, options?: ReadOptions): Promise<ReadResult>
  /** Throws unless the caller may change the record: for use before the body of a request is read. */
  checkChange(principal: Principal | null, name: string, id: number): Promise<void>
  /**
   * Applies a JSON Merge Patch (RFC 7396). Throws `version_mismatch`. Concurrent writers see each other's changes. A patch
   * that changes nothing leaves version and time unchanged.
   */
  update(author: Author, name: string, id: number, patch: JsonObject, options: UpdateOptions): Promise<RecordResult>
  /**
   * Throws `version_mismatch`, and `referenced` if another record that references it does not allow it. If many records
   * change with it, it takes several transactions, and readers see the last one: then it also throws `being_deleted` if
   * another deletion has reached some of them.
   */
  remove(author: Author, name: string, id: number, expected: Expected): Promise<void>
  /**
   * The records that the caller may read. Of a collection defined in code, those of one owner (`ownerId`); those of others,
   * and of all (null), are for admins: throws `forbidden`. Throws `validation_failed` for a faulty filter, sort or expand.
   */
  list(principal: Principal | null, name: string, query: RecordQuery, options?: ListOptions): Promise<ListResult>
  /**
   * All or nothing, in order; the record of each operation, or null for a delete. A record that is changed more than
   * once has one event, with its last state. The error of an operation has its `index`; for `batch_too_large` it is the
   * first operation whose record does not fit into the response.
   */
  batch(
    actor: Actor,
    operations: readonly RecordOperation[],
    idempotency: IdempotencyRequest<readonly (RecordResult | null)[]> | null,
  ): Promise<IdempotentResult<readonly (RecordResult | null)[]>>
  /** All records, in the order of their ids, a part at a time. For admins: throws `forbidden`. */
  export(
    principal: Principal,
    name: string,
  ): Promise<{ readonly collection: Collection; readonly chunks: AsyncIterable<readonly StoredRecord[]> }>
  /**
   * Creates a record from each line, an object in JSON, in parts. The caller becomes the owner, unless a line has an
   * `owner_id`. A line that cannot be created is refused, and does not affect others. With `idempotency`, the same lines
   * continue after the parts that an interrupted import has stored; throws `idempotency_mismatch` for others, and
   * `idempotency_in_progress` if another request stores some meanwhile. For admins: throws `forbidden`.
   */
  importLines(
    actor: Actor,
    name: string,
    lines: AsyncIterable<string>,
    options: ImportOptions,
  ): Promise<IdempotentResult<ImportResult>>
}
