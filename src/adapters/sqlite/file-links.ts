import type { FileLinkReader, FileLinkRepository } from '../../application/ports/persistence.ts'
import { fileLinks } from '../sql/entities.ts'
import { deleteById } from '../sql/statements.ts'
import type { Connection } from './database.ts'
import { createPager } from './pages.ts'
import { deleteSome, prepareChange, prepareFind, prepareInsert } from './rows.ts'

export const createFileLinkReader = (connection: Connection): FileLinkReader => {
  const find = prepareFind(connection, fileLinks, 'id = ? AND file_id = ?')
  const { page } = createPager(connection, fileLinks, { sorts: ['created_at'] })
  return {
    find: async (fileId, id) => find(id, fileId),
    async list({ fileId, aliveAt, ...request }) {
      const filters = [
        { sql: 'file_id = +:fileId', fileId },
        { sql: 'expires_at > +:aliveAt', aliveAt },
      ]
      return page(request, filters)
    },
  }
}

export const createFileLinkRepository = (connection: Connection): FileLinkRepository => {
  const insert = prepareInsert(connection, fileLinks)
  const count = connection.prepare<{ n: number }, [number, number]>(
    'SELECT count(*) AS n FROM (SELECT 1 FROM file_links WHERE maker_id = ? LIMIT +?)',
  )
  const removeCreatedBy = prepareChange(connection, 'DELETE FROM file_links WHERE maker_id = ?')
  const removeForeignBy = prepareChange(
    connection,
    'DELETE FROM file_links WHERE maker_id = ? AND owner_id <> maker_id',
  )
  const removeToFilesOf = prepareChange(connection, 'DELETE FROM file_links WHERE owner_id = ?')
  const removeExpiredOf = prepareChange(connection, deleteSome(fileLinks, 'maker_id = ? AND expires_at <= ?'))
  const remove = prepareChange(connection, deleteById('file_links'))
  const removeExpired = prepareChange(connection, deleteSome(fileLinks, 'expires_at <= ?'))
  return {
    ...createFileLinkReader(connection),
    countCreatedBy: async (creatorId, most) => count.get(creatorId, most)?.n ?? 0,
    insert: async (link) => insert(link),
    async delete(id) {
      remove(id)
    },
    async deleteAll(scope) {
      if ('ownerId' in scope) removeToFilesOf(scope.ownerId)
      else if (scope.foreign) removeForeignBy(scope.creatorId)
      else removeCreatedBy(scope.creatorId)
    },
    deleteExpiredOf: async (creatorId, now, limit) => removeExpiredOf(creatorId, now, limit),
    deleteExpired: async (now, limit) => removeExpired(now, limit),
  }
}
