import type { StoredCollection } from '../../application/ports/collections.ts'
import type { StoredRecord } from '../../domain/record.ts'
import { records } from '../sql/entities.ts'
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
import type { Connection } from './database.ts'
import { createIntersection } from './postings.ts'
import { createRecords } from './record-rows.ts'
import {
  type Bindings,
  type CountRows,
  createCounting,
  createStatements,
  type Statements,
} from './record-statements.ts'
import type { CacheCount } from './row-cache.ts'
import { recordOfFound, type StoredRow, type StoredRows } from './stored-record-readers.ts'
import { createWordLists } from './word-lists.ts'

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

const ENTRY_COLUMNS = 'record_id AS id, key, created_at'

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
  const spanOf = (order: RangeOrder, { after, descending }: EntryRange) => {
    const { indexId, low, high } = order
    const position = after === null ? null : parseEntryKey(after.key, hiddenPrefixOf(order))
    // A position of another definition has no entries after it.
    if (after !== null && position === null) return null
    const [operator, direction] = descending ? ['<', 'DESC'] : ['>', 'ASC']
    const beyond = `(key, created_at, record_id) ${operator} (+:from, +:at, +:after)`
    const from = position === null || descending ? ['key >= +:low'] : []
    const to = position === null || !descending ? ['key < +:high'] : []
    const all = ['index_id = +:index', ...from, ...to, ...(position === null ? [] : [beyond])]
    const parameters: Bindings = {
      index: indexId,
      ...(from.length === 0 ? {} : { low }),
      ...(to.length === 0 ? {} : { high }),
      ...(position === null || after === null ? {} : { from: position.key, at: position.createdAt, after: after.id }),
    }
    const sql = (columns: string) => `SELECT ${columns} FROM record_keys WHERE ${all.join(' AND ')}
       ORDER BY key ${direction}, created_at ${direction}, record_id ${direction} LIMIT +:limit`
    return { sql, parameters }
  }
  const span = (order: RangeOrder, range: EntryRange, limit: number): readonly Entry[] => {
    const part = spanOf(order, range)
    const hidden = hiddenPrefixOf(order)
    const rows = part && statementOf<KeyRow>(part.sql(ENTRY_COLUMNS)).all({ ...part.parameters, limit })
    return (rows ?? []).map(({ id, key, created_at }) => ({
      id,
      key: entryKey(key.subarray(hidden.length), created_at),
    }))
  }
  return {
    read: (order: KeyOrder, range: EntryRange, limit: number): readonly Entry[] =>
      order.kind === 'point' ? point(order, range, limit) : span(order, range, limit),
    /** Keys are neither read nor converted. */
    ids(order: RangeOrder, range: EntryRange, limit: number): readonly number[] {
      const part = spanOf(order, range)
      const rows = part && statementOf<{ id: number }>(part.sql('record_id AS id')).all({ ...part.parameters, limit })
      return (rows ?? []).map(({ id }) => id)
    },
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
  const lists = createWordLists(statementOf, table)
  return (words, matching) => createIntersection(lists, words, matching)
}

interface Entries {
  readonly read: (order: Order, range: EntryRange, limit: number) => readonly Entry[]
  /** Where reading entries costs more than their ids. */
  readonly ids?: (order: RangeOrder, range: EntryRange, limit: number) => readonly number[]
  readonly count: (order: Order, range: Pick<EntryRange, 'createdAfter' | 'createdBefore'>, limit: number) => number
}

const sourceOver = (
  { read, ids, count }: Entries,
  { records, matching }: Pick<RecordSource, 'records' | 'matching'>,
): RecordSource => ({
  entries: (orders, range, limit) => orders.map((order) => read(order, range, limit)),
  ids: (order, range, limit) =>
    ids !== undefined && order.kind === 'range'
      ? ids(order, range, limit)
      : read(order, range, limit).map(({ id }) => id),
  count(orders, range, limit) {
    let counted = 0
    for (const order of orders) if (counted < limit) counted += count(order, range, limit - counted)
    return counted
  },
  records,
  matching,
})

/** These records, if the rows of all of them are cached. */
const cachedRecords = (rows: StoredRows, stored: StoredCollection, ids: readonly number[]): ReadRecords | null => {
  const records: StoredRecord[] = []
  let bytes = 0
  for (const id of ids) {
    const found = rows.cached(id)
    if (found === undefined) return null
    const record = recordOfFound(stored, found)
    if (record !== null) records.push(record)
    bytes += found.row.bytes
  }
  return { records, readCount: ids.length, bytes }
}

/** Reads the records of any collection defined at run time. */
export const createStoredSources = (connection: Connection, rows: StoredRows, cacheCount: CacheCount) => {
  const statementOf = createStatements(connection)
  const countRows = createCounting(statementOf, cacheCount)
  const keys = keyEntries(statementOf, countRows)
  const read = createRecords<StoredRow>(connection, 'records', Object.keys(records.columns))
  const matching = createPostings(statementOf, 'records')

  return (stored: StoredCollection): RecordSource => {
    const columns = columnEntries(statementOf, countRows, {
      table: 'records',
      columns: ['id', 'created_at', 'updated_at'],
      base: { where: ['collection_id = +:collection'], parameters: { collection: stored.id } },
    })
    const toRecord = (row: StoredRow) => recordOfFound(stored, rows.valueOf(row.id, row))
    return sourceOver(
      {
        read: (order, range, limit) =>
          order.kind === 'column' ? columns.read(order, range, limit) : keys.read(order, range, limit),
        ids: keys.ids,
        count: (order, range, limit) =>
          order.kind === 'column' ? columns.count(order, range, limit) : keys.count(order, range, limit),
      },
      { records: (ids, maxBytes) => cachedRecords(rows, stored, ids) ?? read(ids, maxBytes, toRecord), matching },
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
