import type { StoredCollection } from '../../application/ports/collections.ts'
import type { Row, RowLoader, RowReader, RowTarget, Value } from '../../application/ports/transfer.ts'
import type { ColumnType } from '../sql/column-types.ts'
import { collections } from '../sql/entities.ts'
import { RECORD_TABLES, type RecordTable } from '../sql/record-table.ts'
import { isSearched, textOfRow } from '../sql/stored-records.ts'
import { COUNTING_TABLES, TABLES, tableNamed } from '../sql/tables.ts'
import { COLUMN_TYPES } from './column-types.ts'
import { type Int8, int } from './connection.ts'
import { sqlState } from './errors.ts'
import { migrate } from './migrate.ts'
import { createPool } from './pool.ts'
import type { ServerConnection } from './server-connection.ts'
import { bucketsOf, vectorOf } from './words.ts'

/** Rows per fetch; a row has up to 60 kB. */
const MAX_PIECE_COUNT = 200

const LOCK_TIMEOUT = '10s'
const LOCK_NOT_AVAILABLE = '55P03'

/** No timeouts: reads and loads may take as long as they need, and may wait for the other side. */
const WITHOUT_TIMEOUTS =
  'SET LOCAL statement_timeout = 0; SET LOCAL idle_in_transaction_session_timeout = 0; SET LOCAL jit = off'

/** Columns that have a different name in Postgres. */
const expressionOf = (table: string, column: string): string =>
  table === 'events' && column === 'cursor' ? 'position' : column

const fromPostgres = (kind: ColumnType | undefined, value: Value | undefined): Value => {
  if (value === null || value === undefined) return null
  if (kind === 'integer') return Number(value)
  return value instanceof Uint8Array ? new Uint8Array(value) : value
}

const endOfLog = async (connection: ServerConnection): Promise<number> => {
  const [end] = await connection.send<{ position: Int8 }>('SELECT position FROM events_end', [])
  return int(end?.position ?? '0')
}

export const readerOn = (connection: ServerConnection): RowReader => ({
  async count(table) {
    const [row] = await connection.send<{ n: Int8 }>(`SELECT count(*) AS n FROM ${table}`, [])
    return int(row?.n ?? '0')
  },
  async *rows(table) {
    const { columns, key } = tableNamed(table)
    const names = Object.keys(columns)
    const selected = names.map((name) => `${expressionOf(table, name)} AS ${name}`).join(', ')
    const isLog = table === 'events'
    // Events that have no position yet are last, in the order in which they will get one.
    const order = isLog ? 'position, id' : key.join(', ')
    let last = isLog ? await endOfLog(connection) : 0
    // One scan, however large the table, because new rows have no statistics for planning pages.
    await connection.send(`DECLARE copied NO SCROLL CURSOR FOR SELECT ${selected} FROM ${table} ORDER BY ${order}`, [])
    try {
      for (;;) {
        const found = await connection.send<Record<string, Value>>(`FETCH ${MAX_PIECE_COUNT} FROM copied`, [])
        if (found.length === 0) return
        yield found.map((row) => {
          const values = Object.fromEntries(names.map((name) => [name, fromPostgres(columns[name], row[name])]))
          return isLog && values.cursor === null ? { ...values, cursor: ++last } : values
        })
      }
    } finally {
      // In a failed transaction the cursor is already closed.
      await connection.send('CLOSE copied', []).catch(() => {})
    }
  },
  async highestIds() {
    const highest = new Map<string, number>()
    for (const table of COUNTING_TABLES.filter((name) => name !== 'events')) {
      const [sequence] = await connection.send<{ name: string }>(
        `SELECT pg_get_serial_sequence('${table}', 'id') AS name`,
        [],
      )
      const [last] = await connection.send<{ id: Int8 }>(
        `SELECT last_value - CASE WHEN is_called THEN 0 ELSE 1 END AS id FROM ${sequence?.name}`,
        [],
      )
      highest.set(table, int(last?.id ?? '0'))
    }
    return highest.set('events', await endOfLog(connection))
  },
})

/** A value as JSON, to be cast by Postgres. */
const toJson = (value: Value): string | number | boolean | null =>
  value instanceof Uint8Array ? `\\x${value.toHex()}` : value

interface DerivedColumn {
  readonly name: string
  readonly type: string
  /** The stored form, if it is not the value itself. */
  readonly sql?: string
  of(row: Row): string | number | null
}

const WORDS_VERSION: DerivedColumn = {
  name: 'words_version',
  type: 'integer',
  of: ({ version }) => Number(version),
}

const wordsOf = ({ textOf }: RecordTable): readonly DerivedColumn[] => [
  {
    name: 'words',
    type: 'tsvector',
    sql: `words || ${bucketsOf('id')}`,
    of: (row) => vectorOf({ text: textOf(row), ownerId: Number(row.owner_id) }),
  },
  WORDS_VERSION,
]

/** What a table has in Postgres in addition to its shared columns. */
const DERIVED_COLUMNS: Readonly<Record<string, readonly DerivedColumn[]>> = {
  ...Object.fromEntries(
    RECORD_TABLES.filter(({ collection }) => collection.search.length > 0).map((table) => [table.name, wordsOf(table)]),
  ),
  events: [{ name: 'id', type: 'bigint', of: ({ cursor }) => Number(cursor) }],
}

