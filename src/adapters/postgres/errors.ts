import { AppError } from '../../domain/errors.ts'
import { quotaExceeded } from '../sql/usage.ts'

/** The SQLSTATE the server sent, such as `23505`; null for any other failure. */
export const sqlState = (error: unknown): string | null =>
  error instanceof Bun.SQL.PostgresError && typeof error.errno === 'string' ? error.errno : null

const UNIQUE_VIOLATION = '23505'

/** The index of a collection in which another record has the same key; null for any other failure. */
export const uniqueIndexOf = (error: unknown): number | null => {
  if (!(error instanceof Bun.SQL.PostgresError) || sqlState(error) !== UNIQUE_VIOLATION) return null
  if (error.constraint !== 'record_keys_unique') return null
  // The text is in the language of the server, but not the names and values.
  const [, id] = /\(index_id, key\)=\((\d+), /.exec(error.detail ?? '') ?? []
  return id === undefined ? null : Number(id)
}

/** Another transaction has a lock that this one needs, and waiting could deadlock. */
export class LockConflict extends Error {}

/** `error`, or a conflict if another transaction has inserted a row with the same id into the table meanwhile. */
export const conflictIfIdTaken = (table: string, error: unknown): unknown =>
  error instanceof Bun.SQL.PostgresError && sqlState(error) === UNIQUE_VIOLATION && error.constraint === `${table}_pkey`
    ? new LockConflict('another transaction has inserted the row', { cause: error })
    : error

/** Another transaction was first: retrying the whole unit may succeed. */
export const isConflict = (error: unknown): boolean =>
  error instanceof LockConflict || /^(40001|40P01)$/.test(sqlState(error) ?? '')

/** The connection ended before the answer came. */
export class ConnectionLost extends Error {}

/** The connection is gone, or there never was one. */
export const isConnectionLost = (error: unknown): boolean => {
  if (error instanceof ConnectionLost) return true
  const state = sqlState(error)
  if (state !== null) return /^(08...|57P0[1-5]|25P03)$/.test(state)
  return error instanceof Bun.SQL.PostgresError && error.code.startsWith('ERR_POSTGRES_CONNECTION_')
}

/** Too many connections, or the server is starting, stopping, read-only, or cannot read its disk. */
const TRANSIENT = /^(53...|57014|55P03|25006|58...|XX00[12]|28...|3D000)$/

/** From `count_usage()` of migration 0007. */
const QUOTA_EXCEEDED = 'SK507'

/**
 * Converts a database failure to an error of the core if it is temporary or needs disk space; other errors are returned
 * unchanged.
 */
export const toAppError = (error: unknown): unknown => {
  const state = sqlState(error) ?? ''
  if (state === '53100')
    return new AppError('storage_full', 'The storage is full', { cause: error, retryAfterSeconds: 60 })
  if (state === QUOTA_EXCEEDED) return quotaExceeded(error)
  if (!isConnectionLost(error) && !isConflict(error) && !TRANSIENT.test(state)) return error
  return new AppError('unavailable', 'The database is not available', { cause: error, retryAfterSeconds: 1 })
}

export const unavailable = (message: string) => new AppError('unavailable', message, { retryAfterSeconds: 1 })
