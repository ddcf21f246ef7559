import type { UserReader, UserRepository } from '../../application/ports/accounts.ts'
import { AppError } from '../../domain/errors.ts'
import type { Role, User } from '../../domain/user.ts'
import { escapeLike } from '../sql/like.ts'
import { runAtOnce } from '../sql/step-queue.ts'
import { type Connection, sqliteCode } from './database.ts'
import { createPager } from './pages.ts'
import { withoutCache } from './row-cache.ts'

interface Row {
  id: number
  email: string
  name: string
  role: Role
  is_active: number
  email_verified: number
  password_hash: string
  created_at: number
  updated_at: number
}

const fromRow = (row: Row): User => ({
  id: row.id,
  email: row.email,
  name: row.name,
  role: row.role,
  isActive: row.is_active === 1,
  emailVerified: row.email_verified === 1,
  passwordHash: row.password_hash,
  createdAt: row.created_at,
  updatedAt: row.updated_at,
})

const toRow = (user: Omit<User, 'id'>) => ({
  email: user.email,
  name: user.name,
  role: user.role,
  is_active: user.isActive ? 1 : 0,
  email_verified: user.emailVerified ? 1 : 0,
  password_hash: user.passwordHash,
  created_at: user.createdAt,
  updated_at: user.updatedAt,
})

const toEmailTaken = (error: unknown): unknown =>
  sqliteCode(error) === 'SQLITE_CONSTRAINT_UNIQUE' ? new AppError('email_taken', 'Email already registered') : error

export const createUserReader = (
  connection: Connection,
  cacheLookUp = withoutCache,
  runStep = runAtOnce,
): UserReader => {
  const byId = connection.prepare<Row, [number]>('SELECT * FROM users WHERE id = ?')
  const rowOf = cacheLookUp((id) => byId.get(id))
  const byEmail = connection.prepare<Row, [string]>('SELECT * FROM users WHERE email = ?')
  const activeAdmins = connection.prepare<{ n: number }, []>(
    "SELECT count(*) AS n FROM users WHERE role = 'admin' AND is_active = 1",
  )
  const { page } = createPager<Row>(connection, {
    table: 'users',
    columns: ['created_at', 'updated_at', 'email', 'name'],
    runStep,
  })

  return {
    async findById(id) {
      const row = rowOf(id)
      return row && fromRow(row)
    },
    async findByEmail(email) {
      const row = byEmail.get(email)
      return row && fromRow(row)
    },
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
      return page(request, filters, fromRow)
    },
    async countActiveAdmins() {
      return activeAdmins.get()?.n ?? 0
    },
  }
}

/** `forget` is called when a user is changed or removed. */
export const createUserRepository = (connection: Connection, forget: () => void): UserRepository => {
  const insert = connection.prepare<Row>(
    `INSERT INTO users (email, name, role, is_active, email_verified, password_hash, created_at, updated_at)
     VALUES (:email, :name, :role, :is_active, :email_verified, :password_hash, :created_at, :updated_at)
     RETURNING *`,
  )
  const update = connection.prepare(
    `UPDATE users SET email = :email, name = :name, role = :role, is_active = :is_active,
       email_verified = :email_verified, password_hash = :password_hash, created_at = :created_at, updated_at = :updated_at
     WHERE id = :id`,
  )
  const remove = connection.prepare<unknown, [number]>('DELETE FROM users WHERE id = ?')

  return {
    ...createUserReader(connection),
    async insert(user) {
      try {
        const row = insert.get(toRow(user))
        if (row === null) throw new Error('INSERT returned no row')
        return fromRow(row)
      } catch (error) {
        throw toEmailTaken(error)
      }
    },
    async update(user) {
      forget()
      try {
        const { changes } = update.run({ id: user.id, ...toRow(user) })
        if (changes !== 1) throw new Error('UPDATE met no row')
      } catch (error) {
        throw toEmailTaken(error)
      }
    },
    async delete(id) {
      forget()
      return remove.run(id).changes > 0
    },
  }
}
