import type {
  RefreshTokenRepository,
  SessionAccount,
  SessionReader,
  SessionRepository,
} from '../../application/ports/accounts.ts'
import type { Principal } from '../../domain/session.ts'
import type { Role } from '../../domain/user.ts'
import { refreshTokens, sessions } from '../sql/entities.ts'
import { deleteById, insertInto } from '../sql/statements.ts'
import type { Connection } from './database.ts'
import { createPager } from './pages.ts'
import { type RowCache, withoutCache } from './row-cache.ts'
import { deleteSome, prepareChange, prepareFind, prepareInsert } from './rows.ts'

interface AccountRow {
  user_id: number
  role: Role
  is_active: number
  created_at: number
  expires_at: number
}

export const createSessionReader = (connection: Connection, cacheLookUp = withoutCache): SessionReader => {
  const byId = prepareFind(connection, sessions, 'id = ?')
  const account = connection.prepare<AccountRow, [number]>(
    `SELECT users.id AS user_id, users.role, users.is_active, sessions.created_at, sessions.expires_at
     FROM sessions JOIN users ON users.id = sessions.user_id WHERE sessions.id = +?`,
  )
  const accountOf = cacheLookUp(
    (id) => account.get(id),
    ({ user_id, role, is_active, created_at, expires_at }): SessionAccount => ({
      userId: user_id,
      role,
      isActive: is_active === 1,
      createdAt: created_at,
      expiresAt: expires_at,
    }),
  )
  const activePrincipals = connection.prepare<Principal, [string, number]>(
    `SELECT sessions.id AS sessionId, users.id AS userId, users.role AS role
     FROM sessions JOIN users ON users.id = sessions.user_id
     WHERE sessions.id IN (SELECT value FROM json_each(?)) AND sessions.expires_at > ? AND users.is_active = 1`,
  )
  const { page } = createPager(connection, sessions, { sorts: ['created_at'] })
  return {
    findById: async (id) => byId(id),
    findAccount: async (id) => accountOf(id),
    async findActivePrincipals(ids, now) {
      return activePrincipals.all(JSON.stringify(ids), now)
    },
    async list({ userId, aliveAt, ...request }) {
      const filters = [
        { sql: 'user_id = +:userId', userId },
        { sql: 'expires_at > +:aliveAt', aliveAt },
      ]
      return page(request, filters)
    },
  }
}

export const createSessionRepository = (
  connection: Connection,
  { cacheLookUp, clear: clearCache }: RowCache,
): SessionRepository => {
  const insert = prepareInsert(connection, sessions)
  const touch = prepareChange(
    connection,
    'UPDATE sessions SET last_used_at = ?, expires_at = ?, address = ? WHERE id = ?',
  )
  const remove = prepareChange(connection, deleteById('sessions'))
  const removeAll = prepareChange(connection, 'DELETE FROM sessions WHERE user_id = ? AND id IS NOT ?')
  const removeExpired = prepareChange(connection, deleteSome(sessions, 'expires_at <= ?'))
  return {
    ...createSessionReader(connection, cacheLookUp),
    insert: async (session) => insert(session),
    async touch({ id, lastUsedAt, expiresAt, address }) {
      clearCache()
      touch(lastUsedAt, expiresAt, address, id)
    },
    async delete(id) {
      clearCache()
      return remove(id) > 0
    },
    async deleteAll(userId, exceptId) {
      clearCache()
      removeAll(userId, exceptId)
    },
    async deleteExpired(now, limit) {
      clearCache()
      return removeExpired(now, limit)
    },
  }
}

export const createRefreshTokenRepository = (connection: Connection): RefreshTokenRepository => {
  const find = prepareFind(connection, refreshTokens, 'hash = ?')
  const insert = prepareChange(connection, insertInto('refresh_tokens', refreshTokens.inserted))
  const spend = prepareChange(connection, 'UPDATE refresh_tokens SET spent_at = ? WHERE hash = ?')
  const removeAll = prepareChange(connection, 'DELETE FROM refresh_tokens WHERE session_id = ?')
  const removeSpent = prepareChange(connection, deleteSome(refreshTokens, 'spent_at < ?'))
  return {
    find: async (hash) => find(hash),
    async insert(token) {
      insert(...refreshTokens.valuesOf({ ...token, spentAt: null }))
    },
    async spend(hash, now) {
      spend(now, hash)
    },
    async deleteAll(sessionId) {
      removeAll(sessionId)
    },
    deleteSpent: async (instant, limit) => removeSpent(instant, limit),
  }
}
