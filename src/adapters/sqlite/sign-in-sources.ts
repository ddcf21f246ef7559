import type { SignInSourceReader, SignInSourceRepository } from '../../application/ports/accounts.ts'
import { MAX_SIGN_IN_SOURCES_COUNT } from '../../domain/session.ts'
import type { Connection } from './database.ts'

export const createSignInSourceReader = (connection: Connection): SignInSourceReader => {
  const one = connection.prepare<{ used_at: number }, [number, string]>(
    'SELECT used_at FROM sign_in_sources WHERE user_id = ? AND source = ?',
  )
  return {
    async has(userId, source) {
      return one.get(userId, source) !== null
    },
  }
}

export const createSignInSourceRepository = (connection: Connection): SignInSourceRepository => {
  const put = connection.prepare<unknown, [number, string, number]>(
    'INSERT OR REPLACE INTO sign_in_sources (user_id, source, used_at) VALUES (?, ?, ?)',
  )
  const trim = connection.prepare<unknown, [number, number]>(
    `DELETE FROM sign_in_sources WHERE user_id = ?1 AND source IN
       (SELECT source FROM sign_in_sources WHERE user_id = ?1 ORDER BY used_at DESC, source LIMIT -1 OFFSET +?2)`,
  )
  const old = connection.prepare<unknown, [number, number]>(
    `DELETE FROM sign_in_sources WHERE (user_id, source) IN
       (SELECT user_id, source FROM sign_in_sources WHERE used_at < ? LIMIT +?)`,
  )
  return {
    ...createSignInSourceReader(connection),
    async put({ userId, source, usedAt }) {
      put.run(userId, source, usedAt)
      trim.run(userId, MAX_SIGN_IN_SOURCES_COUNT)
    },
    async deleteBefore(instant, limit) {
      return old.run(instant, limit).changes
    },
  }
}
