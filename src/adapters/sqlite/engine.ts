import { chmodSync, existsSync } from 'node:fs'
import type { Engine } from '../../application/ports/engine.ts'
import { type Connection, openWriter } from './database.ts'
import { lockInstance } from './instance-lock.ts'
import { isNew, migrate, pendingMigrations } from './migrate.ts'
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

/**
 * Only one server has the file open, so it can be migrated at each start. Commands migrate it only while no server has it
 * open: one of an older version could no longer use it.
 */
export const createSqliteEngine = ({ path, makeFolder, lock: writersLock }: Options): Engine => {
  let isLocked = false

  const lockOr = (refusal: string): (() => void) => {
    const unlock = lockInstance(path)
    if (unlock === null) throw new Error(refusal)
    isLocked = true
    return () => {
      isLocked = false
      unlock()
    }
  }

  const ensureMigrated = async () => {
    makeFolder()
    return withWriter(path, ({ database }) => {
      chmodSync(path, 0o600)
      const [first] = pendingMigrations(database)
      if (first === undefined) return []
      const refusal = `the database lacks ${first.name}, but a server has ${path} open: stop it first`
      const unlock = isLocked || isNew(database) ? null : lockOr(refusal)
      try {
        return migrate(database)
      } finally {
        unlock?.()
      }
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
    lock: () => lockOr(`another server has ${path} open`),
    open: (options) => openSqliteStore({ path, ...options, ...(writersLock && { lock: writersLock }) }),
  }
}
