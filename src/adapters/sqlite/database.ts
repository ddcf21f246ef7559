import { type Changes, Database, type SQLQueryBindings, type Statement } from 'bun:sqlite'
import { accessSync, constants } from 'node:fs'
import { dirname } from 'node:path'
import { onFirstUse } from '../../application/first-use.ts'
import { AppError } from '../../domain/errors.ts'

/** How long one statement may block the event loop while another process has a lock; the write queue waits longer. */
export const BUSY_TIMEOUT_MS = 5

type Parameters = SQLQueryBindings[]

/** What a named parameter can be bound to. */
export type Binding = string | number | bigint | boolean | null | Uint8Array

/** A statement that is prepared when it is first run, because a start runs few of them. */
export interface Prepared<Row, Params extends Parameters = Parameters> {
  all(...parameters: Params): Row[]
  get(...parameters: Params): Row | null
  iterate(...parameters: Params): IterableIterator<Row>
  run(...parameters: Params): Changes
}

/** One connection and the statements prepared on it, which stay prepared until it closes. */
export interface Connection {
  readonly database: Database
  /**
   * Errors in `sql` are thrown when the statement is first run. If a value could affect the plan, as in `LIMIT ?`, SQLite
   * plans the statement again each time it is bound, which costs more than most statements. A unary plus, as in
   * `LIMIT +?`, prevents that (https://sqlite.org/c3ref/prepare.html).
   */
  prepare<Row, Params extends Parameters = Parameters>(sql: string): Prepared<Row, Params>
  /** Runs statements that take no parameters. */
  run(sql: string): void
  /**
   * Finalizes every statement, so that using one afterwards throws and the last connection to close
   * moves the write-ahead log into the database file.
   */
  close(): void
}

/** SQLite reports only that it cannot open a file; checking the folder may show why. */
const openFailureReason = (path: string): string | null => {
  try {
    accessSync(dirname(path), constants.W_OK | constants.X_OK)
    return null
  } catch (error) {
    return error instanceof Error ? error.message : null
  }
}

/** The failure, with the name of the file and a code. */
const named = (path: string, error: unknown): Error => {
  const code = sqliteCode(error) ?? 'SQLITE_CANTOPEN'
  const said = error instanceof Error ? error.message : String(error)
  const reason = /^SQLITE_(CANTOPEN|READONLY)/.test(code) ? (openFailureReason(path) ?? said) : said
  return Object.assign(new Error(`${path}: ${reason}`, { cause: error }), { code })
}

/** Opens a file, or throws an error that names it. */
export const openFile = (path: string, create: boolean): Database => {
  try {
    return new Database(path, { create, readwrite: true, strict: true })
  } catch (error) {
    throw named(path, error)
  }
}

const PRAGMAS = [`busy_timeout = ${BUSY_TIMEOUT_MS}`, 'foreign_keys = ON', 'cache_size = -16000', 'temp_store = MEMORY']

const connect = (path: string, create: boolean, pragmas: readonly string[]): Connection => {
  const database = openFile(path, create)
  const statements: Statement[] = []
  try {
    // The first statement that needs the schema is the first to read the file.
    for (const pragma of [...PRAGMAS, ...pragmas]) database.run(`PRAGMA ${pragma}`)
  } catch (error) {
    database.close()
    throw named(path, error)
  }
  return {
    database,
    prepare<Row, Params extends Parameters>(sql: string): Prepared<Row, Params> {
      const statement = onFirstUse(() => {
        const prepared = database.prepare<Row, Parameters>(sql)
        statements.push(prepared)
        return prepared
      })
      return {
        all: (...parameters) => statement().all(...parameters),
        get: (...parameters) => statement().get(...parameters),
        iterate: (...parameters) => statement().iterate(...parameters),
        run: (...parameters) => statement().run(...parameters),
      }
    },
    run(sql) {
      database.run(sql)
    },
    close() {
      for (const statement of statements) statement.finalize()
      database.close(true)
    },
  }
}

/** Opens (and creates) the database for writing: WAL, every commit synced to the disk before it is reported. */
export const openWriter = (path: string): Connection =>
  connect(path, true, ['journal_mode = WAL', 'synchronous = FULL'])

/** Opens an existing database for reading: committed rows only, and any write is refused. */
export const openReader = (path: string): Connection => connect(path, false, ['query_only = ON'])

/**
 * The file itself if `path` is a symbolic link, because the names of SQLite's other files derive from it. SQLite
 * resolves it, because opening and closing the file in another way, as `realpath` may, releases all locks of the
 * process.
 */
export const fileOf = ({ database }: Connection): string => {
  const main = database.query<{ file: string }, []>("SELECT file FROM pragma_database_list WHERE name = 'main'").get()
  if (main === null) throw new Error('the connection has no database')
  return main.file
}

/** SQLite's result code, such as `SQLITE_BUSY` or `SQLITE_CONSTRAINT_UNIQUE`; null for any other failure. */
export const sqliteCode = (error: unknown): string | null =>
  error instanceof Error && 'code' in error && typeof error.code === 'string' && error.code.startsWith('SQLITE_')
    ? error.code
    : null

export const isBusy = (error: unknown): boolean => /^SQLITE_(BUSY|LOCKED)/.test(sqliteCode(error) ?? '')

/**
 * Converts a database failure to an error of the core if it is temporary or needs disk space; other errors are returned
 * unchanged.
 */
export const toAppError = (error: unknown): unknown => {
  const code = sqliteCode(error)
  if (code === null) return error
  if (code === 'SQLITE_FULL')
    return new AppError('storage_full', 'The storage is full', { cause: error, retryAfterSeconds: 60 })
  if (/^SQLITE_(BUSY|LOCKED|IOERR|READONLY|CANTOPEN|NOTADB|CORRUPT|PROTOCOL)/.test(code)) {
    return new AppError('unavailable', 'The database is not available', { cause: error, retryAfterSeconds: 1 })
  }
  return error
}
