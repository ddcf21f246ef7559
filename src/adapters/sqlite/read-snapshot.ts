import { AppError } from '../../domain/errors.ts'
import type { Connection } from './database.ts'
import { type CacheLookUp, createRowCache } from './row-cache.ts'

/** One read transaction a turn of the event loop: taking and leaving SQLite's locks costs more than reading a row. */
export interface ReadSnapshot {
  /** To be called before a read, which then sees what was committed when the first read of this turn began. */
  begin(): void
  /** Ends it before its turn is over, so that the next read sees what was committed since. */
  end(): void
  /**
   * Reads see what is committed now, and nothing newer, until the returned function is called; that ends the snapshot,
   * too. An I/O error may end it sooner: reads are refused then.
   */
  pin(): () => void
  /** Caches each row that a look-up finds until any process commits. */
  readonly cacheLookUp: CacheLookUp
}

const lost = () => new AppError('unavailable', 'The database is not available', { retryAfter: 1 })

/** Of the reading connection. */
export const createReadSnapshot = (reader: Connection): ReadSnapshot => {
  const beginTransaction = reader.prepare('BEGIN')
  // Of a transaction that only reads, COMMIT fails when a read in it did.
  const endTransaction = reader.prepare('ROLLBACK')
  // Another number whenever another connection has committed (https://sqlite.org/pragma.html#pragma_data_version).
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
    // An I/O error has ended the transaction already.
    if (reader.database.inTransaction) endTransaction.run()
  }

  const begin = () => {
    if (isPinned && !reader.database.inTransaction) throw lost()
    if (hasBegun) return
    beginTransaction.run()
    hasBegun = true
    setImmediate(end)
    const version = dataVersion.get()?.data_version ?? 0
    if (version !== cachedVersion) cache.forget()
    cachedVersion = version
    isCurrent = true
  }

  return {
    begin,
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
  }
}
