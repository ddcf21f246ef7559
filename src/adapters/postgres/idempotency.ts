import type { IdempotencyRepository } from '../../application/ports/persistence.ts'
import type { Role } from '../../domain/user.ts'
import { type Int8, int, type Transaction } from './connection.ts'
import { Taken } from './errors.ts'

interface Row {
  user_id: Int8
  route: string
  key: string
  fingerprint: Uint8Array
  answer: string
  created_at: Int8
  role: Role
}

export const createIdempotencyRepository = (connection: Transaction): IdempotencyRepository => ({
  async find(userId, route, key) {
    // A row that is not there cannot be held. Nobody waits: who shares a transaction holds the keys of others, too.
    const [[lock], [row]] = await Promise.all([
      connection.query<{ taken: boolean }>(
        'SELECT NOT pg_try_advisory_xact_lock(hashtextextended($1, 0)) AS taken',
        `${userId} ${route} ${key}`,
      ),
      connection.query<Row>(
        'SELECT * FROM idempotency WHERE user_id = $1 AND route = $2 AND key = $3',
        userId,
        route,
        key,
      ),
    ])
    if (lock?.taken !== false) throw new Taken('another transaction has the key')
    if (row === undefined) return null
    return {
      userId: int(row.user_id),
      route: row.route,
      key: row.key,
      fingerprint: new Uint8Array(row.fingerprint),
      answer: JSON.parse(row.answer),
      role: row.role,
      createdAt: int(row.created_at),
    }
  },
  async put({ userId, route, key, fingerprint, answer, role, createdAt }) {
    connection.send(
      `INSERT INTO idempotency (user_id, route, key, fingerprint, answer, role, created_at)
       VALUES ($1, $2, $3, $4, $5, $6, $7)
       ON CONFLICT (user_id, route, key) DO UPDATE SET fingerprint = $4, answer = $5, role = $6, created_at = $7`,
      userId,
      route,
      key,
      fingerprint,
      JSON.stringify(answer),
      role,
      createdAt,
    )
  },
  async deleteOld(before, limit) {
    const { count } = await connection.query(
      `DELETE FROM idempotency USING (
         SELECT user_id, route, key FROM idempotency WHERE created_at <= $1 LIMIT $2) old
       WHERE idempotency.created_at <= $1
         AND idempotency.user_id = old.user_id AND idempotency.route = old.route AND idempotency.key = old.key`,
      before,
      limit,
    )
    return count
  },
})
