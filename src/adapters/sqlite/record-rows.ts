import type { StoredRecord } from '../../domain/record.ts'
import type { Row } from '../sql/entity.ts'
import type { ReadRecords } from '../sql/record-source.ts'
import type { Connection } from './database.ts'

/** The place of the row's id among those that were asked for. */
interface Placed {
  readonly place: number
}

/** Beyond this number, one statement for all ids costs less than one for each. */
const MAX_SINGLE_READS_COUNT = 3

const lengthOf = (row: Row, columns: readonly string[]): number => {
  let length = 0
  for (const column of columns) {
    const value = row[column]
    length += typeof value === 'string' ? value.length : 8
  }
  return length
}

/** Reads rows in the order of the ids, as far as the limit allows. */
export const createRecords = <Found extends Row>(connection: Connection, table: string, columns: readonly string[]) => {
  const selected = columns.join(', ')
  const byId = connection.prepare<Found & Placed, [number, number]>(
    `SELECT ?1 AS place, ${selected} FROM ${table} WHERE id = ?2`,
  )
  const byIds = connection.prepare<Found & Placed, [string]>(
    `SELECT key AS place, ${columns.map((column) => `${table}.${column}`).join(', ')}
     FROM json_each(?) AS ids CROSS JOIN ${table} ON ${table}.id = ids.value`,
  )
  const rowsOf = (ids: readonly number[]): Iterable<Found & Placed> =>
    ids.length > MAX_SINGLE_READS_COUNT
      ? byIds.iterate(JSON.stringify(ids))
      : ids.flatMap((id, place) => byId.get(place, id) ?? [])

  /** `toRecord` returns null for a row that is no record of the collection. */
  return (ids: readonly number[], maxBytes: number, toRecord: (row: Found) => StoredRecord | null): ReadRecords => {
    const records: StoredRecord[] = []
    let bytes = 0
    for (const row of rowsOf(ids)) {
      const record = toRecord(row)
      if (record !== null) records.push(record)
      bytes += lengthOf(row, columns)
      if (bytes >= maxBytes) return { records, readCount: row.place + 1, bytes }
    }
    return { records, readCount: ids.length, bytes }
  }
}
