import type { StoredCollection } from '../../application/ports/collections.ts'
import type { StoredRecord } from '../../domain/record.ts'
import { records } from '../sql/entities.ts'
import type { Row } from '../sql/entity.ts'
import {
  type Entry,
  type EntryRange,
  entryKey,
  hiddenPrefixOf,
  type Order,
  parseEntryKey,
  type RangeOrder,
  type ReadRecords,
  type RecordSource,
} from '../sql/record-source.ts'
import type { RecordTable } from '../sql/record-table.ts'
import { recordOfRow } from '../sql/stored-records.ts'
import type { Connection } from './database.ts'
import { createIntersection } from './postings.ts'
import {
  type Bindings,
  type CountRows,
  createCounting,
  createStatements,
  type Statements,
} from './record-statements.ts'
import type { CacheCount } from './row-cache.ts'

interface EntryRow {
  readonly id: number
  readonly key: string | number
}

interface KeyRow {
  readonly id: number
  readonly key: Uint8Array
  readonly created_at: number
}

/** Conditions of a statement and the parameters that they name. */
interface Part {
  readonly where: readonly string[]
  readonly parameters: Bindings
}

const createdPart = ({ createdAfter, createdBefore }: Pick<EntryRange, 'createdAfter' | 'createdBefore'>): Part => ({
  where: [
    ...(createdAfter === null ? [] : ['created_at > +:created_after']),
    ...(createdBefore === null ? [] : ['created_at < +:created_before']),
  ],
  parameters: {
    ...(createdAfter === null ? {} : { created_after: createdAfter }),
    ...(createdBefore === null ? {} : { created_before: createdBefore }),
  },
})

type ColumnOrder = Extract<Order, { readonly kind: 'column' }>
type KeyOrder = Exclude<Order, ColumnOrder>

const ownerPart = ({ ownerId }: ColumnOrder): Part => {
  if (ownerId === undefined) return { where: [], parameters: {} }
  if (ownerId === null) return { where: ['owner_id IS NULL'], parameters: {} }
  return { where: ['owner_id = +:owner'], parameters: { owner: ownerId } }
}

/** Records in the order of a column; `base` are the conditions of all of them. */
const columnEntries = (
  statementOf: Statements,
  countRows: CountRows,
  { table, columns, base }: { readonly table: string; readonly columns: readonly string[]; readonly base: Part },
) => {
  const partsOf = (order: ColumnOrder, range: Pick<EntryRange, 'createdAfter' | 'createdBefore'>) => {
    const parts = [base, ownerPart(order), createdPart(range)]
    return {
      where: parts.flatMap(({ where }) => where),
      parameters: Object.assign({}, ...parts.map(({ parameters }) => parameters)) as Bindings,
    }
  }
  const whereOf = (where: readonly string[]) => (where.length === 0 ? '' : ` WHERE ${where.join(' AND ')}`)

  return {
    read(order: ColumnOrder, range: EntryRange, limit: number): readonly Entry[] {
      const column = columns.find((each) => each === order.column)
      if (column === undefined) throw new Error(`no order by ${order.column} of ${table}`)
      const { where, parameters } = partsOf(order, range)
      const [operator, direction] = range.descending ? ['<', 'DESC'] : ['>', 'ASC']
      const { after } = range
      const beyond = column === 'id' ? `id ${operator} +:after` : `(${column}, id) ${operator} (+:key, +:after)`
      const sql = `SELECT id, ${column} AS key FROM ${table}${whereOf(after === null ? where : [...where, beyond])}
         ORDER BY ${column === 'id' ? '' : `${column} ${direction}, `}id ${direction} LIMIT +:limit`
      const position = after === null ? {} : column === 'id' ? { after: after.id } : { key: after.key, after: after.id }
      return statementOf<EntryRow>(sql)
        .all({ ...parameters, ...position, limit })
        .map(({ id, key }) => ({ id, key }))
    },
    count(order: ColumnOrder, range: Pick<EntryRange, 'createdAfter' | 'createdBefore'>, limit: number): number {
      const { where, parameters } = partsOf(order, range)
      return countRows(`SELECT 1 FROM ${table}${whereOf(where)}`, parameters, limit)
    },
  }
}

