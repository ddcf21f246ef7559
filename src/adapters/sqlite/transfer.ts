import { constants, Database } from 'bun:sqlite'
import { copyFileSync, existsSync, constants as files, mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { Row, RowSource, Value } from '../../application/ports/transfer.ts'
import type { ColumnType } from '../sql/column-types.ts'
import { COUNTING_TABLES, TABLES, tableNamed } from '../sql/tables.ts'
import { lockInstance } from './instance-lock.ts'
import { pendingMigrations } from './migrate.ts'

export interface SqliteSource extends RowSource {
  close(): void
}

/** Limits of a batch: rows, or characters. */
const MAX_PIECE_COUNT = 1_000
const MAX_PIECE_CHARACTERS = 1_000_000

/** Files that a killed process leaves next to the database, without which it is incomplete. */
const JOURNAL_SUFFIXES = ['-wal', '-journal'] as const

const sizeOf = (path: string): number => statSync(path, { throwIfNoEntry: false })?.size ?? 0

/** The state of the files, which reveals a write by any process. */
const fileStamp = (path: string): string =>
  ['', ...JOURNAL_SUFFIXES]
    .map((suffix) => statSync(path + suffix, { bigint: true, throwIfNoEntry: false }))
    .map((found) => (found === undefined || found.size === 0n ? '-' : `${found.ino}:${found.size}:${found.mtimeNs}`))
    .join(' ')

interface Opened {
  readonly database: Database
  close(): void
}

/** Opened as immutable: no file is created, no lock is taken, and no write is possible. */
const openInPlace = (path: string): Opened => {
  const flags = constants.SQLITE_OPEN_READONLY | constants.SQLITE_OPEN_URI
  const database = new Database(`${pathToFileURL(path).href}?immutable=1`, flags)
  return { database, close: () => database.close() }
}

/** SQLite has to write to recover what a killed process left, so it works on a copy. */
const openCopy = (path: string): Opened => {
  const folder = mkdtempSync(join(tmpdir(), 'skep-copy-'))
  const remove = () => rmSync(folder, { recursive: true, force: true })
  try {
    const copy = join(folder, basename(path))
    for (const suffix of ['', ...JOURNAL_SUFFIXES]) {
      if (existsSync(path + suffix)) copyFileSync(path + suffix, copy + suffix, files.COPYFILE_FICLONE)
    }
    const database = new Database(copy, { readwrite: true, create: false })
    return {
      database,
      close() {
        database.close()
        remove()
      },
    }
  } catch (error) {
    remove()
    throw error
  }
}

const fromSqlite = (kind: ColumnType | undefined, value: Value): Value => (kind === 'boolean' ? value === 1 : value)

const lengthOf = (row: Row): number =>
  Object.values(row).reduce((sum: number, value) => sum + (typeof value === 'string' ? value.length : 8), 0)

export const readerOf = (database: Database): Omit<RowSource, 'isUnchanged'> => ({
  tables: Object.keys(TABLES),
  async count(table) {
    return database.query<{ n: number }, []>(`SELECT count(*) AS n FROM ${table}`).get()?.n ?? 0
  },
  async *rows(table) {
    const { columns, key } = tableNamed(table)
    const names = Object.keys(columns)
    const statement = database.prepare<Record<string, Value>, []>(
      `SELECT ${names.join(', ')} FROM ${table} ORDER BY ${key.join(', ')}`,
    )
    try {
      let piece: Row[] = []
      let length = 0
      for (const found of statement.iterate()) {
        const row = Object.fromEntries(names.map((name) => [name, fromSqlite(columns[name], found[name] ?? null)]))
        piece.push(row)
        length += lengthOf(row)
        if (piece.length < MAX_PIECE_COUNT && length < MAX_PIECE_CHARACTERS) continue
        yield piece
        piece = []
        length = 0
      }
      if (piece.length > 0) yield piece
    } finally {
      statement.finalize()
    }
  },
  async highestIds() {
    const rows = database.query<{ name: string; seq: number }, []>('SELECT name, seq FROM sqlite_sequence').all()
    const given = new Map(rows.map(({ name, seq }) => [name, seq]))
    return new Map(COUNTING_TABLES.map((table) => [table, given.get(table) ?? 0]))
  },
})

/**
 * Opens the database of an installation that no server runs on, read-only: its files do not change at all. Throws, with
 * a message for operators, if it does not exist, is in use by a server, or is not up to date.
 */
export const openSqliteSource = (path: string): SqliteSource => {
  if (!existsSync(path)) throw new Error(`there is no database at ${path}`)
  const unlock = lockInstance(path)
  if (unlock === null) throw new Error(`a server has ${path} open: stop it first`)
  let opened: Opened | null = null
  const close = () => {
    opened?.close()
    unlock()
  }
  try {
    const before = fileStamp(path)
    opened = JOURNAL_SUFFIXES.some((suffix) => sizeOf(path + suffix) > 0) ? openCopy(path) : openInPlace(path)
    const [missing] = pendingMigrations(opened.database)
    if (missing !== undefined) throw new Error(`${path} lacks ${missing.name}: run skep migrate on it first`)
    return { ...readerOf(opened.database), isUnchanged: () => fileStamp(path) === before, close }
  } catch (error) {
    close()
    throw error
  }
}
