import type { MailTokenReader, MailTokenRepository } from '../../application/ports/accounts.ts'
import { mailTokens } from '../sql/entities.ts'
import { type Connection, type Lock, ROW_LOCK, type Transaction } from './connection.ts'
import { deleteSome, firstOf, replacerOf } from './rows.ts'

const putToken = replacerOf(mailTokens)

export const createMailTokenReader = (connection: Connection, lock: Lock = ''): MailTokenReader => ({
  async findByHash(hash) {
    // Locks the user before the token, in the same order as a unit that changes the account.
    const sql = `SELECT mail_tokens.* FROM users JOIN mail_tokens ON mail_tokens.user_id = users.id
       WHERE mail_tokens.hash = $1`
    return firstOf(mailTokens, connection.lookUp(lock, sql, hash))
  },
  async findByUser(userId, purpose) {
    const sql = 'SELECT * FROM mail_tokens WHERE user_id = $1 AND purpose = $2'
    return firstOf(mailTokens, connection.lookUp(lock, sql, userId, purpose))
  },
})

export const createMailTokenRepository = (connection: Transaction): MailTokenRepository => ({
  ...createMailTokenReader(connection, ROW_LOCK),
  async put(token) {
    putToken(connection, token)
  },
  async extend(nonce, expiresAt) {
    const { count } = await connection.change(
      'UPDATE mail_tokens SET expires_at = $2 WHERE nonce = $1',
      nonce,
      expiresAt,
    )
    return count > 0
  },
  async delete(userId, purpose) {
    if (purpose === undefined) void connection.change('DELETE FROM mail_tokens WHERE user_id = $1', userId)
    else void connection.change('DELETE FROM mail_tokens WHERE user_id = $1 AND purpose = $2', userId, purpose)
  },
  async deleteExpired(now, limit) {
    const { count } = await deleteSome(connection, mailTokens, 'expires_at <= $1', [now], limit)
    return count
  },
})
