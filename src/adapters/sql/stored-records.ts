import type { StoredCollection, StoredDefinition, StoredIndex } from '../../application/ports/collections.ts'
import { type Mark, Marked, type Referrer } from '../../application/ports/deletions.ts'
import type { RecordRepository } from '../../application/ports/records.ts'
import type { Collection } from '../../domain/collection.ts'
import { AppError } from '../../domain/errors.ts'
import type { Json, JsonObject } from '../../domain/merge-patch.ts'
import type { NewRecord, StoredRecord } from '../../domain/record.ts'
import type { Row } from './entity.ts'
import { type IndexKey, indexKeysOf } from './record-keys.ts'

/** What a row and an index entry count in addition to their text and key. */
const OVERHEAD_BYTES = { record: 512, key: 64 } as const

/** A record counts twice, because its deletion adds it to the log once more; so deleting always frees bytes. */
const COPIES_PER_RECORD = 2

type Fields = Readonly<Record<string, Json | undefined>>

/** What is stored for a record. */
export interface StoredForm {
  readonly data: string
  readonly shape: number
  readonly next: string | null
  readonly nextShape: number | null
  readonly bytes: number
  /** The searched text, in both forms. */
  readonly text: string
  readonly keys: readonly IndexKey[]
}

const fieldsOf = ({ fields }: Collection, record: Fields): JsonObject => {
  const own: Record<string, Json> = {}
  for (const name in fields) own[name] = record[name] ?? null
  return own
}

const textOf = ({ search }: Collection, record: Fields): string => {
  let text = ''
  let separator = ''
  for (const name of search) {
    text += `${separator}${record[name] ?? ''}`
    separator = '\n'
  }
  return text
}

const keysIn = ({ collection, indexes }: StoredDefinition, record: Fields): readonly IndexKey[] => {
  const keys: IndexKey[] = []
  for (const index of indexes) keys.push(...indexKeysOf(collection, index, record))
  return keys
}

/** The entries of a record in all indexes: those of the definition, and those that only a pending one has. */
const allKeys = (stored: StoredCollection, fields: Fields, nextFields: Fields | null): readonly IndexKey[] => {
  const { indexes, pending } = stored
  const current = keysIn(stored, fields)
  if (pending === null || nextFields === null) return current
  const added = pending.indexes.filter(({ id }) => !indexes.some((index) => index.id === id))
  return [...current, ...keysIn({ ...pending, indexes: added }, nextFields)]
}

const sizeOf = (data: string, next: string | null, keys: readonly IndexKey[]): number => {
  let bytes = OVERHEAD_BYTES.record + COPIES_PER_RECORD * Buffer.byteLength(data)
  if (next !== null) bytes += COPIES_PER_RECORD * Buffer.byteLength(next)
  for (const { key } of keys) bytes += OVERHEAD_BYTES.key + key.length
  return bytes
}

/**
 * What is stored for a record, also for the pending definition. `next` are its fields in the form of that; they are the
 * same unless it transforms records.
 */
export const storedFormOf = (
  stored: StoredCollection,
  record: NewRecord | StoredRecord,
  next: JsonObject | undefined,
): StoredForm => {
  const { collection, shape, pending } = stored
  const fields = fieldsOf(collection, record)
  const data = JSON.stringify(fields)
  const text = textOf(collection, fields)
  if (pending === null) {
    const keys = allKeys(stored, fields, null)
    return { data, shape, next: null, nextShape: null, bytes: sizeOf(data, null, keys), text, keys }
  }
  const isTransformed = pending.shape !== shape
  if (isTransformed && next === undefined) throw new Error('a record is to be stored in the pending form too')
  const nextFields = isTransformed ? fieldsOf(pending.collection, next ?? {}) : { ...fields, ...next }
  const keys = allKeys(stored, fields, nextFields)
  const nextText = textOf(pending.collection, nextFields)
  const nextData = isTransformed ? JSON.stringify(nextFields) : null
  return {
    data,
    shape,
    next: nextData,
    nextShape: isTransformed ? pending.shape : null,
    bytes: sizeOf(data, nextData, keys),
    text: nextText === text ? text : `${text}\n${nextText}`,
    keys,
  }
}

