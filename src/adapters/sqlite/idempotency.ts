import type { IdempotencyRepository } from '../../application/ports/persistence.ts'
import type { Role } from '../../domain/user.ts'
import { packAnswer, unpackAnswer } from '../sql/answers.ts'
import { BYTES_OF, idempotencyBytes, type UsageCounter } from '../sql/usage.ts'
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

interface SizeRow {
  user_id: number
  bytes: number
}

export const createIdempotencyRepository = (connection: Connection, usage: UsageCounter): IdempotencyRepository => {
  const find = connection.prepare<Row, [number, string, string]>(
    'SELECT * FROM idempotency WHERE user_id = ? AND route = ? AND key = ?',
  )
  const taken = connection.prepare<SizeRow, [number, string, string]>(
    `SELECT user_id, ${BYTES_OF.idempotency} AS bytes FROM idempotency WHERE user_id = ? AND route = ? AND key = ?`,
  )
  const put = connection.prepare<unknown, [number, string, string, Uint8Array, string, Role, number]>(
    `INSERT OR REPLACE INTO idempotency (user_id, route, key, fingerprint, answer, role, created_at)
     VALUES (?, ?, ?, ?, ?, ?, ?)`,
  )
  const old = connection.prepare<SizeRow, [number, number]>(
    `DELETE FROM idempotency WHERE (user_id, route, key) IN
       (SELECT user_id, route, key FROM idempotency WHERE created_at <= ? LIMIT +?)
     RETURNING user_id, ${BYTES_OF.idempotency} AS bytes`,
  )
  const owned = connection.prepare<SizeRow, [number, number]>(
    `DELETE FROM idempotency WHERE (user_id, route, key) IN
       (SELECT user_id, route, key FROM idempotency WHERE user_id = ? LIMIT +?)
     RETURNING user_id, ${BYTES_OF.idempotency} AS bytes`,
  )
  const subtractUsage = (rows: readonly SizeRow[]): number => {
    for (const { user_id, bytes } of rows) usage.add(user_id, -bytes)
    return rows.length
  }
  return {
    async find(userId, route, key) {
      const row = find.get(userId, route, key)
      return (
        row && {
          userId: row.user_id,
          route: row.route,
          key: row.key,
          fingerprint: row.fingerprint,
          answer: unpackAnswer(row.answer),
          role: row.role,
          createdAt: row.created_at,
        }
      )
    },
    async put({ userId, route, key, fingerprint, answer, role, createdAt }) {
      const packed = packAnswer(answer)
      subtractUsage(taken.all(userId, route, key))
      put.run(userId, route, key, fingerprint, packed, role, createdAt)
      usage.add(userId, idempotencyBytes(key, packed))
    },
    async deleteOld(before, limit) {
      return subtractUsage(old.all(before, limit))
    },
    async deleteOwned(userId, limit) {
      return subtractUsage(owned.all(userId, limit))
    },
  }
}
