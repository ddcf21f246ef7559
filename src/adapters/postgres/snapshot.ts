import type { EmptyTarget, RowReader, Snapshot } from '../../application/ports/transfer.ts'
import { TABLES } from '../sql/tables.ts'
import { MIGRATIONS, migrate, pendingMigrations } from './migrate.ts'
import { createPool } from './pool.ts'
import { createPostgresTarget, readerOn, withinTransaction } from './transfer.ts'

/**
 * The database at `url` as it is now, while servers write to it: one transaction, which blocks nobody. Connect without a
 * proxy. Rejects, with a message for operators, if it is not up to date.
 */
export const openPostgresSnapshot = async (url: string): Promise<Snapshot> => {
  const [missing] = await pendingMigrations(url)
  if (missing !== undefined) throw new Error(`the database lacks ${missing.name}: run skep migrate first`)
  const pool = createPool({ url, size: 1, connectionTimeoutMs: 10_000 })
  const opened = Promise.withResolvers<RowReader>()
  const finished = Promise.withResolvers<void>()
  const work = pool.exclusively(async (connection) => {
    // Few events remain without a position; readerOn numbers them.
    await connection.send('SELECT place_events()', [])
    await withinTransaction(connection, 'BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY', async () => {
      const reader = readerOn(connection)
      // The first statement begins the snapshot.
      await reader.count('users')
      opened.resolve(reader)
      await finished.promise
    })
  })
  const ended = work.finally(() => pool.close(0))
  ended.catch(opened.reject)
  const reader = await opened.promise
  return {
    ...reader,
    tables: Object.keys(TABLES),
    schema: MIGRATIONS.map(({ name }) => name),
    async close() {
      finished.resolve()
      await ended
    },
  }
}

/** The database at `url`, which may have empty tables. */
export const createEmptyPostgresTarget = (url: string): EmptyTarget => {
  const target = createPostgresTarget(url)
  return {
    findUnsupportedValue: target.findUnsupportedValue,
    async requireEmpty() {
      const pool = createPool({ url, size: 1, connectionTimeoutMs: 10_000 })
      try {
        await pool.exclusively(async (connection) => {
          for (const table of Object.keys(TABLES)) {
            const [known] = await connection.send<{ known: boolean }>(
              `SELECT to_regclass('${table}') IS NOT NULL AS known`,
              [],
            )
            if (known?.known !== true) continue
            const rows = await connection.send(`SELECT 1 FROM ${table} LIMIT 1`, [])
            if (rows.length > 0) throw new Error(`the database is not empty: there are rows in ${table}`)
          }
        })
      } finally {
        await pool.close(0)
      }
    },
    async fill(work) {
      await migrate(url)
      return target.load(async (loader) => {
        for (const table of Object.keys(TABLES)) {
          if ((await loader.count(table)) > 0) throw new Error('the database was written to meanwhile')
        }
        return work(loader)
      })
    },
  }
}
