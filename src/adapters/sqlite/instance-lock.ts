import { chmodSync, statSync } from 'node:fs'
import { isBusy, openFile } from './database.ts'

/**
 * Locks a database for one server, because it caches rights that another server could change unnoticed. The operating
 * system releases the lock when the process ends for any reason. Null if another process has the lock; throws if the
 * lock file cannot be written.
 */
export const lockInstance = (databasePath: string): (() => void) | null => {
  const path = `${databasePath}.lock`
  const database = openFile(path, true)
  try {
    // Files that SQLite creates next to it get its mode. On a read-only disk, opening the file reports the error.
    if ((statSync(path).mode & 0o077) !== 0) chmodSync(path, 0o600)
    database.run('PRAGMA locking_mode = EXCLUSIVE')
    database.run('BEGIN EXCLUSIVE')
  } catch (error) {
    database.close()
    if (isBusy(error)) return null
    throw new Error(`${path}: ${error instanceof Error ? error.message : error}`, { cause: error })
  }
  return () => database.close()
}
