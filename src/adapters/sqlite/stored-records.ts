import type { StoredCollection } from '../../application/ports/collections.ts'
import type { RecordReader, RecordRepository } from '../../application/ports/records.ts'
import type { JsonObject } from '../../domain/merge-patch.ts'
import type { StoredRecord } from '../../domain/record.ts'
import { keyOf } from '../sql/record-keys.ts'
import type { QueryDatabase } from '../sql/record-source.ts'
import type { RunStep } from '../sql/step-queue.ts'
import {
  isDeleted,
  isSearched,
  keyChangesOf,
  keysOfRow,
  oneByOne,
  recordOfRow,
  recordsOfRows,
  requireUnmarked,
  type StoredForm,
  searchesSameText,
  storedFormOf,
  textOfRow,
} from '../sql/stored-records.ts'
import type { UsageCounter } from '../sql/usage.ts'
import type { Connection } from './database.ts'
import type { PresentEpoch } from './epochs.ts'
import type { RecordCounts } from './record-counts.ts'
import type { RecordKeys } from './record-keys.ts'
import type { RecordText } from './record-text.ts'
import { prepareChange } from './rows.ts'
import {
  AMONG,
  createStoredRecordReaders,
  NOT_DELETED,
  remembered,
  type StoredRow,
  type StoredRows,
  unfinishedOf,
} from './stored-record-readers.ts'

/** Shared by the repositories of one connection. */
export interface StoredRecordParts {
  readonly database: QueryDatabase
  readonly rows: StoredRows
  readonly texts: RecordText
  readonly keys: RecordKeys
  readonly epoch: PresentEpoch
  readonly usage: UsageCounter
  readonly counts: RecordCounts
  readonly runStep: RunStep
}

