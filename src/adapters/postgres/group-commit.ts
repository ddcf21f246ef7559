import { AsyncLocalStorage } from 'node:async_hooks'
import type { Metrics } from '../../application/ports/metrics.ts'
import type { Tx, UnitOfWork } from '../../application/ports/persistence.ts'
import { createUsageChanges } from '../sql/usage.ts'
import type { PresentEpoch } from './epochs.ts'
import { isConflict, toAppError, unavailable } from './errors.ts'
import type { Link } from './link.ts'
import type { Pool } from './pool.ts'
import { type Marks, writing } from './repositories.ts'
import type { Holders } from './sessions.ts'
import { shareOf } from './share.ts'
import { RolledBack, transact } from './transaction.ts'
import { storeUsage } from './usage.ts'

export interface GroupCommit {
  readonly write: UnitOfWork['write']
  /** Refuses what comes, and after `timeout` milliseconds what has not begun. */
  close(timeout: number): Promise<void>
}

interface Options {
  readonly pool: Pool
  readonly epoch: PresentEpoch
  /** Bytes that one user may store; null for any. */
  readonly quotaBytes: number | null
  readonly metrics: Pick<Metrics, 'databaseWaited' | 'committed'> | undefined
  readonly afterCommit: (marks: Readonly<Marks>) => void
}

interface Unit {
  readonly work: (tx: Tx) => Promise<unknown>
  readonly queuedAt: number
  readonly resolve: (value: unknown) => void
  readonly reject: (error: unknown) => void
  /** Ends its wait; null once it has begun, or when a connection may be had for it. */
  timer: ReturnType<typeof setTimeout> | null
  tries: number
  /** It was in a transaction that failed: now it has one of its own. */
  alone: boolean
}

/** So many units at most share a transaction. */
const MOST_UNITS = 32
/** A unit that meets others again and again is refused at last. */
const MOST_TRIES = 50
const LONGEST_PAUSE_MS = 50

/**
 * A unit that finds a free connection has a transaction of its own. While all are taken, units wait, and whoever is done
 * with one goes on with the next in the same transaction, one after the other: one BEGIN and COMMIT for all of them. One
 * that holds or changes rows is the last of its transaction, for others may wait for them. When a shared transaction
 * fails, each of its units runs again in one of its own.
 */
