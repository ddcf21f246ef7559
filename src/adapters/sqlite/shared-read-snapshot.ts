import type { Connection } from './database.ts'
import { type ReadSnapshot, snapshotLost } from './read-snapshot.ts'
import { createRowCache } from './row-cache.ts'
import { isReached, type WritersLock } from './writers-lock.ts'

/** After this time another snapshot is taken, because a reader of the write-ahead log prevents it from restarting. */
const MAX_AGE_MS = 5

/** Reads that wait until a snapshot is on the disk. */
const createWaitingReads = (lock: WritersLock) => {
  let waiting: PromiseWithResolvers<void> | null = null

  const wake = () => {
    waiting?.resolve()
    waiting = null
  }

  return {
    isEmpty: () => waiting === null,
    wake,
    /** Resolves when everything up to this commit is on the disk, or by {@link wake}. */
    untilDurable(commit: number): Promise<void> {
      if (waiting !== null) return waiting.promise
      const reads = Promise.withResolvers<void>()
      waiting = reads
      void lock.untilDurable(commit).then(() => {
        if (waiting === reads) wake()
      })
      return reads.promise
    },
  }
}

/**
 * The snapshot of a connection beside which other threads write. It begins at a commit that is on the disk, or waits
 * until it is, and contains every commit that was acknowledged when the read was called. Until a later commit is on
 * the disk it serves the turns that follow too.
 */
export const createSharedReadSnapshot = (reader: Connection, lock: WritersLock): ReadSnapshot => {
  const beginTransaction = reader.prepare('BEGIN')
  const endTransaction = reader.prepare('ROLLBACK')
  const dataVersion = reader.prepare<{ data_version: number }, []>('PRAGMA data_version')
  let isOpen = false
  let isPinned = false
  let openedAt = 0
  /** Every commit up to this one is in the snapshot, and none after `newest`. */
  let oldest = 0
  let newest = 0
  /** Resolves after this turn; null if nothing was read in this turn. */
  let turn: Promise<void> | null = null
  let isWatched = false
  let cachedVersion = 0
  const cache = createRowCache(() => turn !== null && isOpen)
  const waiting = createWaitingReads(lock)

  const end = () => {
    if (!isOpen || isPinned) return
    waiting.wake()
    isOpen = false
    turn = null
    // An I/O error has already ended the transaction.
    if (reader.database.inTransaction) endTransaction.run()
  }

  const endUnused = () => {
    isWatched = false
    if (!isOpen) return
    if (turn === null && performance.now() - openedAt >= MAX_AGE_MS) end()
    if (isOpen) watch()
  }

  const watch = () => {
    if (!isWatched) setTimeout(endUnused, MAX_AGE_MS)
    isWatched = true
  }

  const open = () => {
    end()
    oldest = lock.durable()
    beginTransaction.run()
    isOpen = true
    openedAt = performance.now()
    const version = dataVersion.get()?.data_version ?? 0
    newest = lock.visible()
    if (version !== cachedVersion) cache.clear()
    cachedVersion = version
    watch()
  }

  /** Keeps the snapshot for the rest of this turn. */
  const use = (): undefined => {
    if (turn !== null) return
    const { promise, resolve } = Promise.withResolvers<void>()
    const used = promise
    turn = used
    setImmediate(() => {
      if (turn === used) turn = null
      resolve()
    })
  }

  const isPast = (since: number) => !isReached(since, oldest)
  const isDurable = () => isReached(newest, lock.durable())

  return {
    since: lock.durable,
    begin(since = lock.durable()) {
      if (isPinned) {
        if (!reader.database.inTransaction) throw snapshotLost()
        return use()
      }
      // Reads have waited for this snapshot: a later one would make them wait again.
      if (!waiting.isEmpty() && isDurable()) {
        waiting.wake()
        use()
      }
      // A read of this turn may be under way in it.
      if (turn !== null) return isPast(since) ? turn : undefined
      if (!isOpen || isPast(since) || !reader.database.inTransaction) open()
      else if (performance.now() - openedAt >= MAX_AGE_MS && newest === lock.visible()) open()
      return isDurable() ? use() : waiting.untilDurable(newest)
    },
    end,
    pin() {
      // Nobody else commits meanwhile.
      if (!isOpen || !reader.database.inTransaction || isPast(lock.durable())) open()
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
