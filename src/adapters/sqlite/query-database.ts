import type { RecordStorage } from '../../application/ports/collections.ts'
import { describedFile } from '../../domain/file.ts'
import { files } from '../sql/entities.ts'
import type { Row } from '../sql/entity.ts'
import type { QueryDatabase } from '../sql/record-source.ts'
import { byCollection } from '../sql/record-table.ts'
import type { Connection } from './database.ts'
import type { Definitions } from './definitions.ts'
import { createStoredSources, createTableSource } from './record-source.ts'
import { type CacheCount, withoutCache, withoutCountCache } from './row-cache.ts'
import { createStoredRows, type StoredRows } from './stored-record-readers.ts'

interface Caches {
  readonly rows: StoredRows
  readonly cacheCount: CacheCount
}

const withoutCaches = (connection: Connection): Caches => ({
  rows: createStoredRows(connection, withoutCache),
  cacheCount: withoutCountCache,
})

/** What the queries of one connection read. */
export const createQueryDatabase = (
  connection: Connection,
  definitions: Definitions,
  { rows, cacheCount } = withoutCaches(connection),
): QueryDatabase => {
  const storedSource = createStoredSources(connection, rows, cacheCount)
  const tableSource = byCollection((table) => createTableSource(connection, table, cacheCount))
  const among = <Found>(sql: string) => {
    const statement = connection.prepare<Found, [string]>(`${sql} WHERE id IN (SELECT value FROM json_each(?))`)
    return (ids: readonly number[]) => statement.all(JSON.stringify(ids))
  }
  const users = among<{ readonly id: number; readonly name: string }>('SELECT id, name FROM users')
  const filesAmong = among<Row>('SELECT * FROM files')
  return {
    findCollection: definitions.find,
    sourceOf: (storage: RecordStorage) => (typeof storage === 'string' ? tableSource(storage) : storedSource(storage)),
    users,
    files: (ids) => filesAmong(ids).map((row) => describedFile(files.fromRow(row))),
  }
}
