import type { Database } from 'bun:sqlite'
import { chmodSync, closeSync, existsSync, fsyncSync, mkdirSync, openSync, renameSync, rmSync } from 'node:fs'
import { dirname } from 'node:path'
import type { EmptyTarget, Row, RowLoader, Value } from '../../application/ports/transfer.ts'
import { RECORD_TABLES } from '../sql/record-table.ts'
import { unlessDeleted } from '../sql/stored-records.ts'
import { TABLES, tableNamed } from '../sql/tables.ts'
import { type Connection, openFile } from './database.ts'
import { migrate } from './migrate.ts'
import { TEXT_TABLES } from './record-text.ts'
import { readerOf } from './transfer.ts'

const UNFINISHED = '.restoring'
const SUFFIXES = ['', '-wal', '-shm', '-journal'] as const

const toSqlite = (value: Value): string | number | Uint8Array | null =>
  typeof value === 'boolean' ? Number(value) : value

const createInsert = (database: Database) => {
  const statements = new Map<string, ReturnType<Database['prepare']>>()
  return (table: string, rows: readonly Row[]): void => {
    let statement = statements.get(table)
    if (statement === undefined) {
      const names = Object.keys(tableNamed(table).columns)
      const values = names.map(() => '?').join(', ')
      statement = database.prepare(`INSERT INTO ${table} (${names.join(', ')}) VALUES (${values})`)
      statements.set(table, statement)
    }
    for (const row of rows) statement.run(...Object.values(row).map(toSqlite))
  }
}

const UNFINISHED_DELETIONS = "SELECT value FROM json_each(collections.deletions, '$.unfinished')"

/** What only this engine keeps. The words of records are indexed by the server that opens the database. */
const derive = (database: Database): void => {
  for (const table of TEXT_TABLES) database.run(`INSERT INTO ${table}_unindexed SELECT id FROM ${table}`)
  database.run('DELETE FROM record_counts')
  for (const { name } of RECORD_TABLES) {
    database.run(`INSERT INTO record_counts SELECT '${name}', 0, count(*) FROM ${name}`)
  }
  database.run(
    `INSERT INTO record_counts SELECT * FROM (
       SELECT CAST(id AS TEXT), 0, (
         SELECT count(*) FROM records WHERE collection_id = collections.id AND ${unlessDeleted(UNFINISHED_DELETIONS)}
       ) AS found FROM collections) WHERE found > 0`,
  )
}

const loaderOn = (database: Database): RowLoader => {
  const insert = createInsert(database)
  return {
    ...readerOf(database),
    async insert(table, rows) {
      insert(table, rows)
    },
    async setHighestIds(highest) {
      for (const [table, id] of highest) {
        database.run('DELETE FROM sqlite_sequence WHERE name = ?', [table])
        database.run('INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)', [table, id])
      }
    },
  }
}

const syncPath = (path: string): void => {
  const file = openSync(path, 'r')
  try {
    fsyncSync(file)
  } finally {
    closeSync(file)
  }
}

const removeAll = (path: string): void => {
  for (const suffix of SUFFIXES) rmSync(path + suffix, { force: true })
}

/** Migrations create a few rows, of which the filled database has its own. */
const prepare = (database: Database): void => {
  migrate(database)
  for (const table of Object.keys(TABLES).reverse()) database.run(`DELETE FROM ${table}`)
}

/** The file at `path`, which appears only when it is complete. Filling it blocks the thread. */
export const createSqliteTarget = (path: string): EmptyTarget => ({
  async requireEmpty() {
    const found = SUFFIXES.map((suffix) => path + suffix).find(existsSync)
    if (found !== undefined) throw new Error(`there is a database already: ${found}`)
  },
  findUnsupportedValue: () => null,
  async fill(work) {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
    const draft = path + UNFINISHED
    // A killed process may have left one.
    removeAll(draft)
    try {
      const database: Connection['database'] = openFile(draft, true)
      try {
        // Until it is renamed, nobody needs the file.
        for (const pragma of ['journal_mode = OFF', 'synchronous = OFF', 'foreign_keys = ON', 'cache_size = -16000']) {
          database.run(`PRAGMA ${pragma}`)
        }
        prepare(database)
        database.run('BEGIN')
        const value = await work(loaderOn(database))
        derive(database)
        database.run('COMMIT')
        database.close()
        syncPath(draft)
        chmodSync(draft, 0o600)
        renameSync(draft, path)
        syncPath(dirname(path))
        return value
      } finally {
        database.close()
      }
    } finally {
      removeAll(draft)
    }
  },
})
