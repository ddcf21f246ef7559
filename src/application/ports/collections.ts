import type { Collection } from '../../domain/collection.ts'
import type { Fault } from '../../domain/errors.ts'
import type { Expression } from '../../domain/expression.ts'
import type { ExpressionContext, ExpressionFault } from '../../domain/expression-names.ts'
import type { Json, JsonObject } from '../../domain/merge-patch.ts'

export type { CompilePattern } from '../../domain/pattern.ts'

import type { Instant } from '../../domain/user.ts'
import type { Awaitable } from '../awaitable.ts'

export type { ExpressionContext, ExpressionFault }

/** An index that is kept for a collection defined at run time: one of its definition, or one for a reference. */
export interface StoredIndex {
  readonly id: number
  readonly fields: readonly string[]
  readonly unique: boolean
  /** Whether it serves a reference: it has one entry for each id in the field. */
  readonly isReference: boolean
}

/** A definition as stored, and the state of its records. */
export interface StoredDefinition {
  readonly collection: Collection
  /** Increases with each definition whose records have another form: see {@link PendingDefinition}. */
  readonly shape: number
  readonly indexes: readonly StoredIndex[]
}

/**
 * A definition that is being prepared: until it is activated or abandoned, every change of a record is also stored in
 * the form and the indexes of this definition.
 */
export interface PendingDefinition extends StoredDefinition {
  /** A JSON Patch (RFC 6902) that gives records their new form; null if they keep it. */
  readonly transform: readonly JsonObject[] | null
  /** Until then, other processes leave it to the one that prepares it. */
  readonly leaseUntil?: Instant
}

/** The effects of large deletions on the records of a collection. */
export interface CollectionDeletions {
  /** How many have taken effect. */
  readonly count: number
  /** The ids of those that have taken effect, and whose records are not all removed yet. */
  readonly unfinished: readonly number[]
  /** The fields in which they have cleared references: the index entries of records may be outdated. */
  readonly clearedFields: readonly string[]
}

/** A collection defined at run time. */
export interface StoredCollection extends StoredDefinition {
  readonly id: number
  readonly version: number
  readonly epoch: string
  readonly createdAt: Instant
  readonly updatedAt: Instant
  readonly pending: PendingDefinition | null
  readonly deletions: CollectionDeletions
}

/** Where the records of a collection are: the name of one defined in code, or one defined at run time. */
export type RecordStorage = string | StoredCollection

export interface CollectionReader {
  /** The same object as before unless it has changed. Null if there is none. */
  find(name: string): Awaitable<StoredCollection | null>
  /** In the order of their names. */
  all(): Promise<readonly StoredCollection[]>
  /** The number of records, exactly. */
  countRecords(storage: RecordStorage): Promise<number>
}

export interface CollectionRepository extends CollectionReader {
  /** As in {@link CollectionReader}; the definition cannot change until the end of the transaction. */
  find(name: string): Awaitable<StoredCollection | null>
  /** As {@link find}; the caller may change it, and other transactions that use it wait. */
  findForChange(name: string): Promise<StoredCollection | null>
  insert(collection: Collection, now: Instant): Promise<StoredCollection>
  /**
   * Begins to prepare another definition. Indexes over the same fields are kept unless the records are transformed.
   * Replaces an earlier pending one.
   */
  prepare(
    stored: StoredCollection,
    next: Pick<PendingDefinition, 'collection' | 'transform' | 'leaseUntil'>,
  ): Promise<StoredCollection>
  /** Extends the lease of the pending definition. */
  renew(stored: StoredCollection, leaseUntil: Instant): Promise<StoredCollection>
  /** Makes the pending definition take effect, with a new version. */
  activate(stored: StoredCollection, now: Instant): Promise<StoredCollection>
  abandon(stored: StoredCollection): Promise<StoredCollection>
  /** Changes which deletions have taken effect, and subtracts `removedCount` from the number of records. */
  setDeletions(stored: StoredCollection, deletions: CollectionDeletions, removedCount: number): Promise<void>
  /** Its records are no longer visible; {@link CollectionRepository.cleanUp} removes them. */
  delete(stored: StoredCollection): Promise<void>
  /** Removes up to `limit` rows that deleted collections, definitions and indexes have left. False if there are none. */
  cleanUp(limit: number): Promise<boolean>
}

/**
 * Checks records against the schema of a collection.
 */
export interface RecordValidator {
  /** A new record with the defaults of omitted fields, or every fault. */
  draft(value: JsonObject): { readonly record: JsonObject } | { readonly faults: readonly Fault[] }
  /** Every fault of the fields of a record as it would be stored. */
  faultsOf(fields: JsonObject): readonly Fault[]
}

/** Compiles the schema of a valid collection. */
export type CompileValidator = (collection: Collection) => RecordValidator

/** Applies a JSON Patch (RFC 6902). Throws an error with a reason if it cannot be applied. */
export type ApplyPatch = (document: Json, patch: readonly JsonObject[]) => Json

/** Parses and checks a CEL expression that yields a boolean. */
export type CompileExpression = (
  text: string,
  context: ExpressionContext,
) => { readonly expression: Expression } | { readonly faults: readonly ExpressionFault[] }
