import type {
  RefreshTokenRepository,
  SessionAccount,
  SessionReader,
  SessionRepository,
} from '../../application/ports/accounts.ts'
import type { Role } from '../../domain/user.ts'
import { refreshTokens, sessions } from '../sql/entities.ts'
import type { Row } from '../sql/entity.ts'
import { deleteById, insertInto, postgresPlaceholder } from '../sql/statements.ts'
import { type Connection, type Int8, int, type Lock, ROW_LOCK, type Transaction } from './connection.ts'
import { createPager } from './pages.ts'
import { deleteSome, firstOf, inserterOf } from './rows.ts'
import type { UnitTransaction } from './unit-transaction.ts'

interface AccountRow {
  user_id: Int8
  role: Role
  is_active: boolean
  created_at: Int8
  expires_at: Int8
}

/**
 * Locks the session only against deletion: it may still be used, but neither it nor its user is removed before the
 * commit.
 */
const LOCK_SESSION = 'FOR KEY SHARE OF sessions'

export const createSessionReader = (connection: Connection, lock: Lock = ''): SessionReader => {
  const { page } = createPager(connection, sessions, { sorts: ['created_at'] })
  return {
    async findById(id) {
      return firstOf(sessions, connection.lookUp(lock, 'SELECT * FROM sessions WHERE id = $1', id))
    },
    async findAccount(id) {
      const [row] = await connection.read<AccountRow>(
        `SELECT users.id AS user_id, users.role, users.is_active, sessions.created_at, sessions.expires_at
         FROM sessions JOIN users ON users.id = sessions.user_id WHERE sessions.id = $1 ${lock && LOCK_SESSION}`,
        id,
      )
      if (row === undefined) return null
      return {
        userId: int(row.user_id),
        role: row.role,
        isActive: row.is_active,
        createdAt: int(row.created_at),
        expiresAt: int(row.expires_at),
      }
    },
    async findActivePrincipals(ids, now) {
      const rows = await connection.read<{ session_id: Int8; user_id: Int8; role: Role }>(
        `SELECT sessions.id AS session_id, users.id AS user_id, users.role
         FROM sessions JOIN users ON users.id = sessions.user_id
         WHERE sessions.id = ANY ($1::bigint[]) AND sessions.expires_at > $2 AND users.is_active`,
        `{${ids.join(',')}}`,
        now,
      )
      return rows.map((row) => ({ sessionId: int(row.session_id), userId: int(row.user_id), role: row.role }))
    },
    async list({ userId, aliveAt, ...request }) {
      const filters = [
        { sql: 'user_id = ?', values: [userId] },
        { sql: 'expires_at > ?', values: [aliveAt] },
      ]
      return page(request, filters)
    },
  }
}

/** Sessions and their users, as read by one transaction after all units that may rely on them were queued. */
export type CachedSessionAccounts = Map<number, SessionAccount>

/**
 * Each unit looks up its actor. A result is reused by the next units of its transaction until a unit changes or locks
 * rows: a unit that changes a user or a session is the last, and rows locked later may have changed before.
 */
const cacheAccounts =
  ({ findAccount }: SessionReader, transaction: UnitTransaction, cachedAccounts: CachedSessionAccounts) =>
  async (id: number) => {
    const hasLocked = transaction.hasLocked() || transaction.hasShared()
    const known = transaction.hasWritten() || hasLocked ? undefined : cachedAccounts.get(id)
    if (known !== undefined) return known
    const found = await findAccount(id)
    if (found !== null && !transaction.hasWritten()) cachedAccounts.set(id, found)
    return found
  }

const insertSession = inserterOf(sessions)
const DELETE = deleteById('sessions', postgresPlaceholder)

const createSessionWriter = (connection: Transaction): Omit<SessionRepository, keyof SessionReader> => ({
  insert: (session) => insertSession(connection, session),
  async touch({ id, lastUsedAt, expiresAt, address }) {
    void connection.change(
      'UPDATE sessions SET last_used_at = $1, expires_at = $2, address = $3 WHERE id = $4',
      lastUsedAt,
      expiresAt,
      address,
      id,
    )
  },
  async delete(id) {
    const { count } = await connection.change(DELETE, id)
    return count > 0
  },
  async deleteAll(userId, exceptId) {
    void connection.change(
      'DELETE FROM sessions WHERE user_id = $1 AND id IS DISTINCT FROM $2::bigint',
      userId,
      exceptId,
    )
  },
  async deleteExpired(now, limit) {
    const { count } = await deleteSome(connection, sessions, 'expires_at <= $1', [now], limit)
    return count
  },
})

export const createSessionRepository = (
  transaction: UnitTransaction,
  cachedAccounts: CachedSessionAccounts,
): SessionRepository => {
  const reader = createSessionReader(transaction, ROW_LOCK)
  return {
    ...reader,
    ...createSessionWriter(transaction),
    findAccount: cacheAccounts(reader, transaction, cachedAccounts),
  }
}

const INSERT_TOKEN = insertInto('refresh_tokens', refreshTokens.inserted, postgresPlaceholder)

export const createRefreshTokenRepository = (connection: Transaction): RefreshTokenRepository => ({
  async find(hash) {
    // Locks the session before the token, in the same order as a unit that ends the session and then removes its
    // tokens.
    const found = connection.lock<Row>(
      `SELECT refresh_tokens.* FROM sessions JOIN refresh_tokens ON refresh_tokens.session_id = sessions.id
       WHERE refresh_tokens.hash = $1 ${ROW_LOCK} OF sessions, refresh_tokens`,
      hash,
    )
    return firstOf(refreshTokens, found)
  },
  async insert(token) {
    void connection.insert(INSERT_TOKEN, ...refreshTokens.valuesOf({ ...token, spentAt: null }))
  },
  async spend(hash, now) {
    void connection.change('UPDATE refresh_tokens SET spent_at = $1 WHERE hash = $2', now, hash)
  },
  async deleteAll(sessionId) {
    void connection.change('DELETE FROM refresh_tokens WHERE session_id = $1', sessionId)
  },
  async deleteSpent(instant, limit) {
    const { count } = await deleteSome(connection, refreshTokens, 'spent_at < $1', [instant], limit)
    return count
  },
})