export const createGroupCommit = ({ pool, epoch, quotaBytes, metrics, afterCommit }: Options): GroupCommit => {
  const insideUnit = new AsyncLocalStorage<true>()
  const queue = new Set<Unit>()
  /** Those that serve, or wait for the connection to do it with. */
  let serving = 0
  /** Those that have one. */
  let connected = 0
  /** Those that will be tried again in a moment. */
  let pausing = 0
  let closing: (() => void) | null = null

  const isIdle = () => serving === 0 && queue.size === 0 && pausing === 0

  const take = (sharing: boolean): Unit | null => {
    for (const unit of queue) {
      if (sharing && unit.alone) continue
      queue.delete(unit)
      if (unit.timer !== null) clearTimeout(unit.timer)
      unit.timer = null
      metrics?.databaseWaited('connection', performance.now() - unit.queuedAt)
      return unit
    }
    return null
  }

  /** Ends its wait when it gets too long. */
  const limitWait = (unit: Unit): void => {
    unit.timer ??= setTimeout(() => {
      queue.delete(unit)
      metrics?.databaseWaited('connection', performance.now() - unit.queuedAt)
      unit.reject(unavailable('The database is busy'))
    }, pool.patience)
  }

  const enqueue = (unit: Unit): void => {
    queue.add(unit)
    if (serving >= pool.mostExclusive) limitWait(unit)
    pump()
  }

  const retry = (unit: Unit, { cause, reason }: RolledBack): void => {
    unit.tries++
    const most = { conflict: MOST_TRIES, lost: 2, failed: 0 }[reason]
    if (unit.tries >= most) {
      unit.reject(toAppError(cause))
      return
    }
    pausing++
    const again = () => {
      pausing--
      enqueue(unit)
    }
    setTimeout(again, Math.random() * Math.min(2 ** unit.tries, LONGEST_PAUSE_MS))
  }

  const failed = (units: readonly Unit[], error: unknown): void => {
    for (const unit of units) {
      if (!(error instanceof RolledBack)) unit.reject(toAppError(error))
      else if (units.length === 1) retry(unit, error)
      else {
        unit.alone = true
        enqueue(unit)
      }
    }
  }

  const serve = async (link: Link): Promise<void> => {
    if (queue.size === 0) return
    const units: Unit[] = []
    const settle: (() => void)[] = []
    const marks: Marks = { jobs: false, events: false }
    const holders: Holders = new Map()
    const usage = createUsageChanges()
    const begunAt = performance.now()
    let holdersSince = begunAt
    try {
      await transact(link, async (transaction) => {
        for (let unit = take(false); unit !== null; unit = units.length < MOST_UNITS ? take(true) : null) {
          units.push(unit)
          if (unit.queuedAt > holdersSince) {
            holders.clear()
            holdersSince = performance.now()
          }
          const { work, resolve, reject, alone } = unit
          const share = shareOf(transaction)
          try {
            const value = await insideUnit.run(true, () => work(writing(share, { marks, holders, epoch, usage })))
            settle.push(() => resolve(value))
          } catch (error) {
            if (share.hasWritten() || share.hasFailed() || isConflict(error)) throw error
            // Nothing has to be undone.
            settle.push(() => reject(toAppError(error)))
          } finally {
            share.end()
          }
          if (alone || share.changesRows()) break
        }
        storeUsage(transaction, usage, quotaBytes)
      })
    } catch (error) {
      // Nobody knows what the connection is good for.
      if (!(error instanceof RolledBack)) link.close()
      failed(units, error)
      return
    }
    metrics?.committed(units.length, performance.now() - begunAt)
    afterCommit(marks)
    for (const settled of settle) settled()
  }

  const refuseAll = (error: unknown): void => {
    for (let unit = take(false); unit !== null; unit = take(false)) unit.reject(toAppError(error))
  }

  const serveOnce = async (): Promise<void> => {
    serving++
    let hasLink = false
    let leftToOthers = false
    try {
      await pool.exclusively((link) => {
        hasLink = true
        connected++
        return serve(link)
      })
    } catch (error) {
      // No further connection is to be had: whoever has one goes on, and asks for another when it is done.
      leftToOthers = !hasLink && connected > 0
      if (leftToOthers) for (const unit of queue) limitWait(unit)
      else refuseAll(error)
    }
    serving--
    if (hasLink) connected--
    if (isIdle()) closing?.()
    if (!leftToOthers) pump()
  }

  const pump = (): void => {
    for (let free = Math.min(pool.mostExclusive - serving, queue.size); free > 0; free--) void serveOnce()
  }

  return {
    write<T>(work: (tx: Tx) => Promise<T>): Promise<T> {
      if (insideUnit.getStore()) return Promise.reject(new Error('write called inside a unit of work'))
      if (closing !== null) return Promise.reject(unavailable('The server is stopping'))
      return new Promise<T>((resolve, reject) => {
        const settled = { resolve: (value: unknown) => resolve(value as T), reject }
        enqueue({ work, ...settled, queuedAt: performance.now(), timer: null, tries: 0, alone: false })
      })
    },
    async close(timeout) {
      const { promise, resolve } = Promise.withResolvers<void>()
      closing = resolve
      if (isIdle()) resolve()
      const timer = Number.isFinite(timeout) ? setTimeout(resolve, timeout) : null
      await promise
      if (timer !== null) clearTimeout(timer)
      refuseAll(unavailable('The server is stopping'))
    },
  }
}
