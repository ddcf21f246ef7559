import type { StoredCollection } from '../../application/ports/collections.ts'
import type { RecordReader } from '../../application/ports/records.ts'
import type { Row } from '../sql/entity.ts'
import { storedLayout } from '../sql/record-layout.ts'
import { createRecordQuery } from '../sql/record-query.ts'
import type { QueryDatabase } from '../sql/record-source.ts'
import type { RunStep } from '../sql/step-queue.ts'
import { recordOfRow, recordsOfRows } from '../sql/stored-records.ts'
import { type Connection, type Int8, int } from './connection.ts'
import { lookUpIn } from './look-up.ts'
import { ALL, CHUNK, COLUMNS } from './stored-record-statements.ts'

/** The parameter of statements that exclude deleted records. */
export const unfinishedOf = ({ deletions }: StoredCollection): string => `{${deletions.unfinished.join()}}`

export const readChunk = async (
  { read }: Connection,
  stored: StoredCollection,
  { after, maxCount, maxBytes }: Parameters<RecordReader['chunk']>[0],
): ReturnType<RecordReader['chunk']> => {
  const values = [stored.id, after, maxCount, maxBytes, unfinishedOf(stored)]
  const rows = await read<Row & { readonly found: Int8 }>(CHUNK, ...values)
  const isCut = rows.length === maxCount || rows.length < int(rows[0]?.found ?? '0')
  return { records: recordsOfRows(stored, rows), complete: !isCut }
}

/** Reads the records of any collection defined at run time. */
export const createStoredRecordReaders = (connection: Connection, database: QueryDatabase, runStep: RunStep) => {
  // Look-ups of different collections share statements too.
  const look = lookUpIn(
    connection,
    { name: 'records', fromRow: (row) => ({ id: Number(row.id), collectionId: Number(row.collection_id), row }) },
    '',
    COLUMNS,
  )
  const readerOf = (stored: StoredCollection): RecordReader => {
    const findAll = async (ids: readonly number[]) =>
      recordsOfRows(stored, await connection.read<Row>(ALL, `{${ids.join()}}`, stored.id))
    return {
      async findById(id) {
        const found = await look(id)
        return found === null || found.collectionId !== stored.id ? null : recordOfRow(stored, found.row)
      },
      findAll,
      async requireUnmarked() {},
      list: createRecordQuery(storedLayout(stored), database, runStep),
      chunk: (query) => readChunk(connection, stored, query),
    }
  }

  const known = new WeakMap<StoredCollection, RecordReader>()
  return (stored: StoredCollection): RecordReader => {
    const reader = known.get(stored) ?? readerOf(stored)
    known.set(stored, reader)
    return reader
  }
}
