import type { FileLinkReader, FileLinkRepository } from '../../application/ports/persistence.ts'
import type { FileLink } from '../../domain/file.ts'
import { type Connection, type Int8, int, only, type Transaction } from './connection.ts'
import { createPager } from './pages.ts'

interface Row {
  id: Int8
  file_id: Int8
  expires_at: Int8
  created_at: Int8
}

const fromRow = (row: Row): FileLink => ({
  id: int(row.id),
  fileId: int(row.file_id),
  expiresAt: int(row.expires_at),
  createdAt: int(row.created_at),
})

export const createFileLinkReader = (connection: Connection): FileLinkReader => {
  const { page } = createPager<Row>(connection, { table: 'file_links', columns: ['created_at'] })
  return {
    async find(fileId, id) {
      const [row] = await connection.query<Row>('SELECT * FROM file_links WHERE id = $1 AND file_id = $2', id, fileId)
      return row ? fromRow(row) : null
    },
    async list({ fileId, aliveAt, ...request }) {
      const filters = [
        { sql: 'file_id = ?', values: [fileId] },
        { sql: 'expires_at > ?', values: [aliveAt] },
      ]
      return page(request, filters, fromRow)
    },
  }
}

export const createFileLinkRepository = (connection: Transaction): FileLinkRepository => ({
  ...createFileLinkReader(connection),
  async insert({ fileId, expiresAt, createdAt }) {
    const inserted = await connection.query<Row>(
      'INSERT INTO file_links (file_id, expires_at, created_at) VALUES ($1, $2, $3) RETURNING *',
      fileId,
      expiresAt,
      createdAt,
    )
    return fromRow(only(inserted))
  },
  async delete(id) {
    connection.send('DELETE FROM file_links WHERE id = $1', id)
  },
  async deleteExpired(now, limit) {
    const { count } = await connection.query(
      'DELETE FROM file_links WHERE id = ANY (ARRAY(SELECT id FROM file_links WHERE expires_at <= $1 LIMIT $2))',
      now,
      limit,
    )
    return count
  },
})
