import type { MailTokenReader, MailTokenRepository } from '../../application/ports/accounts.ts'
import type { MailToken, MailTokenPurpose } from '../../domain/mail-token.ts'
import type { Connection } from './database.ts'

interface Row {
  user_id: number
  purpose: MailTokenPurpose
  email: string
  nonce: string
  hash: Uint8Array
  expires_at: number
}

const fromRow = (row: Row): MailToken => ({
  userId: row.user_id,
  purpose: row.purpose,
  email: row.email,
  nonce: row.nonce,
  hash: row.hash,
  expiresAt: row.expires_at,
})

export const createMailTokenReader = (connection: Connection): MailTokenReader => {
  const byHash = connection.prepare<Row, [Uint8Array]>('SELECT * FROM mail_tokens WHERE hash = ?')
  const byUser = connection.prepare<Row, [number, string]>(
    'SELECT * FROM mail_tokens WHERE user_id = ? AND purpose = ?',
  )
  return {
    async findByHash(hash) {
      const row = byHash.get(hash)
      return row && fromRow(row)
    },
    async findByUser(userId, purpose) {
      const row = byUser.get(userId, purpose)
      return row && fromRow(row)
    },
  }
}

export const createMailTokenRepository = (connection: Connection): MailTokenRepository => {
  const put = connection.prepare<unknown, [number, string, string, string, Uint8Array, number]>(
    'INSERT OR REPLACE INTO mail_tokens (user_id, purpose, email, nonce, hash, expires_at) VALUES (?, ?, ?, ?, ?, ?)',
  )
  const extend = connection.prepare<unknown, [number, string]>('UPDATE mail_tokens SET expires_at = ? WHERE nonce = ?')
  const remove = connection.prepare<unknown, [number, string]>(
    'DELETE FROM mail_tokens WHERE user_id = ? AND purpose = ?',
  )
  const removeAll = connection.prepare<unknown, [number]>('DELETE FROM mail_tokens WHERE user_id = ?')
  const expired = connection.prepare<unknown, [number, number]>(
    'DELETE FROM mail_tokens WHERE rowid IN (SELECT rowid FROM mail_tokens WHERE expires_at <= ? LIMIT +?)',
  )
  return {
    ...createMailTokenReader(connection),
    async put({ userId, purpose, email, nonce, hash, expiresAt }) {
      put.run(userId, purpose, email, nonce, hash, expiresAt)
    },
    async extend(nonce, expiresAt) {
      return extend.run(expiresAt, nonce).changes > 0
    },
    async delete(userId, purpose) {
      if (purpose === undefined) removeAll.run(userId)
      else remove.run(userId, purpose)
    },
    async deleteExpired(now, limit) {
      return expired.run(now, limit).changes
    },
  }
}
