import { describedFile } from '../../domain/file.ts'
import type { JsonObject } from '../../domain/merge-patch.ts'
import { files, users } from '../sql/entities.ts'
import type { Row } from '../sql/entity.ts'
import type { QueryDatabase } from '../sql/record-source.ts'
import { byCollection } from '../sql/record-table.ts'
import type { Connection } from './connection.ts'
import { storedSource, tableSource } from './record-source.ts'

const FILE_COLUMNS = 'id, owner_id, filename, content_type, size, created_at'

/** What queries read by `connection`. */
export const createQueryDatabase = (
  connection: Connection,
  findCollection: QueryDatabase['findCollection'],
): QueryDatabase => {
  const ofTable = byCollection((table) => tableSource(connection, table))
  const readAll = async <T>(
    { name, fromRow }: { readonly name: string; fromRow(row: Row): T },
    columns: string,
    ids: readonly number[],
  ): Promise<readonly T[]> => {
    const sql = `SELECT ${columns} FROM ${name} WHERE id = ANY ($1::bigint[])`
    return (await connection.read<Row>(sql, `{${ids.join()}}`)).map(fromRow)
  }
  return {
    findCollection,
    sourceOf: (storage) => (typeof storage === 'string' ? ofTable(storage) : storedSource(connection, storage)),
    users: async (ids): Promise<readonly JsonObject[]> =>
      (await readAll(users, 'id, name', ids)).map(({ id, name }) => ({ id, name })),
    files: async (ids): Promise<readonly JsonObject[]> => (await readAll(files, FILE_COLUMNS, ids)).map(describedFile),
  }
}
