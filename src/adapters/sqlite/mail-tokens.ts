import type { MailTokenReader, MailTokenRepository } from '../../application/ports/accounts.ts'
import { mailTokens } from '../sql/entities.ts'
import { upsertInto } from '../sql/statements.ts'
import type { Connection } from './database.ts'
import { deleteSome, prepareChange, prepareFind } from './rows.ts'

export const createMailTokenReader = (connection: Connection): MailTokenReader => {
  const byHash = prepareFind(connection, mailTokens, 'hash = ?')
  const byUser = prepareFind(connection, mailTokens, 'user_id = ? AND purpose = ?')
  return {
    findByHash: async (hash) => byHash(hash),
    findByUser: async (userId, purpose) => byUser(userId, purpose),
  }
}

export const createMailTokenRepository = (connection: Connection): MailTokenRepository => {
  const put = prepareChange(connection, upsertInto(mailTokens))
  const extend = prepareChange(connection, 'UPDATE mail_tokens SET expires_at = ? WHERE nonce = ?')
  const remove = prepareChange(connection, 'DELETE FROM mail_tokens WHERE user_id = ? AND purpose = ?')
  const removeAll = prepareChange(connection, 'DELETE FROM mail_tokens WHERE user_id = ?')
  const removeExpired = prepareChange(connection, deleteSome(mailTokens, 'expires_at <= ?'))
  return {
    ...createMailTokenReader(connection),
    async put(token) {
      put(...mailTokens.valuesOf(token))
    },
    extend: async (nonce, expiresAt) => extend(expiresAt, nonce) > 0,
    async delete(userId, purpose) {
      if (purpose === undefined) removeAll(userId)
      else remove(userId, purpose)
    },
    deleteExpired: async (now, limit) => removeExpired(now, limit),
  }
}
