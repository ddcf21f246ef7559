import type { FileReader, FileRepository } from '../../application/ports/persistence.ts'
import type { StoredFile } from '../../domain/file.ts'
import { runAtOnce } from '../sql/step-queue.ts'
import { fileBytes, type UsageCounter } from '../sql/usage.ts'
import type { Connection } from './database.ts'
import { createPager } from './pages.ts'

interface Row {
  id: number
  owner_id: number
  filename: string
  content_type: string
  size: number
  sha256: string
  blob_key: string
  created_at: number
}

const fromRow = (row: Row): StoredFile => ({
  id: row.id,
  ownerId: row.owner_id,
  filename: row.filename,
  contentType: row.content_type,
  size: row.size,
  sha256: row.sha256,
  blobKey: row.blob_key,
  createdAt: row.created_at,
})

export const createFileReader = (connection: Connection, runStep = runAtOnce): FileReader => {
  const byId = connection.prepare<Row, [number]>('SELECT * FROM files WHERE id = ?')
  const byKey = connection.prepare<unknown, [string]>('SELECT 1 FROM files WHERE blob_key = ?')
  const { page } = createPager<Row>(connection, { table: 'files', columns: ['created_at'], runStep })
  return {
    async findById(id) {
      const row = byId.get(id)
      return row && fromRow(row)
    },
    async list({ ownerId, ...request }) {
      return page(request, ownerId === null ? [] : [{ sql: 'owner_id = +:ownerId', ownerId }], fromRow, ownerId)
    },
    async names(blobKey) {
      return byKey.get(blobKey) !== null
    },
  }
}

export const createFileRepository = (connection: Connection, usage: UsageCounter): FileRepository => {
  const insert = connection.prepare<Row, [number, string, string, number, string, string, number]>(
    `INSERT INTO files (owner_id, filename, content_type, size, sha256, blob_key, created_at)
     VALUES (?, ?, ?, ?, ?, ?, ?) RETURNING *`,
  )
  const remove = connection.prepare<Row, [number]>('DELETE FROM files WHERE id = ? RETURNING *')
  const owned = connection.prepare<Row, [number, number]>(
    `DELETE FROM files WHERE id IN (SELECT id FROM files WHERE owner_id = ? LIMIT +?) RETURNING *`,
  )
  return {
    ...createFileReader(connection),
    async insert({ ownerId, filename, contentType, size, sha256, blobKey, createdAt }) {
      const row = insert.get(ownerId, filename, contentType, size, sha256, blobKey, createdAt)
      if (row === null) throw new Error('INSERT returned no row')
      usage.add(ownerId, fileBytes(size))
      return fromRow(row)
    },
    async delete(id) {
      const gone = remove.get(id)
      if (gone !== null) usage.add(gone.owner_id, -fileBytes(gone.size))
    },
    async deleteOwned(ownerId, limit) {
      const gone = owned.all(ownerId, limit)
      for (const { size } of gone) usage.add(ownerId, -fileBytes(size))
      return gone.map(fromRow)
    },
  }
}
