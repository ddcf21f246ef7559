import type { Collection, ReferenceField, RuleName } from '../domain/collection.ts'
import type { Expression } from '../domain/expression.ts'
import type { RecordStorage, RecordValidator, StoredCollection } from './ports/collections.ts'
import type { ReadTx } from './ports/persistence.ts'

/** A collection with everything that its use needs. */
export interface CompiledCollection {
  readonly collection: Collection
  readonly storage: RecordStorage
  /** Null for one defined in code. */
  readonly stored: StoredCollection | null
  /** Null where only admins may. */
  readonly rules: Readonly<Record<RuleName, Expression | null>>
  readonly validator: RecordValidator
  readonly references: readonly ReferenceField[]
}

/** What a transaction needs to look up collections. */
export type CatalogTx = Pick<ReadTx, 'collections'>

/** A reference to the records of a collection, users or files, from another collection or the same. */
export interface Referrer {
  readonly compiled: CompiledCollection
  readonly field: ReferenceField
}

/**
 * Every collection, compiled when it is first used, and again when its definition, or one that its rules read, has
 * changed. For one defined in code, the answer is not a promise.
 */
export interface Catalog {
  /** Those defined in code. */
  readonly builtIn: readonly Collection[]
  /** Throws `not_found`. */
  find(tx: CatalogTx, name: string): CompiledCollection | Promise<CompiledCollection>
  /** All of them, in the order of their names. */
  all(tx: CatalogTx): Promise<readonly CompiledCollection[]>
  /** The references to a collection, `users` or `files`. */
  referrersOf(tx: CatalogTx, target: string): Promise<readonly Referrer[]>
  /** A filter over the fields of a collection. Throws `validation_failed` with the positions of its faults. */
  compileFilter(tx: CatalogTx, compiled: CompiledCollection, text: string): Promise<Expression>
}
