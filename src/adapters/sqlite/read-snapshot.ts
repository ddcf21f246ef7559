import { AppError } from '../../domain/errors.ts'
import type { Connection } from './database.ts'
import { type CacheCount, type CacheLookUp, createRowCache } from './row-cache.ts'

/**
 * One read transaction per turn of the event loop, because acquiring and releasing SQLite's locks costs more than
 * reading a row.
 */
export interface ReadSnapshot {
  /**
   * Call it before a read, which then sees the data committed when the first read of this turn began, at least up to
   * `since`. If the result is a promise, the read must wait for it and then call this again.
   */
  begin(since?: number): Promise<void> | undefined
  /** What a read that is called now must see. */
  since(): number
  /** Ends it before the end of the turn, so that the next read sees later commits. */
  end(): void
  /**
   * Until the returned function is called, reads see only data committed before now; that function also ends the
   * snapshot. An I/O error may end it sooner, and then reads are refused.
   */
  pin(): () => void
  /** A look-up that caches each row until something is committed by any process. */
  readonly cacheLookUp: CacheLookUp
  /** The same for a count. */
  readonly cacheCount: CacheCount
}

/** The snapshot of a commit in progress has ended, so that what would be read may not be on the disk. */
export const snapshotLost = () => new AppError('unavailable', 'The database is not available', { retryAfterSeconds: 1 })

/** Of the reading connection, beside which only this thread writes. */
export const createReadSnapshot = (reader: Connection): ReadSnapshot => {
  const beginTransaction = reader.prepare('BEGIN')
  // The COMMIT of a read-only transaction fails if one of its reads has failed.
  const endTransaction = reader.prepare('ROLLBACK')
  // Changes whenever another connection has committed (https://sqlite.org/pragma.html#pragma_data_version).
  const dataVersion = reader.prepare<{ data_version: number }, []>('PRAGMA data_version')
  let hasBegun = false
  let isPinned = false
  /** Whether the cached rows are those of this snapshot. */
  let isCurrent = false
  let cachedVersion = 0
  const cache = createRowCache(() => isCurrent)

  const end = () => {
    if (!hasBegun || isPinned) return
    hasBegun = false
    isCurrent = false
    // An I/O error has already ended the transaction.
    if (reader.database.inTransaction) endTransaction.run()
  }

  const begin = (): undefined => {
    if (isPinned && !reader.database.inTransaction) throw snapshotLost()
    if (hasBegun) return
    beginTransaction.run()
    hasBegun = true
    setImmediate(end)
    const version = dataVersion.get()?.data_version ?? 0
    if (version !== cachedVersion) cache.clear()
    cachedVersion = version
    isCurrent = true
  }

  return {
    begin,
    since: () => 0,
    end,
    pin() {
      // A snapshot that failed to begin, or that an I/O error has ended, protects nothing.
      if (!isCurrent || !reader.database.inTransaction) end()
      begin()
      isPinned = true
      return () => {
        isPinned = false
        end()
      }
    },
    cacheLookUp: cache.cacheLookUp,
    cacheCount: cache.cacheCount,
  }
}