const prepareStatements = (connection: Connection) => ({
  find: connection.prepare<StoredRow, [number, number]>('SELECT * FROM records WHERE id = ? AND collection_id = +?'),
  among: connection.prepare<StoredRow, [number, string]>(AMONG),
  // RETURNING would open a statement journal, which costs more than the row.
  insert: connection.prepare<unknown>(
    `INSERT INTO records (id, collection_id, owner_id, version, epoch, created_at, updated_at, bytes, shape, next_shape, data, next)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  ),
  update: prepareChange(
    connection,
    `UPDATE records SET version = ?, epoch = ?, updated_at = ?, owner_id = ?, bytes = ?, shape = ?, next_shape = ?, data = ?, next = ?
     WHERE id = ?`,
  ),
  remove: prepareChange(connection, 'DELETE FROM records WHERE id = ?'),
  owned: connection.prepare<StoredRow, [number, number, string, number]>(
    `SELECT * FROM records WHERE collection_id = ? AND owner_id = ? AND ${NOT_DELETED} LIMIT +?`,
  ),
  unmark: prepareChange(
    connection,
    'UPDATE records SET deletion_id = NULL, deletion_level = NULL, cleared = NULL WHERE id = ?',
  ),
  any: connection.prepare<StoredRow, [number, number]>('SELECT * FROM records WHERE collection_id = ? LIMIT +?'),
})

type Statements = ReturnType<typeof prepareStatements>

interface IndexedText {
  readonly id: number
  readonly ownerId: number | null
  readonly text: string
  /** Whether no record has had the id before. */
  readonly isNew: boolean
}

/** Changes a row together with what is kept of it elsewhere: index entries, text, usage and counts. */
const createRowChanges = (
  statements: Statements,
  { rows, texts, keys, usage, counts }: Pick<StoredRecordParts, 'rows' | 'texts' | 'keys' | 'usage' | 'counts'>,
) => {
  const indexText = (stored: StoredCollection, { id, ownerId, text, isNew }: IndexedText): void => {
    if (!isSearched(stored)) return
    const indexed = { id, ownerId, collectionId: stored.id, text }
    if (isNew) texts.add(indexed)
    else texts.put(indexed)
  }

  const removeRow = (stored: StoredCollection, row: StoredRow): void => {
    keys.remove(keysOfRow(stored, row), subjectOf(row))
    statements.remove(row.id)
    rows.forget(row.id)
    if (isSearched(stored)) texts.remove(row.id)
    usage.add(row.owner_id, -row.bytes)
    // Those were subtracted when the deletion took effect.
    if (!isDeleted(stored, row)) counts.add(stored, -1)
  }

  /** Replaces the stored form of a record; the row is the one before. */
  const store = (stored: StoredCollection, row: StoredRow, record: StoredRecord, form: StoredForm): void => {
    const { id, version, epoch, updatedAt, ownerId } = record
    const { added, gone } = keyChangesOf(stored, row, form)
    keys.remove(gone, subjectOf(row))
    keys.add(added, subjectOf(row))
    const { bytes, shape, nextShape, data, next } = form
    statements.update(version, epoch, updatedAt, ownerId, bytes, shape, nextShape, data, next, id)
    const isIndexed = searchesSameText(stored) && ownerId === row.owner_id && form.text === textOfRow(stored, row)
    if (!isIndexed) indexText(stored, { id, ownerId, text: form.text, isNew: false })
    if (row.deletion_id !== null && version !== row.version) statements.unmark(id)
    rows.forget(id)
  }

  return { indexText, removeRow, store }
}

type RowChanges = ReturnType<typeof createRowChanges>

const createInsert =
  (statements: Statements, { indexText }: RowChanges, { keys, usage, counts, epoch: present }: StoredRecordParts) =>
  (stored: StoredCollection): RecordRepository['insert'] =>
  async (record, next) => {
    const { ownerId, version, createdAt, updatedAt } = record
    const epoch = present.current
    const form = storedFormOf(stored, record, next)
    const { bytes, shape, nextShape, data } = form
    const { lastInsertRowid } = statements.insert.run(
      record.id ?? null,
      stored.id,
      ownerId,
      version,
      epoch,
      createdAt,
      updatedAt,
      bytes,
      shape,
      nextShape,
      data,
      form.next,
    )
    const id = Number(lastInsertRowid)
    keys.add(form.keys, { id, createdAt })
    indexText(stored, { id, ownerId, text: form.text, isNew: record.id === undefined })
    usage.add(ownerId, bytes)
    counts.add(stored, 1)
    return { ...record, id, epoch }
  }

/** Changes the records of an owner, up to `limit` of them. */
const createOwnedChanges = (
  statements: Statements,
  { indexText, removeRow }: RowChanges,
  { rows: known, usage, epoch: present }: StoredRecordParts,
) => {
  const rowsOf = (stored: StoredCollection, ownerId: number, limit: number): readonly StoredRow[] => {
    const rows = statements.owned.all(stored.id, ownerId, unfinishedOf(stored), limit)
    for (const row of rows) requireUnmarked(stored, row)
    return rows
  }

  return {
    remove(stored: StoredCollection, ownerId: number, limit: number) {
      const rows = rowsOf(stored, ownerId, limit)
      for (const row of rows) removeRow(stored, row)
      return recordsOfRows(stored, rows)
    },
    release(stored: StoredCollection, ownerId: number, limit: number, now: number) {
      return rowsOf(stored, ownerId, limit).flatMap((row) => {
        const record = recordOfRow(stored, row)
        if (record === null) return []
        const change = { ownerId: null, version: record.version + 1, epoch: present.current, updatedAt: now }
        const { bytes, shape, next_shape, data, next } = row
        statements.update(
          // Of a row whose references a deletion has cleared, the shown version is one more.
          ...[row.version + 1, change.epoch, now, null, bytes, Number(shape), numberOrNull(next_shape)],
          ...[String(data), textOrNull(next), row.id],
        )
        known.forget(row.id)
        usage.add(ownerId, -bytes)
        indexText(stored, { id: row.id, ownerId: null, text: textOfRow(stored, row), isNew: false })
        return { ...record, ...change }
      })
    },
  }
}

/** Reads in a transaction that has changed records: a list needs their index entries. */
const afterKeys = (reader: RecordReader, keys: RecordKeys): RecordReader => ({
  ...reader,
  list(query) {
    keys.flush()
    return reader.list(query)
  },
})

/** Changes the records of any collection defined at run time. */
export const createStoredRecordRepositories = (connection: Connection, parts: StoredRecordParts) => {
  const { rows, keys, usage, epoch: present, database, runStep } = parts
  const statements = prepareStatements(connection)
  const changes = createRowChanges(statements, parts)
  const { removeRow, store } = changes
  const insertOne = createInsert(statements, changes, parts)
  const owned = createOwnedChanges(statements, changes, parts)
  const readerOf = createStoredRecordReaders(connection, database, runStep, rows)

  const repositoryOf = (stored: StoredCollection): RecordRepository => ({
    ...afterKeys(readerOf(stored), keys),
    insert: insertOne(stored),
    insertAll: oneByOne(insertOne(stored)),
    async update(record, next) {
      const row = statements.find.get(record.id, stored.id)
      if (row === null) throw new Error('UPDATE met no row')
      requireUnmarked(stored, row)
      const updated = { ...record, epoch: present.current }
      const form = storedFormOf(stored, record, next)
      store(stored, row, updated, form)
      usage.add(row.owner_id, -row.bytes)
      usage.add(record.ownerId, form.bytes)
      return updated
    },
    async delete(id) {
      const row = statements.find.get(id, stored.id)
      if (row === null) return
      requireUnmarked(stored, row)
      removeRow(stored, row)
    },
    async deleteOwned(ownerId, limit) {
      return owned.remove(stored, ownerId, limit)
    },
    async releaseOwned(ownerId, limit, now) {
      return owned.release(stored, ownerId, limit, now)
    },
    async referencing(field, id, limit) {
      const index = stored.indexes.find(({ isReference, fields }) => isReference && fields[0] === field)
      if (index === undefined) throw new Error(`${field} is no reference`)
      const ids = keys.find(index.id, keyOf([id]), limit, stored.deletions.unfinished)
      const records = await readerOf(stored).findAll(ids)
      return records.toSorted((one, other) => one.id - other.id)
    },
    async prepare(record, next: JsonObject) {
      const row = statements.find.get(record.id, stored.id)
      const shown = row && recordOfRow(stored, row)
      if (row === null || shown?.version !== record.version || shown.epoch !== record.epoch) return
      const form = storedFormOf(stored, record, next)
      store(stored, row, record, form)
      // The owner has not done this.
      if (row.owner_id !== null) usage.addAlways(row.owner_id, form.bytes - row.bytes)
    },
  })

  return {
    of: remembered(repositoryOf),
    /** Removes up to `limit` records and returns how many. */
    removeSome(stored: StoredCollection, limit: number): number {
      const rows = statements.any.all(stored.id, limit)
      for (const row of rows) removeRow(stored, row)
      return rows.length
    },
  }
}

const subjectOf = ({ id, created_at }: StoredRow) => ({ id, createdAt: created_at })

const numberOrNull = (value: unknown): number | null => (value === null ? null : Number(value))

const textOrNull = (value: unknown): string | null => (value === null ? null : String(value))