const keyEntries = (statementOf: Statements, countRows: CountRows) => {
  const point = (
    { indexId, key }: Extract<KeyOrder, { readonly kind: 'point' }>,
    range: EntryRange,
    limit: number,
  ): readonly Entry[] => {
    const { where, parameters } = createdPart(range)
    const [operator, direction] = range.descending ? ['<', 'DESC'] : ['>', 'ASC']
    const beyond = range.after === null ? [] : [`(created_at, record_id) ${operator} (+:at, +:after)`]
    const all = ['index_id = +:index', 'key = +:key', ...where, ...beyond]
    const sql = `SELECT record_id AS id, created_at AS key FROM record_keys WHERE ${all.join(' AND ')}
       ORDER BY created_at ${direction}, record_id ${direction} LIMIT +:limit`
    const position = range.after === null ? {} : { at: range.after.key, after: range.after.id }
    return statementOf<EntryRow>(sql).all({ index: indexId, key, ...parameters, ...position, limit })
  }
  const span = (order: RangeOrder, { after, descending }: EntryRange, limit: number): readonly Entry[] => {
    const { indexId, low, high } = order
    const hidden = hiddenPrefixOf(order)
    const position = after === null ? null : parseEntryKey(after.key, hidden)
    // A position of another definition has no entries after it.
    if (after !== null && position === null) return []
    const [operator, direction] = descending ? ['<', 'DESC'] : ['>', 'ASC']
    const beyond = `(key, created_at, record_id) ${operator} (+:from, +:at, +:after)`
    const from = position === null || descending ? ['key >= +:low'] : []
    const to = position === null || !descending ? ['key < +:high'] : []
    const all = ['index_id = +:index', ...from, ...to, ...(position === null ? [] : [beyond])]
    const sql = `SELECT record_id AS id, key, created_at FROM record_keys WHERE ${all.join(' AND ')}
       ORDER BY key ${direction}, created_at ${direction}, record_id ${direction} LIMIT +:limit`
    const parameters: Bindings = {
      index: indexId,
      limit,
      ...(from.length === 0 ? {} : { low }),
      ...(to.length === 0 ? {} : { high }),
      ...(position === null || after === null ? {} : { from: position.key, at: position.createdAt, after: after.id }),
    }
    return statementOf<KeyRow>(sql)
      .all(parameters)
      .map(({ id, key, created_at }) => ({ id, key: entryKey(key.subarray(hidden.length), created_at) }))
  }
  return {
    read: (order: KeyOrder, range: EntryRange, limit: number): readonly Entry[] =>
      order.kind === 'point' ? point(order, range, limit) : span(order, range, limit),
    count(order: KeyOrder, range: Pick<EntryRange, 'createdAfter' | 'createdBefore'>, limit: number): number {
      const { where, parameters } = order.kind === 'point' ? createdPart(range) : { where: [], parameters: {} }
      const keys = order.kind === 'point' ? ['key = +:key'] : ['key >= +:low', 'key < +:high']
      const all = ['index_id = +:index', ...keys, ...where]
      const bounds: Bindings = order.kind === 'point' ? { key: order.key } : { low: order.low, high: order.high }
      const bindings = { index: order.indexId, ...bounds, ...parameters }
      return countRows(`SELECT 1 FROM record_keys WHERE ${all.join(' AND ')}`, bindings, limit)
    },
  }
}

const createPostings = (statementOf: Statements, table: string): RecordSource['matching'] => {
  const sql = `SELECT rowid FROM ${table}_words WHERE ${table}_words MATCH ? AND rowid > ? ORDER BY rowid LIMIT +?`
  return (words, matching) =>
    createIntersection(
      (match, before, limit) =>
        statementOf<{ rowid: number }>(sql)
          .all(match, -before, limit)
          .map(({ rowid }) => -rowid),
      words,
      matching,
    )
}

