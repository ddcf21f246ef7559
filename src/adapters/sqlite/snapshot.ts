import { existsSync, statSync } from 'node:fs'
import type { Snapshot } from '../../application/ports/transfer.ts'
import { fileOf, openReader } from './database.ts'
import { MIGRATIONS, pendingMigrations } from './migrate.ts'
import { readerOf } from './transfer.ts'

/** What is written during the snapshot stays in the write-ahead log. If the log grows beyond this, the snapshot fails. */
const MAX_WAL_GROWTH_BYTES = 4 * 1_073_741_824

/** On a thread of its own it may wait for the locks of other processes. */
const BUSY_TIMEOUT_MS = 30_000

const sizeOf = (path: string): number => statSync(path, { throwIfNoEntry: false })?.size ?? 0

/**
 * Opens a database for reading as it is now, while servers may write to it. Reading blocks the thread. Throws, with a
 * message for operators, if it does not exist or is not up to date.
 */
export const openSqliteSnapshot = (path: string): Snapshot => {
  if (!existsSync(path)) throw new Error(`there is no database at ${path}`)
  const connection = openReader(path)
  let closed = false
  const close = () => {
    if (!closed) connection.close()
    closed = true
  }
  try {
    connection.run(`PRAGMA busy_timeout = ${BUSY_TIMEOUT_MS}`)
    connection.run('BEGIN')
    // The first read begins the snapshot.
    const [missing] = pendingMigrations(connection.database)
    if (missing !== undefined) throw new Error(`${path} lacks ${missing.name}: run skep migrate first`)
    const log = `${fileOf(connection)}-wal`
    const before = sizeOf(log)
    const reader = readerOf(connection.database)
    return {
      ...reader,
      schema: MIGRATIONS.map(({ name }) => name),
      async *rows(table) {
        for await (const rows of reader.rows(table)) {
          if (sizeOf(log) - before > MAX_WAL_GROWTH_BYTES) {
            throw new Error(`more than ${MAX_WAL_GROWTH_BYTES} bytes were written while the rows were read`)
          }
          yield rows
        }
      },
      async close() {
        close()
      },
    }
  } catch (error) {
    close()
    throw error
  }
}
