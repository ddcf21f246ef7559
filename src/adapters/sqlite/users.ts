import type { UserReader, UserRepository } from '../../application/ports/accounts.ts'
import { AppError } from '../../domain/errors.ts'
import { users } from '../sql/entities.ts'
import type { Row } from '../sql/entity.ts'
import { escapeLike } from '../sql/like.ts'
import { deleteById } from '../sql/statements.ts'
import { runAtOnce } from '../sql/step-queue.ts'
import { type Connection, sqliteCode } from './database.ts'
import { createPager } from './pages.ts'
import { withoutCache } from './row-cache.ts'
import { prepareChange, prepareFind, prepareInsert, prepareUpdate } from './rows.ts'

const toEmailTaken = (error: unknown): unknown =>
  sqliteCode(error) === 'SQLITE_CONSTRAINT_UNIQUE' ? new AppError('email_taken', 'Email already registered') : error

export const createUserReader = (
  connection: Connection,
  cacheLookUp = withoutCache,
  runStep = runAtOnce,
): UserReader => {
  const rowById = connection.prepare<Row, [number]>('SELECT * FROM users WHERE id = ?')
  const byId = cacheLookUp((id) => rowById.get(id), users.fromRow)
  const byEmail = prepareFind(connection, users, 'email = ?')
  const activeAdmins = connection.prepare<{ n: number }, []>(
    "SELECT count(*) AS n FROM users WHERE role = 'admin' AND is_active = 1",
  )
  const { page } = createPager(connection, users, {
    sorts: ['created_at', 'updated_at', 'email', 'name'],
    runStep,
  })

  return {
    findById: async (id) => byId(id),
    findByEmail: async (email) => byEmail(email),
    async list({ contains, ...request }) {
      const filters =
        contains === null
          ? []
          : [
              {
                sql: "(email LIKE +:contains ESCAPE '\\' OR name LIKE +:contains ESCAPE '\\')",
                contains: `%${escapeLike(contains)}%`,
              },
            ]
      return page(request, filters)
    },
    async countActiveAdmins() {
      return activeAdmins.get()?.n ?? 0
    },
  }
}

/** `clearCache` is called when a user is changed or removed. */
export const createUserRepository = (connection: Connection, clearCache: () => void): UserRepository => {
  const insert = prepareInsert(connection, users)
  const update = prepareUpdate(connection, users)
  const remove = prepareChange(connection, deleteById('users'))

  return {
    ...createUserReader(connection),
    async insert(user) {
      try {
        return insert(user)
      } catch (error) {
        throw toEmailTaken(error)
      }
    },
    async update(user) {
      clearCache()
      try {
        update(user)
      } catch (error) {
        throw toEmailTaken(error)
      }
    },
    async delete(id) {
      clearCache()
      return remove(id) > 0
    },
  }
}
