import type { RefreshTokenRepository, SessionReader, SessionRepository } from '../../application/ports/persistence.ts'
import type { Session } from '../../domain/session.ts'
import type { Connection } from './database.ts'

interface Row {
  id: number
  user_id: number
  device: string
  address: string
  created_at: number
  last_used_at: number
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

export const createSessionReader = (connection: Connection): SessionReader => {
  const byId = connection.prepare<Row, [number]>('SELECT * FROM sessions WHERE id = ?')
  return {
    async findById(id) {
      const row = byId.get(id)
      return row && fromRow(row)
    },
  }
}

export const createSessionRepository = (connection: Connection): SessionRepository => {
  const insert = connection.prepare<Row, [number, string, string, number, number, number]>(
    `INSERT INTO sessions (user_id, device, address, created_at, last_used_at, expires_at)
     VALUES (?, ?, ?, ?, ?, ?) RETURNING *`,
  )
  const others = connection.prepare<unknown, [number, number]>('DELETE FROM sessions WHERE user_id = ? AND id <> ?')
  return {
    ...createSessionReader(connection),
    async insert({ userId, device, address, createdAt, lastUsedAt, expiresAt }) {
      const row = insert.get(userId, device, address, createdAt, lastUsedAt, expiresAt)
      if (row === null) throw new Error('INSERT returned no row')
      return fromRow(row)
    },
    async deleteOthers(userId, exceptId) {
      others.run(userId, exceptId)
    },
  }
}

export const createRefreshTokenRepository = (connection: Connection): RefreshTokenRepository => {
  const insert = connection.prepare<unknown, [Uint8Array, number, number]>(
    'INSERT INTO refresh_tokens (hash, session_id, created_at) VALUES (?, ?, ?)',
  )
  return {
    async insert({ hash, sessionId, createdAt }) {
      insert.run(hash, sessionId, createdAt)
    },
  }
}
