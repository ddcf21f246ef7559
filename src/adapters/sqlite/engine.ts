import { chmodSync, existsSync } from 'node:fs'
import type { Engine } from '../../application/ports/engine.ts'
import { type Connection, openWriter } from './database.ts'
import { lockInstance } from './instance-lock.ts'
import { migrate, pendingMigrations } from './migrate.ts'
import { openSqliteStore } from './unit-of-work.ts'
import type { WritersLock } from './writers-lock.ts'

interface Options {
  readonly path: string
  /** Creates the folder of the file if it does not exist. Called before a migration. */
  readonly makeFolder: () => void
  /** If several threads open it. */
  readonly lock?: WritersLock
}

const withWriter = <T>(path: string, work: (connection: Connection) => T): T => {
  const connection = openWriter(path)
  try {
    return work(connection)
  } finally {
    connection.close()
  }
}

/** Only one server has the file open, so it can be migrated at each start. */
export const createSqliteEngine = ({ path, makeFolder, lock }: Options): Engine => {
  const ensureMigrated = async () => {
    makeFolder()
    return withWriter(path, ({ database }) => {
      chmodSync(path, 0o600)
      return migrate(database)
    })
  }
  return {
    migrate: ensureMigrated,
    ensureMigrated,
    async pending() {
      return withWriter(existsSync(path) ? path : ':memory:', ({ database }) =>
        pendingMigrations(database).map(({ name }) => name),
      )
    },
    lock() {
      const unlock = lockInstance(path)
      if (unlock === null) throw new Error(`another server has ${path} open`)
      return unlock
    },
    open: (options) => openSqliteStore({ path, ...options, ...(lock && { lock }) }),
  }
}