/** Whether the text of its records is indexed. */
export const isSearched = ({ collection, pending }: StoredCollection): boolean =>
  collection.search.length > 0 || (pending !== null && pending.collection.search.length > 0)

/** Whether the pending definition, if there is one, searches the same text of a record as the definition. */
export const searchesSameText = ({ collection, shape, pending }: StoredCollection): boolean =>
  pending === null || (pending.shape === shape && pending.collection.search.join('\n') === collection.search.join('\n'))

/** The columns of a row that tell which fields it has. */
export const FORM_COLUMNS = ['data', 'next', 'next_shape'] as const

const shownData = (row: Row, shape: number): string =>
  String(row.next_shape !== null && Number(row.next_shape) === shape ? row.next : row.data)

/** Whether only the form of the pending definition is stored beside the shown one. */
const nextOf = ({ pending, shape }: StoredCollection, row: Row): Fields | null => {
  if (pending === null) return null
  if (pending.shape === shape) return JSON.parse(shownData(row, shape))
  const isPrepared = row.next_shape !== null && Number(row.next_shape) === pending.shape
  return isPrepared ? JSON.parse(String(row.next)) : null
}

/** Every entry that a stored row may have. */
export const keysOfRow = (stored: StoredCollection, row: Row): readonly IndexKey[] =>
  allKeys(stored, JSON.parse(shownData(row, stored.shape)), nextOf(stored, row))

/** The text for the text index. */
export const textOfRow = (stored: StoredCollection, row: Row): string => {
  const text = textOf(stored.collection, JSON.parse(shownData(row, stored.shape)))
  const next = nextOf(stored, row)
  if (next === null || stored.pending === null) return text
  const nextText = textOf(stored.pending.collection, next)
  return nextText === text ? text : `${text}\n${nextText}`
}

/** The mark of a row, whether its deletion has taken effect or not. */
export const markOf = (row: Row): Mark | null => {
  const { deletion_id: id, deletion_level: level } = row
  return id === null ? null : { deletionId: Number(id), level: level === null ? null : Number(level) }
}

/** Whether a row is marked by a deletion that has taken effect. */
const isDeletionDone = ({ deletions: { unfinished } }: StoredCollection, row: Row): boolean =>
  unfinished.length > 0 && row.deletion_id !== null && unfinished.includes(Number(row.deletion_id))

/** Whether a row is of a record that was deleted, and remains to be removed. */
export const isDeleted = (stored: StoredCollection, row: Row): boolean =>
  row.deletion_level !== null && isDeletionDone(stored, row)

/** Throws `Marked` for a row that is marked by a deletion that has not taken effect. */
export const requireUnmarked = (stored: StoredCollection, row: Row): void => {
  if (row.deletion_id === null || isDeletionDone(stored, row)) return
  throw new Marked(Number(row.deletion_id), stored)
}

/** SQL that excludes rows of deleted records; `ids` is SQL of the ids of deletions that have taken effect. */
export const unlessDeleted = (ids: string): string =>
  `(deletion_id IS NULL OR deletion_level IS NULL OR deletion_id NOT IN (${ids}))`

/** Records that were read while a deletion had marked them. */
const marked = new WeakMap<StoredRecord, Marked>()

/** Throws `Marked` if one of the records was marked by a deletion that had not taken effect when it was read. */
export const requireUnmarkedRecords = (records: readonly StoredRecord[]): void => {
  for (const record of records) {
    const mark = marked.get(record)
    if (mark !== undefined) throw mark
  }
}

