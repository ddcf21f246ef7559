import type { FileLinkReader, FileLinkRepository } from '../../application/ports/persistence.ts'
import type { FileLink } from '../../domain/file.ts'
import type { Connection } from './database.ts'
import { createPager } from './pages.ts'

interface Row {
  id: number
  file_id: number
  expires_at: number
  created_at: number
  maker_id: number
  owner_id: number
}

const fromRow = (row: Row): FileLink => ({
  id: row.id,
  fileId: row.file_id,
  ownerId: row.owner_id,
  makerId: row.maker_id,
  expiresAt: row.expires_at,
  createdAt: row.created_at,
})

export const createFileLinkReader = (connection: Connection): FileLinkReader => {
  const find = connection.prepare<Row, [number, number]>('SELECT * FROM file_links WHERE id = ? AND file_id = ?')
  const { page } = createPager<Row>(connection, { table: 'file_links', columns: ['created_at'] })
  return {
    async find(fileId, id) {
      const row = find.get(id, fileId)
      return row && fromRow(row)
    },
    async list({ fileId, aliveAt, ...request }) {
      const filters = [
        { sql: 'file_id = +:fileId', fileId },
        { sql: 'expires_at > +:aliveAt', aliveAt },
      ]
      return page(request, filters, fromRow)
    },
  }
}

export const createFileLinkRepository = (connection: Connection): FileLinkRepository => {
  const insert = connection.prepare<Row, [number, number, number, number, number]>(
    'INSERT INTO file_links (file_id, owner_id, maker_id, expires_at, created_at) VALUES (?, ?, ?, ?, ?) RETURNING *',
  )
  const count = connection.prepare<{ n: number }, [number, number]>(
    'SELECT count(*) AS n FROM (SELECT 1 FROM file_links WHERE maker_id = ? LIMIT +?)',
  )
  const madeBy = connection.prepare<unknown, [number]>('DELETE FROM file_links WHERE maker_id = ?')
  const foreignBy = connection.prepare<unknown, [number]>(
    'DELETE FROM file_links WHERE maker_id = ? AND owner_id <> maker_id',
  )
  const toFilesOf = connection.prepare<unknown, [number]>('DELETE FROM file_links WHERE owner_id = ?')
  const expiredOf = connection.prepare<unknown, [number, number, number]>(
    `DELETE FROM file_links WHERE id IN
       (SELECT id FROM file_links WHERE maker_id = ? AND expires_at <= ? LIMIT +?)`,
  )
  const remove = connection.prepare<unknown, [number]>('DELETE FROM file_links WHERE id = ?')
  const expired = connection.prepare<unknown, [number, number]>(
    'DELETE FROM file_links WHERE id IN (SELECT id FROM file_links WHERE expires_at <= ? LIMIT +?)',
  )
  return {
    ...createFileLinkReader(connection),
    async countMadeBy(makerId, most) {
      return count.get(makerId, most)?.n ?? 0
    },
    async insert({ fileId, ownerId, makerId, expiresAt, createdAt }) {
      const row = insert.get(fileId, ownerId, makerId, expiresAt, createdAt)
      if (row === null) throw new Error('INSERT returned no row')
      return fromRow(row)
    },
    async delete(id) {
      remove.run(id)
    },
    async deleteAll(scope) {
      if ('ownerId' in scope) toFilesOf.run(scope.ownerId)
      else if (scope.foreign) foreignBy.run(scope.makerId)
      else madeBy.run(scope.makerId)
    },
    async deleteExpiredOf(makerId, now, limit) {
      return expiredOf.run(makerId, now, limit).changes
    },
    async deleteExpired(now, limit) {
      return expired.run(now, limit).changes
    },
  }
}
