import type { UserReader, UserRepository } from '../../application/ports/accounts.ts'
import { AppError } from '../../domain/errors.ts'
import { users } from '../sql/entities.ts'
import { escapeLike } from '../sql/like.ts'
import { deleteById, postgresPlaceholder } from '../sql/statements.ts'
import { type Connection, type Int8, int, type Lock, ROW_LOCK, type Transaction } from './connection.ts'
import { sqlState } from './errors.ts'
import { lookUpIn } from './look-up.ts'
import { createPager } from './pages.ts'
import { firstOf, inserterOf, updaterOf } from './rows.ts'

/** The advisory lock for decisions based on the number of admins. */
const ADMINS_LOCK_KEY = 0x5cea

const insertUser = inserterOf(users)
const updateUser = updaterOf(users)
const DELETE = deleteById('users', postgresPlaceholder)

const toEmailTaken = (error: unknown): unknown =>
  sqlState(error) === '23505' ? new AppError('email_taken', 'Email already registered', { cause: error }) : error

export const createUserReader = (connection: Connection, lock: Lock = ''): UserReader => {
  const { page } = createPager(connection, users, { sorts: ['created_at', 'updated_at', 'email', 'name'] })
  return {
    findById: lookUpIn(connection, users, lock),
    async findByEmail(email) {
      // Any input may be looked up, but no text in Postgres contains NUL.
      if (email.includes('\0')) return null
      return firstOf(users, connection.read('SELECT * FROM users WHERE email = $1', email))
    },
    async list({ contains, ...request }) {
      const pattern = contains === null ? '' : `%${escapeLike(contains)}%`
      const filters =
        contains === null
          ? []
          : [{ sql: "(email ILIKE ? ESCAPE '\\' OR name ILIKE ? ESCAPE '\\')", values: [pattern, pattern] }]
      return page(request, filters)
    },
    async countActiveAdmins() {
      const [row] = await connection.read<{ n: Int8 }>(
        "SELECT count(*) AS n FROM users WHERE role = 'admin' AND is_active",
      )
      return int(row?.n ?? '0')
    },
  }
}

export const createUserRepository = (connection: Transaction): UserRepository => {
  const reader = createUserReader(connection, ROW_LOCK)
  return {
    ...reader,
    // Units that each remove an admin must count one after the other, because one may remove a row that another counts.
    async countActiveAdmins() {
      void connection.lock('SELECT pg_advisory_xact_lock($1)', ADMINS_LOCK_KEY)
      return reader.countActiveAdmins()
    },
    async insert(user) {
      try {
        return await insertUser(connection, user)
      } catch (error) {
        throw toEmailTaken(error)
      }
    },
    async update(user) {
      try {
        await updateUser(connection, user)
      } catch (error) {
        throw toEmailTaken(error)
      }
    },
    async delete(id) {
      const { count } = await connection.change(DELETE, id)
      return count > 0
    },
  }
}
