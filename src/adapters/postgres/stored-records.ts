import type { StoredCollection } from '../../application/ports/collections.ts'
import type { RecordReader, RecordRepository } from '../../application/ports/records.ts'
import type { StoredRecord } from '../../domain/record.ts'
import type { Row } from '../sql/entity.ts'
import { keyOf } from '../sql/record-keys.ts'
import { storedLayout } from '../sql/record-layout.ts'
import { createRecordQuery } from '../sql/record-query.ts'
import { runAtOnce } from '../sql/step-queue.ts'
import {
  keyChangesOf,
  keysOfRow,
  recordOfRow,
  recordsOfRows,
  requireUnmarked,
  requireUnmarkedRecords,
  storedFormOf,
} from '../sql/stored-records.ts'
import { ownerTerm } from '../sql/terms.ts'
import { type Int8, int, intOrNull, ROW_LOCK, type Transaction } from './connection.ts'
import { LockConflict } from './errors.ts'
import { insertionsIn, refusingDuplicates, valuesOf, wordsOf } from './record-insertions.ts'
import { keyParameters, removeKeys } from './record-keys.ts'
import type { UnitContext } from './records.ts'
import { readChunk, unfinishedOf } from './stored-record-readers.ts'
import {
  ALL,
  COLUMNS,
  PREPARE,
  REFERENCING,
  REFERENCING_PRESENT,
  RELEASE_OWNED,
  REMOVE,
  REMOVE_OWNED,
  UNMARK,
  UPDATE,
  UPDATE_WITH_KEYS,
} from './stored-record-statements.ts'

export interface StoredRow extends Row {
  readonly id: Int8
  readonly collection_id: Int8
  readonly owner_id: Int8 | null
  readonly created_at: Int8
  readonly bytes: Int8
}

/** How often other records are looked for if those that were found have changed. */
const MAX_TRIES_COUNT = 5

const isReferenceTo = (id: number, value: unknown): boolean =>
  Array.isArray(value) ? value.includes(id) : value === id

/** The rows that a unit has read and locked, whose index entries are therefore known. */
export type LockedRows = Map<number, StoredRow>

const createUnitReader = (
  connection: Transaction,
  stored: StoredCollection,
  { database }: UnitContext,
  locked: LockedRows,
) => {
  const take = (row: StoredRow): readonly StoredRecord[] => {
    locked.set(int(row.id), row)
    const record = recordOfRow(stored, row)
    return record === null ? [] : [record]
  }
  const readRow = async (id: number): Promise<StoredRow | null> => {
    const sql = `SELECT ${COLUMNS} FROM records WHERE id = $1 AND collection_id = $2`
    const [row] = await connection.lookUp<StoredRow>(ROW_LOCK, sql, id, stored.id)
    return row ?? null
  }
  const reader: RecordReader = {
    async findById(id) {
      const row = await readRow(id)
      const [record] = row === null ? [] : take(row)
      return record ?? null
    },
    // Other units may rely on the same records, as when they are referenced.
    async findAll(ids) {
      return (await connection.share<StoredRow>(ALL, ids, stored.id)).flatMap(take)
    },
    requireUnmarked: requireUnmarkedRecords,
    list: (query) => createRecordQuery(storedLayout(stored), database, runAtOnce)(query),
    chunk: (query) => readChunk(connection, stored, query),
  }
  return { reader, take, rowOf: async (id: number) => locked.get(id) ?? (await readRow(id)) }
}

/** Reads and locks the records that reference another one. */
const referencingIn =
  (connection: Transaction, stored: StoredCollection, take: (row: StoredRow) => readonly StoredRecord[]) =>
  async (field: string, id: number, limit: number): Promise<readonly StoredRecord[]> => {
    const index = stored.indexes.find(({ isReference, fields }) => isReference && fields[0] === field)
    if (index === undefined) throw new Error(`${field} is no reference`)
    const isAll = stored.deletions.unfinished.length === 0
    const sql = isAll ? REFERENCING : REFERENCING_PRESENT
    const values = [stored.id, index.id, keyOf([id]), limit, ...(isAll ? [] : [unfinishedOf(stored)])]
    for (let tries = 0; tries < MAX_TRIES_COUNT; tries++) {
      const found = (await connection.lock<StoredRow>(sql, ...values)).flatMap(take)
      // Some may have changed before they were locked. If all have, others follow.
      const referencing = found.filter((record) => isReferenceTo(id, record[field]))
      if (referencing.length > 0 || found.length === 0) return referencing
    }
    throw new LockConflict('other transactions keep changing the records')
  }

