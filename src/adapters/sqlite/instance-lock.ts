import { chmodSync, statSync } from 'node:fs'
import { isBusy, openFile } from './database.ts'

/**
 * Locks a database for one server, which remembers rights that another could change unseen.
 * The operating system releases the lock when the process ends, however it ends. Null when another has it;
 * throws when it cannot be written.
 */
export const lockInstance = (databasePath: string): (() => void) | null => {
  const path = `${databasePath}.lock`
  const database = openFile(path, true)
  try {
    // What SQLite makes beside it has its mode. On a disk that cannot be written to, there is something else to be said.
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
