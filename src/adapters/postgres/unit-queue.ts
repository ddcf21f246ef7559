import type { Metrics } from '../../application/ports/metrics.ts'
import type { Tx } from '../../application/ports/persistence.ts'
import { unavailable } from './errors.ts'

/** A unit of work that waits for a transaction. */
export interface Unit {
  readonly work: (tx: Tx) => Promise<unknown>
  readonly queuedAt: number
  readonly resolve: (value: unknown) => void
  readonly reject: (error: unknown) => void
  tries: number
  /** Its shared transaction failed, so it now gets a separate one. */
  alone: boolean
  /** Cancels its timeout; null once it has begun, or if a connection is available. */
  timer: ReturnType<typeof setTimeout> | null
}

export interface UnitQueue {
  readonly size: number
  add(unit: Unit): void
  /** The unit that has waited longest; if `sharing`, of those that may share a transaction. */
  take(sharing: boolean): Unit | null
  /** Rejects a unit that is still waiting at the timeout. */
  limitWait(unit: Unit): void
  /** As {@link limitWait}, for all waiting units. */
  limitWaits(): void
  rejectAll(error: unknown): void
}

interface Options {
  readonly timeoutMs: number
  readonly metrics: Pick<Metrics, 'databaseWaited'> | undefined
}

export const createUnitQueue = ({ timeoutMs, metrics }: Options): UnitQueue => {
  const units = new Set<Unit>()

  const remove = (unit: Unit): void => {
    units.delete(unit)
    if (unit.timer !== null) clearTimeout(unit.timer)
    unit.timer = null
    metrics?.databaseWaited('connection', performance.now() - unit.queuedAt)
  }

  const limitWait = (unit: Unit): void => {
    unit.timer ??= setTimeout(() => {
      remove(unit)
      unit.reject(unavailable('The database is busy'))
    }, timeoutMs)
  }

  return {
    get size() {
      return units.size
    },
    add: (unit) => void units.add(unit),
    take(sharing) {
      for (const unit of units) {
        if (sharing && unit.alone) continue
        remove(unit)
        return unit
      }
      return null
    },
    limitWait,
    limitWaits: () => units.forEach(limitWait),
    rejectAll(error) {
      for (const unit of units) {
        remove(unit)
        unit.reject(error)
      }
    },
  }
}
