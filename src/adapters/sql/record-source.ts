import type { RecordStorage, StoredCollection } from '../../application/ports/collections.ts'
import type { JsonObject } from '../../domain/merge-patch.ts'
import type { RowPosition } from '../../domain/page.ts'
import type { StoredRecord } from '../../domain/record.ts'
import type { Instant } from '../../domain/user.ts'
import type { Matching, RunMatching, Step } from './search-source.ts'

/** What all keys of a part of an index begin with: the values of its first fields. */
export interface KeyPrefix {
  readonly key: Uint8Array
  readonly fieldsCount: number
}

/**
 * A part of the records of a collection, in the order of an index. Ties are in the order of their ids.
 *
 * - `column`: all records, or those of one owner (null: of nobody), by a column. Keys are values of the column.
 * - `point`: the records with exactly this key in an index, by `created_at`, which is their key.
 * - `range`: the records with keys from `low` before `high`, by their entries (key, `created_at`, id). Keys are
 *   {@link entryKey}; without the `prefix` if they are `relative`, so that parts with different prefixes can be merged in
 *   the order of the fields after it.
 */
export type Order =
  | { readonly kind: 'column'; readonly column: string; readonly ownerId?: number | null }
  | { readonly kind: 'point'; readonly indexId: number; readonly key: Uint8Array }
  | RangeOrder

export interface RangeOrder {
  readonly kind: 'range'
  readonly indexId: number
  readonly low: Uint8Array
  readonly high: Uint8Array
  readonly prefix: KeyPrefix
  readonly relative?: boolean
}

const NO_BYTES = new Uint8Array()

/** The bytes of a range's keys that its positions leave out. */
export const hiddenPrefixOf = ({ relative = false, prefix }: RangeOrder): Uint8Array =>
  relative ? prefix.key : NO_BYTES

/** Which entries of an order to read. */
export interface EntryRange {
  /** Null for the beginning. */
  readonly after: RowPosition | null
  readonly descending: boolean
  /** Excludes others if the order is by `created_at`; for another order both are null. */
  readonly createdAfter: Instant | null
  readonly createdBefore: Instant | null
}

/** An id and where it is in the order. */
export type Entry = RowPosition

/**
 * The records of a collection as an engine reads them. The cost of each operation is bounded by its arguments, for any
 * data.
 */
export interface RecordSource {
  /** The first entries of each order, up to `limit` of each. There are up to {@link MAX_ORDERS_COUNT} orders. */
  entries(
    orders: readonly Order[],
    range: EntryRange,
    limit: number,
  ): readonly (readonly Entry[])[] | Promise<readonly (readonly Entry[])[]>
  /** The ids of the first `limit` entries of an order. */
  ids(order: Order, range: EntryRange, limit: number): readonly number[] | Promise<readonly number[]>
  /** The number of entries of all orders together, from the index alone. Stops at `limit`. */
  count(
    orders: readonly Order[],
    range: Pick<EntryRange, 'createdAfter' | 'createdBefore'>,
    limit: number,
  ): number | Promise<number>
  /**
   * Reads records in the order of the ids until `maxBytes` are reached. At least one id is read. Those that do not
   * exist are left out.
   */
  records(ids: readonly number[], maxBytes: number): ReadRecords | Promise<ReadRecords>
  /** Searches the text index. It may find records that do not contain the words. */
  matching(words: readonly string[], matching: Matching): RunMatching<Step | Promise<Step>>
}

export interface ReadRecords {
  readonly records: readonly StoredRecord[]
  /** How many of the ids have been read. */
  readonly readCount: number
  /** The size of the records. */
  readonly bytes: number
}

/** What a query may read. Inside a transaction, what its repositories read. */
export interface QueryDatabase {
  /** A collection defined at run time. */
  findCollection(name: string): StoredCollection | null | Promise<StoredCollection | null>
  /** Also of a collection that is referenced. */
  sourceOf(storage: RecordStorage): RecordSource
  /** What expressions may know of users and files; those that exist, in no order. At most a hundred ids. */
  readonly users: (ids: readonly number[]) => readonly JsonObject[] | Promise<readonly JsonObject[]>
  readonly files: (ids: readonly number[]) => readonly JsonObject[] | Promise<readonly JsonObject[]>
}

export const MAX_ORDERS_COUNT = 1_000

const HEX_DIGITS_PER_BYTE = 2
const TIME_DIGITS = 16
const TIME_BASE = 16

/**
 * The position of an entry in an index, as text: its key, then `created_at`, both in hexadecimal digits. Compares like
 * the entry.
 */
export const entryKey = (key: Uint8Array, createdAt: Instant): string =>
  key.toHex() + createdAt.toString(TIME_BASE).padStart(TIME_DIGITS, '0')

/** Null if the text is not {@link entryKey}. The key is returned with the prefix that the position has left out. */
export const parseEntryKey = (
  text: string | number,
  hiddenPrefix: Uint8Array = NO_BYTES,
): { readonly key: Uint8Array; readonly createdAt: Instant } | null => {
  if (typeof text === 'number' || text.length < TIME_DIGITS || text.length % HEX_DIGITS_PER_BYTE !== 0) return null
  if (!/^[0-9a-f]*$/.test(text)) return null
  const createdAt = Number.parseInt(text.slice(-TIME_DIGITS), TIME_BASE)
  if (!Number.isSafeInteger(createdAt)) return null
  return { key: Uint8Array.fromHex(hiddenPrefix.toHex() + text.slice(0, -TIME_DIGITS)), createdAt }
}
