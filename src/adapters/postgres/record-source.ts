import type { StoredCollection } from '../../application/ports/collections.ts'
import type { StoredRecord } from '../../domain/record.ts'
import { records } from '../sql/entities.ts'
import type { Row } from '../sql/entity.ts'
import type { Entry, EntryRange, Order, RecordSource } from '../sql/record-source.ts'
import type { RecordTable } from '../sql/record-table.ts'
import { recordOfRow } from '../sql/stored-records.ts'
import { createBucketSearch } from './bucket-search.ts'
import type { Connection, Int8 } from './connection.ts'
import { countStatementsOf, entryStatementsOf } from './record-entries.ts'
import type { SourceTable } from './record-scans.ts'

interface ReadableTable extends SourceTable {
  /** All columns except the words, which are only for the index. */
  readonly columns: readonly string[]
  /** SQL of the size of a record. */
  readonly size: string
  /** Null if the record was deleted. */
  fromRow(row: Row): StoredRecord | null
}

interface ReadRow extends Row {
  readonly n: Int8
  readonly size: Int8
  readonly found: Int8
}

// A long text is stored out of line, and its length is known without reading it.
const readStatement = ({ name, columns, size, collectionId }: ReadableTable): string => {
  const inCollection = collectionId === null ? '' : 'WHERE collection_id = $3'
  return `SELECT ${columns.join(', ')}, n, size, found FROM (
      SELECT *, sum(size) OVER (ORDER BY n) - size AS before, count(*) OVER () AS found FROM (
        SELECT ${columns.map((column) => `${name}.${column}`).join(', ')}, n, ${size} AS size
        FROM unnest($1::bigint[]) WITH ORDINALITY AS asked (id, n) JOIN ${name} USING (id) ${inCollection}) asked
    ) measured WHERE before < $2 ORDER BY n`
}

const createSource = (connection: Connection, table: ReadableTable): RecordSource => {
  const { name, collectionId, fromRow } = table
  const read = readStatement(table)

  const entriesOf = async (orders: readonly Order[], range: EntryRange, limit: number) => {
    const found: Entry[][] = orders.map(() => [])
    const readEntries = async ({ sql, values, places, entryOf }: ReturnType<typeof entryStatementsOf>[number]) => {
      for (const row of await connection.read<Row>(sql, ...values)) {
        const entries = found[places[Number(row.n) - 1] ?? 0]
        if (entries !== undefined && entries.length < limit) entries.push(entryOf(row))
      }
    }
    await Promise.all(entryStatementsOf(table, orders, range, limit).map(readEntries))
    return found
  }

  return {
    entries: entriesOf,
    async ids(order, range, limit) {
      const [entries = []] = await entriesOf([order], range, limit)
      return entries.map(({ id }) => id)
    },
    async count(orders, range, limit) {
      let count = 0
      for (const { sql, values } of countStatementsOf(table, orders, range, limit)) {
        const [row] = await connection.read<{ n: Int8 }>(sql, ...values)
        count += Number(row?.n ?? 0)
        if (count >= limit) return limit
      }
      return count
    },
    async records(ids, maxBytes) {
      if (ids.length === 0) return { records: [], readCount: 0, bytes: 0 }
      const ofCollection = collectionId === null ? [] : [collectionId]
      const rows = await connection.read<ReadRow>(read, `{${ids.join()}}`, maxBytes, ...ofCollection)
      const isCut = rows.length < Number(rows[0]?.found ?? 0)
      return {
        records: rows.flatMap((row) => fromRow(row) ?? []),
        readCount: isCut ? Number(rows.at(-1)?.n ?? 0) : ids.length,
        bytes: rows.reduce((sum, { size }) => sum + Number(size), 0),
      }
    },
    matching: (words, matching) =>
      createBucketSearch(connection, name, words, collectionId === null ? matching : { ...matching, collectionId }),
  }
}

/** The records of a collection defined at run time. */
export const storedSource = (connection: Connection, stored: StoredCollection): RecordSource =>
  createSource(connection, {
    name: 'records',
    collectionId: stored.id,
    sorts: ['id', 'created_at', 'updated_at'],
    isText: () => false,
    columns: Object.keys(records.columns),
    size: '(octet_length(data) + coalesce(octet_length(next), 0))',
    fromRow: (row) => recordOfRow(stored, row),
  })

/** The records of a collection defined in code. */
export const tableSource = (
  connection: Connection,
  { name, sorts, columns, bytesSql, fromRow }: RecordTable,
): RecordSource =>
  createSource(connection, {
    name,
    collectionId: null,
    sorts,
    isText: (column) => columns[column] === 'text',
    columns: Object.keys(columns),
    size: bytesSql,
    fromRow,
  })
