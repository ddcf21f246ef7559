import type { SignInSourceReader, SignInSourceRepository } from '../../application/ports/accounts.ts'
import { MAX_SIGN_IN_SOURCES_COUNT } from '../../domain/session.ts'
import { signInSources } from '../sql/entities.ts'
import type { Connection, Transaction } from './connection.ts'
import { deleteSome, replacerOf } from './rows.ts'

const putSource = replacerOf(signInSources)

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
  async put(source) {
    putSource(connection, source)
    void connection.change(
      `DELETE FROM sign_in_sources WHERE user_id = $1 AND source IN
         (SELECT source FROM sign_in_sources WHERE user_id = $1 ORDER BY used_at DESC, source OFFSET $2)`,
      source.userId,
      MAX_SIGN_IN_SOURCES_COUNT,
    )
  },
  async deleteBefore(instant, limit) {
    const { count } = await deleteSome(connection, signInSources, 'used_at < $1', [instant], limit)
    return count
  },
})
