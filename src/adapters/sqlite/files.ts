import type { FileReader, FileRepository } from '../../application/ports/persistence.ts'
import { files } from '../sql/entities.ts'
import type { Row } from '../sql/entity.ts'
import { deleteById } from '../sql/statements.ts'
import { runAtOnce } from '../sql/step-queue.ts'
import { fileBytes, type UsageCounter } from '../sql/usage.ts'
import type { Connection } from './database.ts'
import { createPager } from './pages.ts'
import { deleteSome, prepareFind, prepareInsert } from './rows.ts'

export const createFileReader = (connection: Connection, runStep = runAtOnce): FileReader => {
  const byId = prepareFind(connection, files, 'id = ?')
  const byKey = connection.prepare<unknown, [string]>('SELECT 1 FROM files WHERE blob_key = ?')
  const { page } = createPager(connection, files, { sorts: ['created_at'], runStep })
  return {
    findById: async (id) => byId(id),
    async list({ ownerId, ...request }) {
      return page(request, ownerId === null ? [] : [{ sql: 'owner_id = +:ownerId', ownerId }], ownerId)
    },
    refersTo: async (blobKey) => byKey.get(blobKey) !== null,
  }
}

export const createFileRepository = (connection: Connection, usage: UsageCounter): FileRepository => {
  const insert = prepareInsert(connection, files)
  const remove = connection.prepare<Row, [number]>(`${deleteById('files')} RETURNING *`)
  const owned = connection.prepare<Row, [number, number]>(`${deleteSome(files, 'owner_id = ?')} RETURNING *`)
  const removed = (rows: readonly Row[]) => {
    const gone = rows.map(files.fromRow)
    for (const { ownerId, size } of gone) usage.add(ownerId, -fileBytes(size))
    return gone
  }
  return {
    ...createFileReader(connection),
    async insert(file) {
      const inserted = insert(file)
      usage.add(file.ownerId, fileBytes(file.size))
      return inserted
    },
    async delete(id) {
      removed(remove.all(id))
    },
    deleteOwned: async (ownerId, limit) => removed(owned.all(ownerId, limit)),
  }
}
