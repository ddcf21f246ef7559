import type { FileReader, FileRepository } from '../../application/ports/persistence.ts'
import { files } from '../sql/entities.ts'
import type { Row } from '../sql/entity.ts'
import { deleteById, postgresPlaceholder } from '../sql/statements.ts'
import { fileBytes, type UsageCounter } from '../sql/usage.ts'
import { type Connection, type Lock, ROW_LOCK, type Transaction } from './connection.ts'
import { lookUpIn } from './look-up.ts'
import { createPager } from './pages.ts'
import { inserterOf } from './rows.ts'

const insertFile = inserterOf(files)
const DELETE = `${deleteById('files', postgresPlaceholder)} RETURNING *`

export const createFileReader = (connection: Connection, lock: Lock = ''): FileReader => {
  const { page } = createPager(connection, files, { sorts: ['created_at'] })
  return {
    findById: lookUpIn(connection, files, lock),
    async list({ ownerId, ...request }) {
      return page(request, ownerId === null ? [] : [{ sql: 'owner_id = ?', values: [ownerId] }])
    },
    async refersTo(blobKey) {
      const { count } = await connection.read('SELECT FROM files WHERE blob_key = $1', blobKey)
      return count > 0
    },
  }
}

export const createFileRepository = (connection: Transaction, usage: UsageCounter): FileRepository => {
  const remove = async (sql: string, ...parameters: readonly number[]) => {
    const gone = (await connection.change<Row>(sql, ...parameters)).map(files.fromRow)
    for (const { ownerId, size } of gone) usage.add(ownerId, -fileBytes(size))
    return gone
  }
  return {
    ...createFileReader(connection, ROW_LOCK),
    async insert(file) {
      const inserted = await insertFile(connection, file)
      usage.add(file.ownerId, fileBytes(file.size))
      return inserted
    },
    async delete(id) {
      await remove(DELETE, id)
    },
    // Rows are locked before their bytes are counted; see `removeOwned` in records.ts.
    deleteOwned: (ownerId, limit) =>
      remove(
        `DELETE FROM files WHERE id = ANY (ARRAY(SELECT id FROM files WHERE owner_id = $1 LIMIT $2 FOR UPDATE))
         RETURNING *`,
        ownerId,
        limit,
      ),
  }
}
