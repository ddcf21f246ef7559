import { AsyncLocalStorage } from 'node:async_hooks'
import type { Metrics } from '../../application/ports/metrics.ts'
import { AppError } from '../../domain/errors.ts'
import { isBusy, toAppError } from './database.ts'
import type { ReadSnapshot } from './read-snapshot.ts'
import type { WalSync } from './wal-sync.ts'
import type { Writer } from './writer.ts'
import type { WritersLock } from './writers-lock.ts'

interface Unit<Tx> {
  readonly work: (tx: Tx) => Promise<unknown>
  readonly resolve: (value: unknown) => void
  readonly reject: (error: unknown) => void
  readonly queuedAt: number
}

interface Deps<Tx> {
  readonly writer: Writer<Tx>
  readonly snapshot: ReadSnapshot
  readonly walSync: WalSync
  /** Of the threads that have the database open, if it is not one alone. */
  readonly lock?: WritersLock | undefined
  /** Called when a commit is on the disk, before the promises of its units settle. */
  readonly afterCommit?: () => void
  readonly metrics?: Pick<Metrics, 'databaseWaited' | 'committed'> | undefined
}

interface Options<Tx> extends Deps<Tx> {
  /** Milliseconds a unit waits for a lock of another process. */
  readonly lockTimeoutMs?: number
}

export interface CommitQueue<Tx> {
  write<T>(work: (tx: Tx) => Promise<T>): Promise<T>
  /**
   * Runs queued units, then closes the connection; units that have not begun after `timeoutMs` are rejected.
   */
  close(timeoutMs: number): Promise<void>
}

const MAX_BATCH_COUNT = 512
const MAX_QUEUE_COUNT = 20_000
const LOCK_RETRY_MS = 10
/** The size of the log is looked at again after this many changed rows: a few records. */
const LOG_CHECK_ROWS_COUNT = 16

const unavailable = (message: string) => new AppError('unavailable', message, { retryAfterSeconds: 1 })

class ForeignAwait extends Error {
  constructor() {
    super('a unit of work waited for something other than its transaction')
  }
}

/** A unit without a savepoint has failed, so the whole transaction must be rolled back. */
class UnsavedFailure extends Error {
  constructor(cause: unknown) {
    super('a unit of work failed without a savepoint', { cause })
  }
}

/**
 * The number of units that run in savepoints once one has failed, because others may fail soon: each that does so
 * without a savepoint makes up to {@link MAX_BATCH_COUNT} units run twice.
 */
const SAVED_AFTER_FAILURE_COUNT = 8 * MAX_BATCH_COUNT

/** Runs the units of one batch after another. */
const createRunner = <Tx>(writer: Writer<Tx>, isSaved: boolean) => {
  let isAbandoned = false

  const run = async (unit: Unit<Tx>): Promise<() => void> => {
    writer.beginUnit(isSaved)
    try {
      const value = await unit.work(writer.tx)
      if (isAbandoned) throw new ForeignAwait()
      writer.endUnit()
      return () => unit.resolve(value)
    } catch (error) {
      if (isAbandoned) throw error
      const failure = toAppError(error)
      // A full disk or an I/O error makes SQLite roll the whole transaction back.
      if (!writer.inTransaction) throw failure
      if (!isSaved) throw new UnsavedFailure(failure)
      writer.rollbackUnit()
      writer.endUnit()
      return () => unit.reject(failure)
    }
  }

  return {
    /** Adds to `settle` what settles each unit that has ended. */
    async runAll(batch: readonly Unit<Tx>[], settle: (() => void)[]): Promise<void> {
      for (const unit of batch) settle.push(await run(unit))
    },
    /** Call it while a unit waits for something other than its transaction: no unit ends or begins after it. */
    abandon() {
      isAbandoned = true
    },
  }
}

const insideUnit = new AsyncLocalStorage<true>()

