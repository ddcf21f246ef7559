import type { SignInSourceReader, SignInSourceRepository } from '../../application/ports/accounts.ts'
import { MAX_SIGN_IN_SOURCES_COUNT } from '../../domain/session.ts'
import type { Connection, Transaction } from './connection.ts'

export const createSignInSourceReader = (connection: Connection): SignInSourceReader => ({
  async has(userId, source) {
    const rows = await connection.read(
      'SELECT used_at FROM sign_in_sources WHERE user_id = $1 AND source = $2',
      userId,
      source,
    )
    return rows.length > 0
  },
})

export const createSignInSourceRepository = (connection: Transaction): SignInSourceRepository => ({
  ...createSignInSourceReader(connection),
  async put({ userId, source, usedAt }) {
    void connection.change(
      `INSERT INTO sign_in_sources (user_id, source, used_at) VALUES ($1, $2, $3)
       ON CONFLICT (user_id, source) DO UPDATE SET used_at = $3`,
      userId,
      source,
      usedAt,
    )
    void connection.change(
      `DELETE FROM sign_in_sources WHERE user_id = $1 AND source IN
         (SELECT source FROM sign_in_sources WHERE user_id = $1 ORDER BY used_at DESC, source OFFSET $2)`,
      userId,
      MAX_SIGN_IN_SOURCES_COUNT,
    )
  },
  async deleteBefore(instant, limit) {
    const { count } = await connection.change(
      `DELETE FROM sign_in_sources WHERE (user_id, source) IN
         (SELECT user_id, source FROM sign_in_sources WHERE used_at < $1 LIMIT $2)`,
      instant,
      limit,
    )
    return count
  },
})
