import { AsyncLocalStorage } from 'node:async_hooks'
import type { Metrics } from '../../application/ports/metrics.ts'
import type { Tx, UnitOfWork } from '../../application/ports/persistence.ts'
import type { DefinitionCache } from './definitions.ts'
import type { PresentEpoch } from './epochs.ts'
import { toAppError, unavailable } from './errors.ts'
import type { Pool } from './pool.ts'
import type { CommitMarks } from './repositories.ts'
import type { ServerConnection } from './server-connection.ts'
import { createSharedTransaction } from './shared-transaction.ts'
import { RolledBack } from './transaction.ts'
import { createUnitQueue, type Unit } from './unit-queue.ts'

export interface CommitQueue {
  readonly write: UnitOfWork['write']
  /** Rejects new units, and after `timeoutMs` those that have not begun. */
  close(timeoutMs: number): Promise<void>
}

interface Options {
  readonly pool: Pool
  readonly epoch: PresentEpoch
  readonly cache: DefinitionCache
  /** Bytes that one user may store; null for unlimited. */
  readonly quotaBytes: number | null
  readonly metrics: Pick<Metrics, 'databaseWaited' | 'committed'> | undefined
  readonly afterCommit: (marks: Readonly<CommitMarks>) => void
}

/** A unit that keeps conflicting with others is finally rejected; so is one whose connection is lost a second time. */
const MAX_TRIES_COUNT = { conflict: 50, lost: 2, failed: 0 } as const
const MAX_PAUSE_MS = 50

/** Runs units of a failed transaction again, each in a separate one. */
const createRetries = (enqueue: (unit: Unit) => void) => {
  let pausing = 0

  const retry = (unit: Unit, { cause, reason }: RolledBack): void => {
    unit.tries++
    if (unit.tries >= MAX_TRIES_COUNT[reason]) {
      unit.reject(toAppError(cause))
      return
    }
    pausing++
    const again = () => {
      pausing--
      enqueue(unit)
    }
    setTimeout(again, Math.random() * Math.min(2 ** unit.tries, MAX_PAUSE_MS))
  }

  return {
    isIdle: () => pausing === 0,
    failed(units: readonly Unit[], error: unknown): void {
      for (const unit of units) {
        if (!(error instanceof RolledBack)) unit.reject(toAppError(error))
        else if (units.length === 1) retry(unit, error)
        else {
          unit.alone = true
          enqueue(unit)
        }
      }
    },
  }
}

/**
 * A unit that finds a free connection gets its own transaction. While all connections are in use, units queue, and a
 * connection that finishes a unit runs the next one in the same transaction, with one BEGIN and COMMIT for all. If a
 * shared transaction fails, each of its units runs again in a separate one.
 */
export const createCommitQueue = ({ pool, epoch, cache, quotaBytes, metrics, afterCommit }: Options): CommitQueue => {
  const insideUnit = new AsyncLocalStorage<true>()
  const queue = createUnitQueue({ timeoutMs: pool.connectionTimeoutMs, metrics })
  /** Calls of `startRunner` that run units, or wait for a connection. */
  let runnerCount = 0
  /** Those that have a connection. */
  let connectedCount = 0
  let closing: (() => void) | null = null

  const enqueue = (unit: Unit): void => {
    queue.add(unit)
    if (runnerCount >= pool.maxExclusiveCount) queue.limitWait(unit)
    pump()
  }
  const postpone = (unit: Unit): void => {
    unit.alone = true
    enqueue(unit)
  }
  const retries = createRetries(enqueue)
  const isIdle = () => runnerCount === 0 && queue.size === 0 && retries.isIdle()

  const runTransaction = async (connection: ServerConnection): Promise<void> => {
    if (queue.size === 0) return
    const begunAt = performance.now()
    const transaction = createSharedTransaction({ next: queue.take, postpone, epoch, cache, quotaBytes })
    try {
      await transaction.run(connection)
    } catch (error) {
      // The state of the connection is unknown.
      if (!(error instanceof RolledBack)) connection.close()
      retries.failed(transaction.units, error)
      return
    }
    metrics?.committed(transaction.units.length, performance.now() - begunAt)
    afterCommit(transaction.marks)
    transaction.settle()
  }

  const startRunner = async (): Promise<void> => {
    runnerCount++
    let hasConnection = false
    let leftToOthers = false
    try {
      await pool.exclusively((connection) => {
        hasConnection = true
        connectedCount++
        return runTransaction(connection)
      })
    } catch (error) {
      // No further connection is available: a runner that has one continues, and requests another when it is done.
      leftToOthers = !hasConnection && connectedCount > 0
      if (leftToOthers) queue.limitWaits()
      else queue.rejectAll(toAppError(error))
    }
    runnerCount--
    if (hasConnection) connectedCount--
    if (isIdle()) closing?.()
    if (!leftToOthers) pump()
  }

  const pump = (): void => {
    for (let free = Math.min(pool.maxExclusiveCount - runnerCount, queue.size); free > 0; free--) void startRunner()
  }

  return {
    write<T>(work: (tx: Tx) => Promise<T>): Promise<T> {
      if (insideUnit.getStore()) return Promise.reject(new Error('write called inside a unit of work'))
      if (closing !== null) return Promise.reject(unavailable('The server is stopping'))
      return new Promise<T>((resolve, reject) => {
        const settled = { resolve: (value: unknown) => resolve(value as T), reject }
        const inside = (tx: Tx) => insideUnit.run(true, () => work(tx))
        enqueue({ work: inside, ...settled, queuedAt: performance.now(), timer: null, tries: 0, alone: false })
      })
    },
    async close(timeoutMs) {
      const { promise, resolve } = Promise.withResolvers<void>()
      closing = resolve
      if (isIdle()) resolve()
      const timer = Number.isFinite(timeoutMs) ? setTimeout(resolve, timeoutMs) : null
      await promise
      if (timer !== null) clearTimeout(timer)
      queue.rejectAll(unavailable('The server is stopping'))
    },
  }
}
