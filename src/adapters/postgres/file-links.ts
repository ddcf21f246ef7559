import type { FileLinkReader, FileLinkRepository } from '../../application/ports/persistence.ts'
import type { FileLink } from '../../domain/file.ts'
import { type Connection, type Int8, insertedRow, int, type Transaction } from './connection.ts'
import { createPager } from './pages.ts'

interface Row {
  id: Int8
  file_id: Int8
  expires_at: Int8
  created_at: Int8
  maker_id: Int8
  owner_id: Int8
}

const fromRow = (row: Row): FileLink => ({
  id: int(row.id),
  fileId: int(row.file_id),
  ownerId: int(row.owner_id),
  makerId: int(row.maker_id),
  expiresAt: int(row.expires_at),
  createdAt: int(row.created_at),
})

export const createFileLinkReader = (connection: Connection): FileLinkReader => {
  const { page } = createPager<Row>(connection, { table: 'file_links', columns: ['created_at'] })
  return {
    async find(fileId, id) {
      const [row] = await connection.read<Row>('SELECT * FROM file_links WHERE id = $1 AND file_id = $2', id, fileId)
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
  async countMadeBy(makerId, most) {
    const [row] = await connection.read<{ n: Int8 }>(
      'SELECT count(*) AS n FROM (SELECT FROM file_links WHERE maker_id = $1 LIMIT $2) AS made',
      makerId,
      most,
    )
    return int(row?.n ?? '0')
  },
  async insert({ fileId, ownerId, makerId, expiresAt, createdAt }) {
    const inserted = await connection.insert<Row>(
      `INSERT INTO file_links (file_id, owner_id, maker_id, expires_at, created_at) VALUES ($1, $2, $3, $4, $5)
       RETURNING *`,
      fileId,
      ownerId,
      makerId,
      expiresAt,
      createdAt,
    )
    return fromRow(insertedRow(inserted))
  },
  async delete(id) {
    void connection.change('DELETE FROM file_links WHERE id = $1', id)
  },
  async deleteAll(scope) {
    if ('ownerId' in scope) void connection.change('DELETE FROM file_links WHERE owner_id = $1', scope.ownerId)
    else if (scope.foreign) {
      void connection.change('DELETE FROM file_links WHERE maker_id = $1 AND owner_id <> maker_id', scope.makerId)
    } else void connection.change('DELETE FROM file_links WHERE maker_id = $1', scope.makerId)
  },
  async deleteExpiredOf(makerId, now, limit) {
    const { count } = await connection.change(
      `DELETE FROM file_links WHERE id = ANY (ARRAY(
         SELECT id FROM file_links WHERE maker_id = $1 AND expires_at <= $2 LIMIT $3))`,
      makerId,
      now,
      limit,
    )
    return count
  },
  async deleteExpired(now, limit) {
    const { count } = await connection.change(
      'DELETE FROM file_links WHERE id = ANY (ARRAY(SELECT id FROM file_links WHERE expires_at <= $1 LIMIT $2))',
      now,
      limit,
    )
    return count
  },
})