const requireAllUnmarked = (stored: StoredCollection, rows: readonly StoredRow[]): readonly StoredRow[] => {
  for (const row of rows) requireUnmarked(stored, row)
  return rows
}

/** Changes the records of any collection defined at run time. */
const repositoryOf = (
  connection: Transaction,
  stored: StoredCollection,
  context: UnitContext,
  locked: LockedRows,
): RecordRepository => {
  const { epoch: present, usage } = context
  const { reader, take, rowOf } = createUnitReader(connection, stored, context, locked)

  const removed = (rows: readonly StoredRow[]): readonly StoredRecord[] => {
    for (const { id, owner_id, bytes } of rows) {
      usage.add(intOrNull(owner_id), -int(bytes))
      locked.delete(int(id))
    }
    removeKeys(
      connection,
      rows.map((row) => ({ id: row.id, createdAt: row.created_at, keys: keysOfRow(stored, row) })),
    )
    return recordsOfRows(stored, rows)
  }

  const update: RecordRepository['update'] = async (record, next) => {
    const { id, ownerId, version, updatedAt } = record
    const row = await rowOf(id)
    if (row === null) throw new Error('UPDATE met no row')
    requireUnmarked(stored, row)
    const epoch = present.current
    const form = storedFormOf(stored, record, next)
    const { added, gone } = keyChangesOf(stored, row, form)
    const values = [id, ownerId, version, epoch, updatedAt, wordsOf(stored, ownerId, form), ...valuesOf(form)]
    locked.delete(id)
    const { count } =
      added.length + gone.length === 0
        ? await connection.change(UPDATE, ...values)
        : await refusingDuplicates(
            stored,
            connection.change(
              UPDATE_WITH_KEYS,
              ...[...values, row.created_at, ...keyParameters(added), ...keyParameters(gone)],
            ),
          )
    if (count !== 1) throw new Error('UPDATE met no row')
    if (row.deletion_id !== null) void connection.change(UNMARK, id)
    usage.add(intOrNull(row.owner_id), -int(row.bytes))
    usage.add(ownerId, form.bytes)
    return { ...record, epoch }
  }

  return {
    ...reader,
    ...insertionsIn(connection, stored, context),
    update,
    async delete(id) {
      removed(requireAllUnmarked(stored, await connection.change<StoredRow>(REMOVE, id, stored.id)))
    },
    deleteOwned: async (ownerId, limit) =>
      removed(
        requireAllUnmarked(
          stored,
          await connection.change<StoredRow>(REMOVE_OWNED, stored.id, ownerId, limit, unfinishedOf(stored)),
        ),
      ),
    async releaseOwned(ownerId, limit, now) {
      const terms = [ownerTerm(ownerId), ownerTerm(null)]
      const values = [stored.id, ownerId, limit, present.current, now, ...terms, unfinishedOf(stored)]
      const rows = requireAllUnmarked(stored, await connection.change<StoredRow>(RELEASE_OWNED, ...values))
      for (const { bytes } of rows) usage.add(ownerId, -int(bytes))
      return rows.flatMap(take)
    },
    referencing: referencingIn(connection, stored, take),
    async prepare(record, next) {
      const { id, ownerId, version, epoch } = record
      if (stored.deletions.unfinished.length > 0) {
        const row = await rowOf(id)
        const shown = row && recordOfRow(stored, row)
        if (shown?.version !== version || shown.epoch !== epoch) return
        // A record whose references were cleared is stored without them from now on.
        if (Number(row?.version) !== version) {
          await update(record, next)
          return
        }
      }
      const form = storedFormOf(stored, record, next)
      const values = [id, stored.id, version, epoch, wordsOf(stored, ownerId, form), ...valuesOf(form)]
      const [before] = await refusingDuplicates(
        stored,
        connection.change<Pick<StoredRow, 'owner_id' | 'bytes'>>(PREPARE, ...values, ...keyParameters(form.keys)),
      )
      locked.delete(id)
      // The owner has not done this.
      if (before !== undefined && before.owner_id !== null) {
        usage.addAlways(int(before.owner_id), form.bytes - int(before.bytes))
      }
    },
  }
}

/** Repositories of one unit. */
export const createStoredRecordRepositories = (
  connection: Transaction,
  context: UnitContext,
  locked: LockedRows = new Map(),
) => {
  const known = new Map<StoredCollection, RecordRepository>()
  return (stored: StoredCollection): RecordRepository => {
    const repository = known.get(stored) ?? repositoryOf(connection, stored, context, locked)
    known.set(stored, repository)
    return repository
  }
}
