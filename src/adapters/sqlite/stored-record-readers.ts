import type { StoredCollection } from '../../application/ports/collections.ts'
import type { RecordReader } from '../../application/ports/records.ts'
import type { StoredRecord } from '../../domain/record.ts'
import type { Row } from '../sql/entity.ts'
import { storedLayout } from '../sql/record-layout.ts'
import { createRecordQuery } from '../sql/record-query.ts'
import type { QueryDatabase } from '../sql/record-source.ts'
import type { RunStep } from '../sql/step-queue.ts'
import { recordOfRow, requireUnmarkedRecords, unlessDeleted } from '../sql/stored-records.ts'
import type { Connection } from './database.ts'
import type { CacheLookUp, LookUp } from './row-cache.ts'

export interface StoredRow extends Row {
  readonly id: number
  readonly collection_id: number
  readonly owner_id: number | null
  readonly version: number
  readonly created_at: number
  readonly bytes: number
}

/** A row, and its record under the definition by which it was asked for last. */
export interface Found {
  readonly row: StoredRow
  stored: StoredCollection | null
  record: StoredRecord | null
}

/** The rows of all collections defined at run time, by id. */
export type StoredRows = LookUp<Found, StoredRow>

/** Null if the row is of another collection, or of a record that was deleted. */
export const recordOfFound = (stored: StoredCollection, found: Found): StoredRecord | null => {
  if (found.row.collection_id !== stored.id) return null
  if (found.stored !== stored) {
    found.record = recordOfRow(stored, found.row)
    found.stored = stored
  }
  return found.record
}

export const createStoredRows = (connection: Connection, cacheLookUp: CacheLookUp): StoredRows => {
  const byId = connection.prepare<StoredRow, [number]>('SELECT * FROM records WHERE id = ?')
  return cacheLookUp(
    (id) => byId.get(id),
    (row): Found => ({ row, stored: null, record: null }),
  )
}

/** One for each definition, created at first use. */
export const remembered = <T extends object>(
  make: (stored: StoredCollection) => T,
): ((stored: StoredCollection) => T) => {
  const known = new WeakMap<StoredCollection, T>()
  return (stored) => {
    const one = known.get(stored) ?? make(stored)
    known.set(stored, one)
    return one
  }
}

export const AMONG = 'SELECT * FROM records WHERE collection_id = +? AND id IN (SELECT value FROM json_each(?))'

export const NOT_DELETED = unlessDeleted('SELECT value FROM json_each(?)')

/** The parameter of {@link NOT_DELETED}. */
export const unfinishedOf = ({ deletions }: StoredCollection): string => JSON.stringify(deletions.unfinished)

/** Reads the records of any collection defined at run time. */
export const createStoredRecordReaders = (
  connection: Connection,
  database: QueryDatabase,
  runStep: RunStep,
  rows: StoredRows,
) => {
  const following = connection.prepare<StoredRow, [number, number, string, number]>(
    `SELECT * FROM records WHERE collection_id = ? AND id > ? AND ${NOT_DELETED} ORDER BY id LIMIT +?`,
  )

  return remembered((stored: StoredCollection): RecordReader => {
    const find = (id: number): StoredRecord | null => {
      const found = rows(id)
      return found && recordOfFound(stored, found)
    }
    // One statement for each of a few ids takes a fraction of the time of one statement for all.
    const findAll = (ids: readonly number[]) => [...new Set(ids)].map(find).filter((record) => record !== null)
    return {
      findById: find,
      list: createRecordQuery(storedLayout(stored), database, runStep),
      findAll,
      requireUnmarked: requireUnmarkedRecords,
      async chunk({ after, maxCount, maxBytes }) {
        const records: StoredRecord[] = []
        let bytes = 0
        for (const row of following.iterate(stored.id, after, unfinishedOf(stored), maxCount)) {
          const record = recordOfRow(stored, row)
          if (record !== null) records.push(record)
          bytes += row.bytes
          if (bytes >= maxBytes) return { records, complete: false }
        }
        return { records, complete: records.length < maxCount }
      },
    }
  })
}
