import type { MailTokenReader, MailTokenRepository } from '../../application/ports/accounts.ts'
import type { MailToken, MailTokenPurpose } from '../../domain/mail-token.ts'
import { type Connection, type Int8, int, type Lock, ROW_LOCK, type Transaction } from './connection.ts'

interface Row {
  user_id: Int8
  purpose: MailTokenPurpose
  email: string
  nonce: string
  hash: Uint8Array
  expires_at: Int8
}

const fromRow = (row: Row | undefined): MailToken | null =>
  row === undefined
    ? null
    : {
        userId: int(row.user_id),
        purpose: row.purpose,
        email: row.email,
        nonce: row.nonce,
        hash: new Uint8Array(row.hash),
        expiresAt: int(row.expires_at),
      }

export const createMailTokenReader = (connection: Connection, lock: Lock = ''): MailTokenReader => ({
  async findByHash(hash) {
    // Locks the user before the token, in the same order as a unit that changes the account.
    const [row] = await connection.lookUp<Row>(
      lock,
      `SELECT mail_tokens.* FROM users JOIN mail_tokens ON mail_tokens.user_id = users.id
       WHERE mail_tokens.hash = $1`,
      hash,
    )
    return fromRow(row)
  },
  async findByUser(userId, purpose) {
    const [row] = await connection.lookUp<Row>(
      lock,
      'SELECT * FROM mail_tokens WHERE user_id = $1 AND purpose = $2',
      userId,
      purpose,
    )
    return fromRow(row)
  },
})

export const createMailTokenRepository = (connection: Transaction): MailTokenRepository => ({
  ...createMailTokenReader(connection, ROW_LOCK),
  async put({ userId, purpose, email, nonce, hash, expiresAt }) {
    void connection.change(
      `INSERT INTO mail_tokens (user_id, purpose, email, nonce, hash, expires_at) VALUES ($1, $2, $3, $4, $5, $6)
       ON CONFLICT (user_id, purpose) DO UPDATE SET email = $3, nonce = $4, hash = $5, expires_at = $6`,
      userId,
      purpose,
      email,
      nonce,
      hash,
      expiresAt,
    )
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
    const { count } = await connection.change(
      `DELETE FROM mail_tokens WHERE expires_at <= $1
         AND hash = ANY (ARRAY(SELECT hash FROM mail_tokens WHERE expires_at <= $1 LIMIT $2))`,
      now,
      limit,
    )
    return count
  },
})
