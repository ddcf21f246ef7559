import type { Collection } from '../domain/collection.ts'
import type { JsonObject } from '../domain/merge-patch.ts'
import type { Page, PageRequest } from '../domain/page.ts'
import type { Actor, Principal } from '../domain/session.ts'
import type { Instant } from '../domain/user.ts'
import type { Expected } from './records.ts'

/** A collection as admins see it. */
export interface CollectionDetails {
  readonly collection: Collection
  /** Whether it is defined in code, and cannot be changed. */
  readonly isBuiltIn: boolean
  /** 1 for one defined in code. */
  readonly version: number
  readonly epoch: string
  /** Null for one defined in code. */
  readonly createdAt: Instant | null
  readonly updatedAt: Instant | null
  /** The number of its records. */
  readonly records: number
}

export interface PutOptions {
  /** The versions that may be replaced; null for any. */
  readonly expected: Expected
  /** Whether there must be no such collection yet (`If-None-Match: *`). */
  readonly mustNotExist?: boolean
  /** A JSON Patch (RFC 6902) that every record goes through before it is checked against the definition. */
  readonly transform?: readonly JsonObject[] | null
}

export interface RemoveOptions {
  readonly expected: Expected
  /** How many records may be deleted with it; without it, the collection must be empty. */
  readonly records?: number
}

export interface PutResult {
  readonly details: CollectionDetails
  readonly isNew: boolean
}

/** The definitions of collections. For admins only: everything throws `forbidden`. */
export interface Collections {
  /** Those defined in code included. */
  list(principal: Principal, query: PageRequest<'name'>): Promise<Page<CollectionDetails>>
  /** Throws `not_found`. */
  get(principal: Principal, name: string): Promise<CollectionDetails>
  /**
   * Creates a collection, or replaces its definition once every record fits the new one. The same definition keeps its
   * version. Takes as long as checking every record does, and delays nobody else; until then, records are read and
   * written under the present definition. A record that is written meanwhile and does not fit is one of the misfits.
   *
   * Throws `validation_failed` with every fault of the definition, `version_mismatch` (also if the definition was changed
   * meanwhile), `collection_built_in`, `managed_by_files`, and `records_do_not_fit` with the number of misfits and the
   * faults of the first ten, if a record does not fit the definition or another one with the same unique values; nothing
   * changes then.
   */
  put(actor: Actor, name: string, definition: JsonObject, options: PutOptions): Promise<PutResult>
  /**
   * Deletes a collection and its records. Throws `not_found`, `version_mismatch`, `collection_built_in`,
   * `managed_by_files`, `referenced` if another collection references it, and `not_empty` unless `records` is the exact
   * number of its records.
   */
  remove(actor: Actor, name: string, options: RemoveOptions): Promise<void>
  /** Abandons definitions that a process was preparing when it ended. Call it before this process serves. */
  abandonUnfinished(): Promise<void>
}