/** The words of records of collections defined at run time, which are loaded before. */
const storedWords = (stored: ReadonlyMap<number, StoredCollection>): readonly DerivedColumn[] => [
  {
    name: 'words',
    type: 'tsvector',
    sql: `words || ${bucketsOf('id')}`,
    of(row) {
      const collection = stored.get(Number(row.collection_id))
      return collection === undefined || !isSearched(collection)
        ? null
        : vectorOf({
            text: textOfRow(collection, row),
            ownerId: row.owner_id === null ? null : Number(row.owner_id),
            collectionId: collection.id,
          })
    },
  },
  WORDS_VERSION,
]

/** Inserts rows, with the columns that are derived from them. */
const createInsert = (connection: ServerConnection): RowLoader['insert'] => {
  const stored = new Map<number, StoredCollection>()
  const derived: typeof DERIVED_COLUMNS = { ...DERIVED_COLUMNS, records: storedWords(stored) }

  return async (table, rows) => {
    const { columns } = tableNamed(table)
    const extras = derived[table] ?? []
    if (table === 'collections') for (const row of rows) stored.set(Number(row.id), collections.fromRow(row))
    const names = [...Object.keys(columns), ...extras.map(({ name }) => name)]
    const values = [...Object.keys(columns), ...extras.map(({ name, sql = name }) => sql)]
    const types = [...Object.values(columns).map((kind) => COLUMN_TYPES[kind]), ...extras.map(({ type }) => type)]
    const records = rows.map((row) => ({
      ...Object.fromEntries(Object.entries(row).map(([name, value]) => [name, toJson(value)])),
      ...Object.fromEntries(extras.map((extra) => [extra.name, extra.of(row)])),
    }))
    await connection.send(
      `INSERT INTO ${table} (${names.map((name) => expressionOf(table, name)).join(', ')})
       SELECT ${values.join(', ')} FROM json_to_recordset($1::text::json)
         AS records (${names.map((name, at) => `${name} ${types[at]}`).join(', ')})`,
      [JSON.stringify(records)],
    )
  }
}

const loaderOn = (connection: ServerConnection): RowLoader => ({
  ...readerOn(connection),
  insert: createInsert(connection),
  async setHighestIds(highest) {
    // Unlike setval(), this is rolled back with the transaction.
    for (const [table, id] of highest) {
      await connection.send(`ALTER TABLE ${table} ALTER COLUMN id RESTART WITH ${id + 1}`, [])
    }
    await connection.send('UPDATE events_end SET position = $1', [highest.get('events') ?? 0])
  },
})

export const withinTransaction = async <T>(connection: ServerConnection, begin: string, work: () => Promise<T>): Promise<T> => {
  try {
    await connection.send(`${begin}; ${WITHOUT_TIMEOUTS}`, [])
    const value = await work()
    await connection.send('COMMIT', [])
    return value
  } catch (error) {
    await connection.send('ROLLBACK', []).catch(() => connection.close())
    throw error
  }
}

/** Text in Postgres cannot contain NUL, and UTF-8 cannot contain unpaired surrogates. */
const fault = (value: Value): string | null => {
  if (typeof value === 'number' && !Number.isSafeInteger(value)) return 'is a number that is not exact'
  if (typeof value !== 'string') return null
  if (value.includes('\0')) return 'holds a NUL character'
  return value.isWellFormed() ? null : 'holds half a surrogate pair'
}

const idOf = (table: string, row: Row): string =>
  tableNamed(table)
    .key.map((name) => row[name] ?? null)
    .map((value) => (value instanceof Uint8Array ? value.toHex() : String(value)))
    .join(' ')

/** The database at `url`. Connect without a proxy, because a load is one long transaction. */
export const createPostgresTarget = (url: string): RowTarget => {
  const { host, pathname } = new URL(url)
  const place = `${host}${pathname}`

  const withConnection = async <T>(work: (connection: ServerConnection) => Promise<T>): Promise<T> => {
    const pool = createPool({ url, size: 1, connectionTimeoutMs: 10_000 })
    try {
      return await pool.exclusively(work)
    } catch (error) {
      if (sqlState(error) !== LOCK_NOT_AVAILABLE) throw error
      throw new Error(`${place}: another process writes to it: stop that first`, { cause: error })
    } finally {
      await pool.close(0)
    }
  }

  return {
    findUnsupportedValue(table, row) {
      for (const [column, value] of Object.entries(row)) {
        const why = fault(value)
        if (why !== null) return `${table} ${idOf(table, row)}: ${column} ${why}, which Postgres cannot keep`
      }
      return null
    },
    async prepare() {
      await migrate(url)
    },
    read: (work) =>
      withConnection((connection) =>
        withinTransaction(connection, 'BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY', () => work(readerOn(connection))),
      ),
    load: (work) =>
      withConnection((connection) => {
        const tables = [...Object.keys(TABLES), 'events_end'].join(', ')
        const lock = `BEGIN; SET LOCAL lock_timeout = '${LOCK_TIMEOUT}'; LOCK TABLE ${tables} IN SHARE ROW EXCLUSIVE MODE`
        return withinTransaction(connection, lock, () => work(loaderOn(connection)))
      }),
  }
}
