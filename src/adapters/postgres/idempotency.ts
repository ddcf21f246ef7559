import type { IdempotencyRepository } from '../../application/ports/persistence.ts'
import type { Role } from '../../domain/user.ts'
import { packAnswer, unpackAnswer } from '../sql/answers.ts'
import { BYTES_OF, idempotencyBytes, type UsageCounter } from '../sql/usage.ts'
import { type Int8, int, type Transaction } from './connection.ts'
import { LockConflict } from './errors.ts'

interface Row {
  user_id: Int8
  route: string
  key: string
  fingerprint: Uint8Array
  answer: string
  created_at: Int8
  role: Role
}

interface SizeRow {
  user_id: Int8
  bytes: Int8
}

const RETURNED_SIZE = `user_id, ${BYTES_OF.idempotency} AS bytes`

export const createIdempotencyRepository = (connection: Transaction, usage: UsageCounter): IdempotencyRepository => ({
  async find(userId, route, key) {
    // A missing row cannot be locked, so the key has an advisory lock. Nobody waits for it, because a shared
    // transaction also has the keys of others locked.
    const [[lock], [row]] = await Promise.all([
      connection.read<{ taken: boolean }>(
        'SELECT NOT pg_try_advisory_xact_lock(hashtextextended($1, 0)) AS taken',
        `${userId} ${route} ${key}`,
      ),
      connection.read<Row>(
        'SELECT * FROM idempotency WHERE user_id = $1 AND route = $2 AND key = $3',
        userId,
        route,
        key,
      ),
    ])
    if (lock?.taken !== false) throw new LockConflict('another transaction has the key')
    if (row === undefined) return null
    return {
      userId: int(row.user_id),
      route: row.route,
      key: row.key,
      fingerprint: new Uint8Array(row.fingerprint),
      answer: unpackAnswer(row.answer),
      role: row.role,
      createdAt: int(row.created_at),
    }
  },
  async put({ userId, route, key, fingerprint, answer, role, createdAt }) {
    const packed = packAnswer(answer)
    // The size of an expired record that it replaces; the subquery sees the old row.
    const [row] = await connection.change<{ before: Int8 | null }>(
      `INSERT INTO idempotency (user_id, route, key, fingerprint, answer, role, created_at)
       VALUES ($1, $2, $3, $4, $5, $6, $7)
       ON CONFLICT (user_id, route, key) DO UPDATE SET fingerprint = $4, answer = $5, role = $6, created_at = $7
       RETURNING (SELECT ${BYTES_OF.idempotency} FROM idempotency before
                  WHERE before.user_id = $1 AND before.route = $2 AND before.key = $3) AS before`,
      userId,
      route,
      key,
      fingerprint,
      packed,
      role,
      createdAt,
    )
    usage.add(userId, idempotencyBytes(key, packed) - int(row?.before ?? '0'))
  },
  async deleteOld(before, limit) {
    const gone = await connection.change<SizeRow>(
      `DELETE FROM idempotency WHERE created_at <= $1 AND (user_id, route, key) IN (
         SELECT user_id, route, key FROM idempotency WHERE created_at <= $1 LIMIT $2)
       RETURNING ${RETURNED_SIZE}`,
      before,
      limit,
    )
    for (const { user_id, bytes } of gone) usage.add(int(user_id), -int(bytes))
    return gone.length
  },
  async deleteOwned(userId, limit) {
    const gone = await connection.change<SizeRow>(
      `DELETE FROM idempotency WHERE user_id = $1 AND (route, key) IN (
         SELECT route, key FROM idempotency WHERE user_id = $1 LIMIT $2)
       RETURNING ${RETURNED_SIZE}`,
      userId,
      limit,
    )
    for (const { bytes } of gone) usage.add(userId, -int(bytes))
    return gone.length
  },
})
