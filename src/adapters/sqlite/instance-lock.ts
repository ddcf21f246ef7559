import { Database } from 'bun:sqlite'

/**
 * Holds a database for one server, which remembers rights that another could change unseen.
 * The operating system lets go of the lock when the process ends, however it ends. Null when another holds it.
 */
export const lockInstance = (databasePath: string): (() => void) | null => {
  const database = new Database(`${databasePath}.lock`, { create: true, readwrite: true })
  try {
    database.run('PRAGMA locking_mode = EXCLUSIVE')
    database.run('BEGIN EXCLUSIVE')
  } catch {
    database.close()
    return null
  }
  return () => database.close()
}
