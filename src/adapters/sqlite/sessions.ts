import type { RefreshTokenRepository, SessionReader, SessionRepository } from '../../application/ports/accounts.ts'
import type { Principal, Session } from '../../domain/session.ts'
import type { Role } from '../../domain/user.ts'
import type { Connection } from './database.ts'
import { createPager } from './pages.ts'
import { type RowCache, withoutCache } from './row-cache.ts'

interface Row {
  id: number
  user_id: number
  device: string
  address: string
  created_at: number
  last_used_at: number
  expires_at: number
}

interface AccountRow {
  user_id: number
  role: Role
  is_active: number
  expires_at: number
}

const fromRow = (row: Row): Session => ({
  id: row.id,
  userId: row.user_id,
  device: row.device,
  address: row.address,
  createdAt: row.created_at,
  lastUsedAt: row.last_used_at,
  expiresAt: row.expires_at,
})

export const createSessionReader = (connection: Connection, cacheLookUp = withoutCache): SessionReader => {
  const byId = connection.prepare<Row, [number]>('SELECT * FROM sessions WHERE id = ?')
  const account = connection.prepare<AccountRow, [number]>(
    `SELECT users.id AS user_id, users.role, users.is_active, sessions.expires_at
     FROM sessions JOIN users ON users.id = sessions.user_id WHERE sessions.id = +?`,
  )
  const accountOf = cacheLookUp((id) => account.get(id))
  const standing = connection.prepare<Principal, [string, number]>(
    `SELECT sessions.id AS sessionId, users.id AS userId, users.role AS role
     FROM sessions JOIN users ON users.id = sessions.user_id
     WHERE sessions.id IN (SELECT value FROM json_each(?)) AND sessions.expires_at > ? AND users.is_active = 1`,
  )
  const { page } = createPager<Row>(connection, { table: 'sessions', columns: ['created_at'] })
  return {
    async findById(id) {
      const row = byId.get(id)
      return row && fromRow(row)
    },
    async findAccount(id) {
      const row = accountOf(id)
      if (row === null) return null
      return { userId: row.user_id, role: row.role, isActive: row.is_active === 1, expiresAt: row.expires_at }
    },
    async findActivePrincipals(ids, now) {
      return standing.all(JSON.stringify(ids), now)
    },
    async list({ userId, aliveAt, ...request }) {
      const filters = [
        { sql: 'user_id = +:userId', userId },
        { sql: 'expires_at > +:aliveAt', aliveAt },
      ]
      return page(request, filters, fromRow)
    },
  }
}

export const createSessionRepository = (
  connection: Connection,
  { cacheLookUp, forget }: RowCache,
): SessionRepository => {
  const insert = connection.prepare<Row, [number, string, string, number, number, number]>(
    `INSERT INTO sessions (user_id, device, address, created_at, last_used_at, expires_at)
     VALUES (?, ?, ?, ?, ?, ?) RETURNING *`,
  )
  const touch = connection.prepare<unknown, [number, number, string, number]>(
    'UPDATE sessions SET last_used_at = ?, expires_at = ?, address = ? WHERE id = ?',
  )
  const remove = connection.prepare<unknown, [number]>('DELETE FROM sessions WHERE id = ?')
  const all = connection.prepare<unknown, [number, number | null]>(
    'DELETE FROM sessions WHERE user_id = ? AND id IS NOT ?',
  )
  const expired = connection.prepare<unknown, [number, number]>(
    'DELETE FROM sessions WHERE id IN (SELECT id FROM sessions WHERE expires_at <= ? LIMIT +?)',
  )
  return {
    ...createSessionReader(connection, cacheLookUp),
    async insert({ userId, device, address, createdAt, lastUsedAt, expiresAt }) {
      const row = insert.get(userId, device, address, createdAt, lastUsedAt, expiresAt)
      if (row === null) throw new Error('INSERT returned no row')
      return fromRow(row)
    },
    async touch({ id, lastUsedAt, expiresAt, address }) {
      forget()
      touch.run(lastUsedAt, expiresAt, address, id)
    },
    async delete(id) {
      forget()
      return remove.run(id).changes > 0
    },
    async deleteAll(userId, exceptId) {
      forget()
      all.run(userId, exceptId)
    },
    async deleteExpired(now, limit) {
      forget()
      return expired.run(now, limit).changes
    },
  }
}

interface TokenRow {
  hash: Uint8Array
  session_id: number
  created_at: number
  spent_at: number | null
}

export const createRefreshTokenRepository = (connection: Connection): RefreshTokenRepository => {
  const find = connection.prepare<TokenRow, [Uint8Array]>('SELECT * FROM refresh_tokens WHERE hash = ?')
  const insert = connection.prepare<unknown, [Uint8Array, number, number]>(
    'INSERT INTO refresh_tokens (hash, session_id, created_at) VALUES (?, ?, ?)',
  )
  const spend = connection.prepare<unknown, [number, Uint8Array]>(
    'UPDATE refresh_tokens SET spent_at = ? WHERE hash = ?',
  )
  const all = connection.prepare<unknown, [number]>('DELETE FROM refresh_tokens WHERE session_id = ?')
  const spent = connection.prepare<unknown, [number, number]>(
    'DELETE FROM refresh_tokens WHERE hash IN (SELECT hash FROM refresh_tokens WHERE spent_at < ? LIMIT +?)',
  )
  return {
    async find(hash) {
      const row = find.get(hash)
      return row && { hash: row.hash, sessionId: row.session_id, createdAt: row.created_at, spentAt: row.spent_at }
    },
    async insert({ hash, sessionId, createdAt }) {
      insert.run(hash, sessionId, createdAt)
    },
    async spend(hash, now) {
      spend.run(now, hash)
    },
    async deleteAll(sessionId) {
      all.run(sessionId)
    },
    async deleteSpent(instant, limit) {
      return spent.run(instant, limit).changes
    },
  }
}
