import { Marked } from './ports/deletions.ts'
import type { Tx, UnitOfWork } from './ports/persistence.ts'
import type { Clock } from './ports/system.ts'

/** Marks that an abandoned deletion has left, removed in one unit. */
const MAX_SLICE_COUNT = 200

/** Each attempt removes up to {@link MAX_SLICE_COUNT} marks. */
const MAX_ATTEMPTS_COUNT = 50

/**
 * Runs a unit again if it finds marks of a deletion that was abandoned, whose process is gone, or that `abandonsDeletions`
 * ends. Nobody waits for a deletion that is still marking records: the unit throws `being_deleted`.
 */
export const createMarkGuard = (unitOfWork: UnitOfWork, clock: Clock) => {
  /** False if the marks are still valid. */
  const settle = async (tx: Tx, { deletionId, storage }: Marked, abandons: boolean): Promise<boolean> => {
    const deletion = await tx.deletions.find(deletionId)
    if (deletion?.state === 'marking') {
      if (!abandons && deletion.leaseUntil > clock.now()) return false
      await tx.deletions.update({ ...deletion, state: 'abandoned' })
    }
    if (deletion?.state !== 'done' && storage !== null) {
      await tx.deletions.recordsOf(storage).unmark(deletionId, MAX_SLICE_COUNT)
    }
    return true
  }

  return async <T>(work: () => Promise<T>, abandonsDeletions: boolean): Promise<T> => {
    for (let attempt = 1; ; attempt++) {
      try {
        return await work()
      } catch (error) {
        if (!(error instanceof Marked) || attempt === MAX_ATTEMPTS_COUNT) throw error
        if (!(await unitOfWork.write((tx) => settle(tx, error, abandonsDeletions)))) throw error
      }
    }
  }
}
