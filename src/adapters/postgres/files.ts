import type { FileReader, FileRepository } from '../../application/ports/persistence.ts'
import type { StoredFile } from '../../domain/file.ts'
import { fileBytes, type UsageCounter } from '../sql/usage.ts'
import { type Connection, type Int8, insertedRow, int, type Lock, ROW_LOCK, type Transaction } from './connection.ts'
import { lookUpIn } from './look-up.ts'
import { createPager } from './pages.ts'

interface Row {
  id: Int8
  owner_id: Int8
  filename: string
  content_type: string
  size: Int8
  sha256: string
  blob_key: string
  created_at: Int8
}

const fromRow = (row: Row): StoredFile => ({
  id: int(row.id),
  ownerId: int(row.owner_id),
  filename: row.filename,
  contentType: row.content_type,
  size: int(row.size),
  sha256: row.sha256,
  blobKey: row.blob_key,
  createdAt: int(row.created_at),
})

export const createFileReader = (connection: Connection, lock: Lock = ''): FileReader => {
  const rowOf = lookUpIn<Row>(connection, { table: 'files', lock })
  const { page } = createPager<Row>(connection, { table: 'files', columns: ['created_at'] })
  return {
    async findById(id) {
      const row = await rowOf(id)
      return row ? fromRow(row) : null
    },
    async list({ ownerId, ...request }) {
      return page(request, ownerId === null ? [] : [{ sql: 'owner_id = ?', values: [ownerId] }], fromRow)
    },
    async names(blobKey) {
      const { count } = await connection.read('SELECT FROM files WHERE blob_key = $1', blobKey)
      return count > 0
    },
  }
}

export const createFileRepository = (connection: Transaction, usage: UsageCounter): FileRepository => ({
  ...createFileReader(connection, ROW_LOCK),
  async insert({ ownerId, filename, contentType, size, sha256, blobKey, createdAt }) {
    const inserted = await connection.insert<Row>(
      `INSERT INTO files (owner_id, filename, content_type, size, sha256, blob_key, created_at)
       VALUES ($1, $2, $3, $4, $5, $6, $7) RETURNING *`,
      ownerId,
      filename,
      contentType,
      size,
      sha256,
      blobKey,
      createdAt,
    )
    usage.add(ownerId, fileBytes(size))
    return fromRow(insertedRow(inserted))
  },
  async delete(id) {
    const [gone] = await connection.change<Row>('DELETE FROM files WHERE id = $1 RETURNING *', id)
    if (gone !== undefined) usage.add(int(gone.owner_id), -fileBytes(int(gone.size)))
  },
  // Rows are locked before their bytes are counted; see `removeOwned` in records.ts.
  async deleteOwned(ownerId, limit) {
    const gone = await connection.change<Row>(
      `DELETE FROM files WHERE id = ANY (ARRAY(SELECT id FROM files WHERE owner_id = $1 LIMIT $2 FOR UPDATE))
       RETURNING *`,
      ownerId,
      limit,
    )
    for (const { size } of gone) usage.add(ownerId, -fileBytes(int(size)))
    return gone.map(fromRow)
  },
})
