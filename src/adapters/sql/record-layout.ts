import type { RecordStorage, StoredCollection, StoredIndex } from '../../application/ports/collections.ts'
import type { Collection } from '../../domain/collection.ts'
import { COLLECTIONS } from '../../domain/collections/index.ts'
import { compareText } from '../../domain/expression-values.ts'
import { invalidCursor, type RowPosition } from '../../domain/page.ts'
import type { StoredRecord } from '../../domain/record.ts'
import { indexKeysOf } from './record-keys.ts'
import { entryKey } from './record-source.ts'
import { RECORD_TABLES, type RecordTable } from './record-table.ts'
import { searchedTextOf } from './stored-records.ts'

/** What a query can use of a collection. */
export interface RecordLayout {
  readonly storage: RecordStorage
  readonly collection: Collection
  /** The columns with an index of their own, and those with an index behind the owner. */
  readonly columns: readonly string[]
  readonly ownerColumns: readonly string[]
  /** Those in which every record has the entries of its present form. */
  readonly indexes: readonly StoredIndex[]
  /** Those that lists may be sorted by. */
  readonly sortIndexes: readonly StoredIndex[]
  /** Whether every index entry is one of a record that exists. */
  readonly isExact: boolean
  textOf(record: StoredRecord): string
}

const OWNER_COLUMNS = ['created_at', 'updated_at'] as const
const STORED_COLUMNS = ['id', ...OWNER_COLUMNS] as const

/** A record whose references a deletion has cleared may have its former entries. */
const currentIndexes = ({ indexes, deletions: { clearedFields } }: StoredCollection): readonly StoredIndex[] =>
  clearedFields.length === 0
    ? indexes
    : indexes.filter(({ fields }) => !fields.some((field) => clearedFields.includes(field)))

export const storedLayout = (stored: StoredCollection): RecordLayout => ({
  storage: stored,
  collection: stored.collection,
  columns: STORED_COLUMNS,
  ownerColumns: OWNER_COLUMNS,
  indexes: currentIndexes(stored),
  sortIndexes: stored.indexes,
  isExact: stored.deletions.unfinished.length === 0,
  textOf: (record) => searchedTextOf(stored, record),
})

/** Of a collection defined in code. */
export const tableLayout = ({ name, collection, sorts, textOf }: RecordTable): RecordLayout => ({
  storage: name,
  collection,
  columns: sorts,
  ownerColumns: sorts,
  indexes: [],
  sortIndexes: [],
  isExact: true,
  textOf,
})

/** Of the collection with this name, if it is defined in code. */
export const codeLayout = (name: string): RecordLayout | null => {
  if (!COLLECTIONS.some((collection: Collection) => collection.name === name)) return null
  const table = RECORD_TABLES.find((each) => each.name === name)
  return table === undefined ? null : tableLayout(table)
}

/** What a list is sorted by: a column, or the entries of an index. */
export type SortOrder = { readonly column: string } | { readonly index: StoredIndex }

/** The index with the fewest fields whose first one this is; of several, the first that the definition names. */
const sortIndex = (indexes: readonly StoredIndex[], field: string): StoredIndex | null =>
  indexes
    .filter(({ isReference, fields }) => !isReference && fields[0] === field)
    .toSorted((one, other) => one.fields.length - other.fields.length)[0] ?? null

/** The name of the order of an index, in positions: that of its fields. */
const orderName = ({ fields }: StoredIndex): string => fields.join()

/**
 * The order of a list; with `after`, the order that cursor was made in, even if a list that begins now would have another.
 * Throws `invalid_cursor` if the definition no longer has it, and an error for a field that no list can be sorted by.
 */
export const sortOrderOf = (
  { collection, columns, sortIndexes }: RecordLayout,
  field: string,
  after: RowPosition | null,
): SortOrder => {
  if (columns.includes(field)) return { column: field }
  const indexes = after === null ? sortIndexes : sortIndexes.filter((index) => orderName(index) === after.order)
  const index = sortIndex(indexes, field)
  if (index !== null) return { index }
  if (after !== null) throw invalidCursor()
  throw new Error(`no sort by ${field} on ${collection.name}`)
}

/** The position with the name of its order. */
export const positionOf = (order: SortOrder, position: RowPosition): RowPosition =>
  'index' in order ? { ...position, order: orderName(order.index) } : position

const COLUMN_PROPERTIES: Readonly<Record<string, string>> = { created_at: 'createdAt', updated_at: 'updatedAt' }

/** Where a record is in a sorted list. */
export const positionIn = ({ collection }: RecordLayout, order: SortOrder, record: StoredRecord): RowPosition => {
  if ('column' in order) {
    const key = record[COLUMN_PROPERTIES[order.column] ?? order.column]
    return { key: typeof key === 'number' || typeof key === 'string' ? key : 0, id: record.id }
  }
  const [first] = indexKeysOf(collection, order.index, record)
  return { key: entryKey(first?.key ?? new Uint8Array(), record.createdAt), id: record.id }
}

const compareKeys = (one: string | number, other: string | number): number =>
  typeof one === 'string' && typeof other === 'string' ? compareText(one, other) : Number(one) - Number(other)

export const comparePositions = (one: RowPosition, other: RowPosition): number =>
  compareKeys(one.key, other.key) || one.id - other.id
