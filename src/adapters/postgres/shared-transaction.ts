import type { Tx } from '../../application/ports/persistence.ts'
import { createUsageChanges } from '../sql/usage.ts'
import type { LockedDefinitions } from './collections.ts'
import type { Query } from './connection.ts'
import type { DefinitionCache } from './definitions.ts'
import type { PresentEpoch } from './epochs.ts'
import { isConflict, toAppError } from './errors.ts'
import { type CommitMarks, createRepositories } from './repositories.ts'
import type { ServerConnection } from './server-connection.ts'
import type { CachedSessionAccounts } from './sessions.ts'
import { LOCK_TIMEOUT_MS, lockTimeout, transact } from './transaction.ts'
import type { Unit } from './unit-queue.ts'
import { createUnitTransaction, type UnitTransaction } from './unit-transaction.ts'
import { storeUsage } from './usage.ts'

/** Maximum number of units that share a transaction. */
const MAX_UNITS_COUNT = 32

/**
 * How long units that share a transaction wait for a lock before each runs in a transaction of its own. Well below the
 * time after which Postgres looks for deadlocks (one second by default).
 */
const MAX_SHARED_WAIT_MS = 200

interface Options {
  /**
   * The next unit to run. `sharing` is whether other units ran before it in this transaction; null if there is none.
   */
  readonly next: (sharing: boolean) => Unit | null
  /** Called with a unit that must run in a separate transaction. */
  readonly postpone: (unit: Unit) => void
  readonly epoch: PresentEpoch
  readonly cache: DefinitionCache
  /** Bytes that one user may store; null for unlimited. */
  readonly quotaBytes: number | null
}

export interface SharedTransaction {
  /** The units that it ran; if it fails, none of them is done. */
  readonly units: readonly Unit[]
  readonly marks: Readonly<CommitMarks>
  /** Commits. Throws as {@link transact} does. */
  run(connection: ServerConnection): Promise<void>
  /** Call it after the commit. */
  settle(): void
}

const createEarlierLocks = (query: Query) => {
  let exist = false
  let isLimited = false
  return {
    get exist() {
      return exist
    },
    add() {
      exist = true
    },
    limitWaits() {
      if (!isLimited) void query(lockTimeout(MAX_SHARED_WAIT_MS))
      isLimited = true
    },
    endLimit() {
      if (isLimited) void query(lockTimeout(LOCK_TIMEOUT_MS))
    },
  }
}

/**
 * Runs units one after the other in one transaction, until there are no more. A unit that has locked or changed rows is
 * the last, because others may wait for these rows.
 */
export const createSharedTransaction = ({ next, postpone, epoch, cache, quotaBytes }: Options): SharedTransaction => {
  const units: Unit[] = []
  const settles: (() => void)[] = []
  const marks: CommitMarks = { jobs: false, events: false }
  const usage = createUsageChanges()
  const cachedAccounts: CachedSessionAccounts = new Map()
  const locked: LockedDefinitions = new Map()
  let cachedSince = performance.now()

  const expireCachedAccounts = (unit: Unit): void => {
    if (unit.queuedAt <= cachedSince) return
    cachedAccounts.clear()
    cachedSince = performance.now()
  }

  const runUnit = async ({ work, resolve, reject }: Unit, transaction: UnitTransaction): Promise<void> => {
    const tx: Tx = createRepositories(transaction, { marks, cachedAccounts, epoch, usage, cache, locked })
    try {
      const value = await work(tx)
      if (!transaction.isPostponed()) settles.push(() => resolve(value))
    } catch (error) {
      if (transaction.isPostponed()) return
      if (transaction.hasWritten() || transaction.hasFailed() || isConflict(error)) throw error
      // Nothing has to be rolled back.
      settles.push(() => reject(toAppError(error)))
    } finally {
      transaction.end()
    }
  }

  const runUnits = async (query: Query): Promise<void> => {
    const locks = createEarlierLocks(query)
    let mayFollow = true
    for (let unit = next(false); unit !== null; unit = mayFollow ? next(true) : null) {
      units.push(unit)
      expireCachedAccounts(unit)
      const transaction = createUnitTransaction(query, locks)
      await runUnit(unit, transaction)
      if (transaction.isPostponed()) {
        units.pop()
        postpone(unit)
        break
      }
      if (transaction.hasShared()) locks.add()
      mayFollow = !unit.alone && !transaction.hasLocked() && units.length < MAX_UNITS_COUNT
    }
    locks.endLimit()
    storeUsage(query, usage, quotaBytes)
  }

  return {
    units,
    marks,
    run: (connection) => transact(connection, runUnits),
    settle() {
      for (const settle of settles) settle()
    },
  }
}
