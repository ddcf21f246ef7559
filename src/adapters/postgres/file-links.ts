import type { FileLinkReader, FileLinkRepository } from '../../application/ports/persistence.ts'
import { fileLinks } from '../sql/entities.ts'
import { deleteById, postgresPlaceholder } from '../sql/statements.ts'
import { type Connection, type Int8, int, type Transaction } from './connection.ts'
import { createPager } from './pages.ts'
import { deleteSome, firstOf, inserterOf } from './rows.ts'

const insertLink = inserterOf(fileLinks)
const DELETE = deleteById('file_links', postgresPlaceholder)

export const createFileLinkReader = (connection: Connection): FileLinkReader => {
  const { page } = createPager(connection, fileLinks, { sorts: ['created_at'] })
  return {
    async find(fileId, id) {
      return firstOf(fileLinks, connection.read('SELECT * FROM file_links WHERE id = $1 AND file_id = $2', id, fileId))
    },
    async list({ fileId, aliveAt, ...request }) {
      const filters = [
        { sql: 'file_id = ?', values: [fileId] },
        { sql: 'expires_at > ?', values: [aliveAt] },
      ]
      return page(request, filters)
    },
  }
}

export const createFileLinkRepository = (connection: Transaction): FileLinkRepository => ({
  ...createFileLinkReader(connection),
  async countCreatedBy(creatorId, most) {
    const [row] = await connection.read<{ n: Int8 }>(
      'SELECT count(*) AS n FROM (SELECT FROM file_links WHERE maker_id = $1 LIMIT $2) AS created',
      creatorId,
      most,
    )
    return int(row?.n ?? '0')
  },
  insert: (link) => insertLink(connection, link),
  async delete(id) {
    void connection.change(DELETE, id)
  },
  async deleteAll(scope) {
    if ('ownerId' in scope) void connection.change('DELETE FROM file_links WHERE owner_id = $1', scope.ownerId)
    else if (scope.foreign) {
      void connection.change('DELETE FROM file_links WHERE maker_id = $1 AND owner_id <> maker_id', scope.creatorId)
    } else void connection.change('DELETE FROM file_links WHERE maker_id = $1', scope.creatorId)
  },
  async deleteExpiredOf(creatorId, now, limit) {
    const condition = 'maker_id = $1 AND expires_at <= $2'
    const { count } = await deleteSome(connection, fileLinks, condition, [creatorId, now], limit)
    return count
  },
  async deleteExpired(now, limit) {
    const { count } = await deleteSome(connection, fileLinks, 'expires_at <= $1', [now], limit)
    return count
  },
})