/** Commits a batch in the open transaction and settles its units; resolves with those that must run again. */
const createCommit = <Tx>(deps: Deps<Tx>, onChanged: (rowsCount: number) => void) => {
  const { writer, snapshot, walSync, lock, afterCommit, metrics } = deps
  /** Units still to run in savepoints. */
  let savedCount = 0

  /** Changes are invisible until they are on the disk. */
  const commitDurably = async (): Promise<void> => {
    const unpin = snapshot.pin()
    lock?.beginCommit()
    try {
      const changedCount = writer.commit()
      onChanged(changedCount)
      if (changedCount > 0) await walSync.sync()
    } finally {
      lock?.endCommit()
      unpin()
    }
  }

  const measure = (batch: readonly Unit<Tx>[], begunAt: number): void => {
    if (metrics === undefined) return
    for (const { queuedAt } of batch) metrics.databaseWaited('writer', begunAt - queuedAt)
    metrics.committed(batch.length, performance.now() - begunAt)
  }

  /** The first unit has met no changes of others, so its failure is final. All others run again, in savepoints. */
  const undo = (batch: readonly Unit<Tx>[], failedAt: number, { cause }: UnsavedFailure): readonly Unit<Tx>[] => {
    writer.rollback()
    savedCount = failedAt === 0 ? batch.length - 1 : SAVED_AFTER_FAILURE_COUNT
    if (failedAt > 0) return batch
    batch[0]?.reject(cause)
    return batch.slice(1)
  }

  return async (batch: readonly Unit<Tx>[]): Promise<readonly Unit<Tx>[]> => {
    const { promise: foreignAwait, reject } = Promise.withResolvers<never>()
    foreignAwait.catch(() => {})
    // Units may await only SQLite, which is synchronous: a unit that is still pending at the next turn has awaited
    // something else.
    const watch = setImmediate(() => {
      runner.abandon()
      reject(new ForeignAwait())
    })
    const settle: (() => void)[] = []
    const runner = createRunner(writer, savedCount > 0)
    savedCount = Math.max(0, savedCount - batch.length)
    const begunAt = performance.now()
    try {
      await Promise.race([insideUnit.run(true, () => runner.runAll(batch, settle)), foreignAwait])
      clearImmediate(watch)
      await commitDurably()
      for (const done of settle) done()
      afterCommit?.()
      measure(batch, begunAt)
    } catch (error) {
      if (error instanceof UnsavedFailure) return undo(batch, settle.length, error)
      if (error instanceof ForeignAwait) {
        // It may still use the transaction's repositories, so the connection is closed, and the other units run again.
        writer.discard()
        batch[settle.length]?.reject(error)
        return batch.toSpliced(settle.length, 1)
      }
      writer.rollback()
      const failure = toAppError(error)
      for (const unit of batch) unit.reject(failure)
    } finally {
      clearImmediate(watch)
    }
    return []
  }
}

/**
 * One COMMIT for all units that wait at that moment: a disk sync costs the same for one row as for hundreds. A unit that
 * throws rolls back alone: in its SAVEPOINT or, while none has thrown lately, by running the others again. Every promise
 * settles when the COMMIT is on the disk. Until then others queue.
 */
export const createCommitQueue = <Tx>({ lockTimeoutMs = 5_000, ...deps }: Options<Tx>): CommitQueue<Tx> => {
  const { writer, walSync, lock } = deps
  /** Rows that were changed since the size of the log was looked at. */
  let changedCount = 0
  const commit = createCommit(deps, (rowsCount) => {
    changedCount += rowsCount
  })
  let queue: Unit<Tx>[] = []
  let running = false
  let hasBegun = false
  let closing: { readonly at: number; readonly done: () => void } | null = null

  const rejectOverdue = (error: unknown) => {
    const now = performance.now()
    const mayWait = isBusy(error) && (closing === null || now < closing.at)
    const queuedUntil = now - (mayWait ? lockTimeoutMs : 0)
    const failure = toAppError(error)
    for (const unit of queue) if (unit.queuedAt <= queuedUntil) unit.reject(failure)
    queue = queue.filter((unit) => unit.queuedAt > queuedUntil)
  }

  const begin = (): boolean => {
    try {
      writer.begin()
      return true
    } catch (error) {
      rejectOverdue(error)
      return false
    }
  }

  /** Waits for the turn of this thread. */
  const lockWriters = async (writers: WritersLock) => {
    await writers.acquire()
    if (!writers.isUnsynced()) return
    await walSync.sync()
    writers.endCommit()
  }

  const mayLogBeLarge = () => changedCount >= LOG_CHECK_ROWS_COUNT

  /** In the turn after a commit, so that responses to what was committed do not wait for it. */
  const takeCheckpointDue = (): boolean => {
    if (!mayLogBeLarge()) return false
    changedCount = 0
    return walSync.isCheckpointDue()
  }

  const end = () => {
    running = false
    if (mayLogBeLarge()) schedule(0)
    else if (queue.length > 0) schedule(hasBegun ? 0 : LOCK_RETRY_MS)
    else closing?.done()
  }

  const flush = async () => {
    hasBegun = false
    const isCheckpointDue = takeCheckpointDue()
    if (queue.length === 0 && !isCheckpointDue) return end()
    if (lock !== undefined) await lockWriters(lock)
    try {
      if (isCheckpointDue) await walSync.checkpoint()
      if (queue.length === 0 || !begin()) return
      hasBegun = true
      const again = await commit(queue.splice(0, MAX_BATCH_COUNT))
      if (again.length > 0) queue = [...again, ...queue]
    } finally {
      lock?.release()
      end()
    }
  }

  const schedule = (delay: number) => {
    if (running) return
    running = true
    if (delay === 0) setImmediate(flush)
    else setTimeout(flush, delay)
  }

  return {
    write<T>(work: (tx: Tx) => Promise<T>): Promise<T> {
      if (insideUnit.getStore()) return Promise.reject(new Error('write called inside a unit of work'))
      if (closing) return Promise.reject(unavailable('The server is stopping'))
      if (queue.length >= MAX_QUEUE_COUNT) return Promise.reject(unavailable('Too many writes are waiting'))
      return new Promise<T>((resolve, reject) => {
        const settle = resolve as (value: unknown) => void
        queue.push({ work, resolve: settle, reject, queuedAt: performance.now() })
        schedule(0)
      })
    },

    async close(timeoutMs) {
      await new Promise<void>((done) => {
        closing = { at: performance.now() + timeoutMs, done }
        if (!running) done()
      })
      writer.close()
    },
  }
}