/** A row, and the place of its id among those that were asked for. */
interface PlacedRow extends Row {
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

/** Null for a row that is no record of the collection. */
type ToRecord = (row: Row) => StoredRecord | null

/** Reads rows in the order of the ids, as far as the limit allows. */
const createRecords = (connection: Connection, table: string, columns: readonly string[]) => {
  const selected = columns.join(', ')
  const byId = connection.prepare<PlacedRow, [number, number]>(
    `SELECT ?1 AS place, ${selected} FROM ${table} WHERE id = ?2`,
  )
  const byIds = connection.prepare<PlacedRow, [string]>(
    `SELECT key AS place, ${columns.map((column) => `${table}.${column}`).join(', ')}
     FROM json_each(?) AS ids CROSS JOIN ${table} ON ${table}.id = ids.value`,
  )
  const rowsOf = (ids: readonly number[]): Iterable<PlacedRow> =>
    ids.length > MAX_SINGLE_READS_COUNT
      ? byIds.iterate(JSON.stringify(ids))
      : ids.flatMap((id, place) => byId.get(place, id) ?? [])

  return (ids: readonly number[], maxBytes: number, toRecord: ToRecord): ReadRecords => {
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

interface Entries {
  readonly read: (order: Order, range: EntryRange, limit: number) => readonly Entry[]
  readonly count: (order: Order, range: Pick<EntryRange, 'createdAfter' | 'createdBefore'>, limit: number) => number
}

const sourceOver = (
  { read, count }: Entries,
  { records, matching }: Pick<RecordSource, 'records' | 'matching'>,
): RecordSource => ({
  entries: (orders, range, limit) => orders.map((order) => read(order, range, limit)),
  count(orders, range, limit) {
    let counted = 0
    for (const order of orders) if (counted < limit) counted += count(order, range, limit - counted)
    return counted
  },
  records,
  matching,
})

/** Reads the records of any collection defined at run time. */
export const createStoredSources = (connection: Connection, cacheCount: CacheCount) => {
  const statementOf = createStatements(connection)
  const countRows = createCounting(statementOf, cacheCount)
  const keys = keyEntries(statementOf, countRows)
  const read = createRecords(connection, 'records', Object.keys(records.columns))
  const matching = createPostings(statementOf, 'records')

  return (stored: StoredCollection): RecordSource => {
    const columns = columnEntries(statementOf, countRows, {
      table: 'records',
      columns: ['id', 'created_at', 'updated_at'],
      base: { where: ['collection_id = +:collection'], parameters: { collection: stored.id } },
    })
    const toRecord: ToRecord = (row) => (row.collection_id === stored.id ? recordOfRow(stored, row) : null)
    return sourceOver(
      {
        read: (order, range, limit) =>
          order.kind === 'column' ? columns.read(order, range, limit) : keys.read(order, range, limit),
        count: (order, range, limit) =>
          order.kind === 'column' ? columns.count(order, range, limit) : keys.count(order, range, limit),
      },
      { records: (ids, maxBytes) => read(ids, maxBytes, toRecord), matching },
    )
  }
}

/** Reads the records of a collection defined in code. */
export const createTableSource = (
  connection: Connection,
  { name, sorts, columns: types, fromRow }: RecordTable,
  cacheCount: CacheCount,
): RecordSource => {
  const statementOf = createStatements(connection)
  const countRows = createCounting(statementOf, cacheCount)
  const readRecords = createRecords(connection, name, Object.keys(types))
  const base = { where: [], parameters: {} }
  const columns = columnEntries(statementOf, countRows, { table: name, columns: sorts, base })
  const columnOf = (order: Order): ColumnOrder => {
    if (order.kind !== 'column') throw new Error(`${name} has no index entries`)
    return order
  }
  return sourceOver(
    {
      read: (order, range, limit) => columns.read(columnOf(order), range, limit),
      count: (order, range, limit) => columns.count(columnOf(order), range, limit),
    },
    {
      records: (ids, maxBytes) => readRecords(ids, maxBytes, fromRow),
      matching: createPostings(statementOf, name),
    },
  )
}