/** The record of a row; null if it was deleted. */
export const recordOfRow = (stored: StoredCollection, row: Row): StoredRecord | null => {
  // Most rows have no mark.
  if (row.deletion_id === null) return storedRecordOf(stored, row)
  if (!isDeletionDone(stored, row)) {
    const record = storedRecordOf(stored, row)
    marked.set(record, new Marked(Number(row.deletion_id), stored))
    return record
  }
  return row.deletion_level === null ? clearedRecordOf(stored, row) : null
}

export const recordsOfRows = (stored: StoredCollection, rows: readonly Row[]): readonly StoredRecord[] =>
  rows.flatMap((row) => recordOfRow(stored, row) ?? [])

/** The record of a row as a deletion that clears its references leaves it. */
const clearedRecordOf = (stored: StoredCollection, row: Row): StoredRecord => {
  const record = storedRecordOf(stored, { ...row, data: row.cleared, next_shape: null })
  return { ...record, version: record.version + 1 }
}

/** The record of a row as it was before any deletion, with the fields of the definition. */
export const storedRecordOf = ({ collection, shape }: StoredCollection, row: Row): StoredRecord => {
  const data: JsonObject = JSON.parse(shownData(row, shape))
  const record: Record<string, Json> = {}
  for (const name in collection.fields) record[name] = data[name] ?? null
  return Object.assign(record, {
    id: Number(row.id),
    ownerId: row.owner_id === null ? null : Number(row.owner_id),
    version: Number(row.version),
    epoch: String(row.epoch),
    createdAt: Number(row.created_at),
    updatedAt: Number(row.updated_at),
  })
}

/** A record that references something, with its mark; null if it was deleted. */
export const referrerOfRow = (stored: StoredCollection, row: Row): Referrer | null => {
  const shown = recordOfRow(stored, row)
  if (shown === null) return null
  const mark = isDeletionDone(stored, row) ? null : markOf(row)
  if (mark === null || mark.level !== null) return { record: shown, mark }
  return { record: storedRecordOf(stored, { ...row, data: row.cleared, next_shape: null }), mark }
}

/** The searched text of a record. */
export const searchedTextOf = ({ collection }: StoredDefinition, record: StoredRecord): string =>
  textOf(collection, record)

const identityOf = ({ index, key }: IndexKey): string => `${index.id} ${key.toHex()}`

/** The entries of one list that another lacks. */
const keysBeyond = (keys: readonly IndexKey[], others: readonly IndexKey[]): readonly IndexKey[] => {
  if (others.length === 0) return keys
  const known = new Set(others.map(identityOf))
  return keys.filter((key) => !known.has(identityOf(key)))
}

/**
 * The entries that a row needs for another form, and those that it no longer needs. It may have some of the added ones:
 * only a record that was changed or prepared since has those of the pending definition.
 */
export const keyChangesOf = (
  stored: StoredCollection,
  row: Row,
  form: StoredForm,
): { readonly added: readonly IndexKey[]; readonly gone: readonly IndexKey[] } => {
  const before = keysOfRow(stored, row)
  const certain = before.filter(({ index }) => stored.indexes.some(({ id }) => id === index.id))
  return { added: keysBeyond(form.keys, certain), gone: keysBeyond(before, form.keys) }
}

/** The error for an entry of a unique index that another record has. */
export const notUnique = ({ fields }: Pick<StoredIndex, 'fields'>, cause?: unknown): AppError => {
  const names = fields.join(', ')
  const detail = fields.length === 1 ? 'Another record has this value' : `Another record has these values of ${names}`
  return new AppError('not_unique', `Another record has the same ${names}`, {
    faults: fields.map((name) => ({ pointer: `/${name}`, detail })),
    ...(cause === undefined ? {} : { cause }),
  })
}

/** Inserts several records where a statement for each costs nothing more. */
export const oneByOne =
  (insert: RecordRepository['insert']): RecordRepository['insertAll'] =>
  async (records) => {
    const inserted: StoredRecord[] = []
    for (const record of records) inserted.push(await insert(record))
    return inserted
  }
