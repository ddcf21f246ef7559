import type { IdempotencyRepository } from '../../application/ports/persistence.ts'
import type { Role } from '../../domain/user.ts'
import type { Connection } from './database.ts'

interface Row {
  user_id: number
  route: string
  key: string
  fingerprint: Uint8Array
  answer: string
  created_at: number
  role: Role
}

export const createIdempotencyRepository = (connection: Connection): IdempotencyRepository => {
  const find = connection.prepare<Row, [number, string, string]>(
    'SELECT * FROM idempotency WHERE user_id = ? AND route = ? AND key = ?',
  )
  const put = connection.prepare<unknown, [number, string, string, Uint8Array, string, Role, number]>(
    `INSERT OR REPLACE INTO idempotency (user_id, route, key, fingerprint, answer, role, created_at)
     VALUES (?, ?, ?, ?, ?, ?, ?)`,
  )
  const old = connection.prepare<unknown, [number, number]>(
    `DELETE FROM idempotency WHERE (user_id, route, key) IN
       (SELECT user_id, route, key FROM idempotency WHERE created_at <= ? LIMIT +?)`,
  )
  return {
    async find(userId, route, key) {
      const row = find.get(userId, route, key)
      return (
        row && {
          userId: row.user_id,
          route: row.route,
          key: row.key,
          fingerprint: row.fingerprint,
          answer: JSON.parse(row.answer),
          role: row.role,
          createdAt: row.created_at,
        }
      )
    },
    async put({ userId, route, key, fingerprint, answer, role, createdAt }) {
      put.run(userId, route, key, fingerprint, JSON.stringify(answer), role, createdAt)
    },
    async deleteOld(before, limit) {
      return old.run(before, limit).changes
    },
  }
}
