import { statSync } from 'node:fs'
import { MAX_MEASURED_USERS_COUNT, type StoredSize } from '../../application/ports/persistence.ts'
import type { Connection } from './database.ts'

const bytesOf = (path: string): number => statSync(path, { throwIfNoEntry: false })?.size ?? 0

/** Measures what is stored in the database at a path. */
export const createStoredSize = (path: string, reader: Connection): (() => StoredSize) => {
  const users = reader.prepare<{ bytes: number }, [number]>(
    'SELECT coalesce(sum(bytes), 0) AS bytes FROM (SELECT bytes FROM usage LIMIT +?)',
  )
  return () => ({
    database: bytesOf(path) + bytesOf(`${path}-wal`),
    users: users.get(MAX_MEASURED_USERS_COUNT)?.bytes ?? 0,
  })
}
