import type { UserReader, UserRepository } from '../../application/ports/accounts.ts'
import { AppError } from '../../domain/errors.ts'
import type { Role, User } from '../../domain/user.ts'
import { escapeLike } from '../sql/like.ts'
import { type Connection, type Int8, insertedRow, int, type Lock, ROW_LOCK, type Transaction } from './connection.ts'
import { sqlState } from './errors.ts'
import { lookUpIn } from './look-up.ts'
import { createPager } from './pages.ts'

interface Row {
  id: Int8
  email: string
  name: string
  role: Role
  is_active: boolean
  email_verified: boolean
  password_hash: string
  created_at: Int8
  updated_at: Int8
}

/** The advisory lock for decisions based on the number of admins. */
const ADMINS_LOCK_KEY = 0x5cea

const fromRow = (row: Row): User => ({
  id: int(row.id),
  email: row.email,
  name: row.name,
  role: row.role,
  isActive: row.is_active,
  emailVerified: row.email_verified,
  passwordHash: row.password_hash,
  createdAt: int(row.created_at),
  updatedAt: int(row.updated_at),
})

const toValues = (user: Omit<User, 'id'>) =>
  [
    user.email,
    user.name,
    user.role,
    user.isActive,
    user.emailVerified,
    user.passwordHash,
    user.createdAt,
    user.updatedAt,
  ] as const

const toEmailTaken = (error: unknown): unknown =>
  sqlState(error) === '23505' ? new AppError('email_taken', 'Email already registered', { cause: error }) : error

export const createUserReader = (connection: Connection, lock: Lock = ''): UserReader => {
  const rowOf = lookUpIn<Row>(connection, { table: 'users', lock })
  const { page } = createPager<Row>(connection, {
    table: 'users',
    columns: ['created_at', 'updated_at', 'email', 'name'],
  })
  return {
    async findById(id) {
      const row = await rowOf(id)
      return row ? fromRow(row) : null
    },
    async findByEmail(email) {
      // Any input may be looked up, but no text in Postgres contains NUL.
      if (email.includes('\0')) return null
      const [row] = await connection.read<Row>('SELECT * FROM users WHERE email = $1', email)
      return row ? fromRow(row) : null
    },
    async list({ contains, ...request }) {
      const pattern = contains === null ? '' : `%${escapeLike(contains)}%`
      const filters =
        contains === null
          ? []
          : [{ sql: "(email ILIKE ? ESCAPE '\\' OR name ILIKE ? ESCAPE '\\')", values: [pattern, pattern] }]
      return page(request, filters, fromRow)
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
        const inserted = await connection.insert<Row>(
          `INSERT INTO users (email, name, role, is_active, email_verified, password_hash, created_at, updated_at)
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8) RETURNING *`,
          ...toValues(user),
        )
        return fromRow(insertedRow(inserted))
      } catch (error) {
        throw toEmailTaken(error)
      }
    },
    async update(user) {
      try {
        const { count } = await connection.change(
          `UPDATE users SET email = $1, name = $2, role = $3, is_active = $4, email_verified = $5, password_hash = $6,
             created_at = $7, updated_at = $8 WHERE id = $9`,
          ...toValues(user),
          user.id,
        )
        if (count !== 1) throw new Error('UPDATE met no row')
      } catch (error) {
        throw toEmailTaken(error)
      }
    },
    async delete(id) {
      const { count } = await connection.change('DELETE FROM users WHERE id = $1', id)
      return count > 0
    },
  }
}
