import type { SignInSourceReader, SignInSourceRepository } from '../../application/ports/accounts.ts'
import { MAX_SIGN_IN_SOURCES_COUNT } from '../../domain/session.ts'
import { signInSources } from '../sql/entities.ts'
import { upsertInto } from '../sql/statements.ts'
import type { Connection } from './database.ts'
import { deleteSome, prepareChange, prepareFind } from './rows.ts'

export const createSignInSourceReader = (connection: Connection): SignInSourceReader => {
  const find = prepareFind(connection, signInSources, 'user_id = ? AND source = ?')
  return { has: async (userId, source) => find(userId, source) !== null }
}

export const createSignInSourceRepository = (connection: Connection): SignInSourceRepository => {
  const put = prepareChange(connection, upsertInto(signInSources))
  const trim = prepareChange(
    connection,
    `DELETE FROM sign_in_sources WHERE user_id = ?1 AND source IN
       (SELECT source FROM sign_in_sources WHERE user_id = ?1 ORDER BY used_at DESC, source LIMIT -1 OFFSET +?2)`,
  )
  const removeOld = prepareChange(connection, deleteSome(signInSources, 'used_at < ?'))
  return {
    ...createSignInSourceReader(connection),
    async put(source) {
      put(...signInSources.valuesOf(source))
      trim(source.userId, MAX_SIGN_IN_SOURCES_COUNT)
    },
    deleteBefore: async (instant, limit) => removeOld(instant, limit),
  }
}
