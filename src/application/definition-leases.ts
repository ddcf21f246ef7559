import { requirePending } from './definition-building.ts'
import type { StoredCollection } from './ports/collections.ts'
import type { UnitOfWork } from './ports/persistence.ts'
import type { Clock } from './ports/system.ts'

/** How long other processes do not touch a definition that is being prepared, unless its lease is renewed. */
const LEASE_MS = 60_000

/**
 * Renews the leases of definitions that are being prepared, once half of them has passed. Throws `NoLongerPending` if one
 * of them was abandoned.
 */
export const createLeases = (unitOfWork: UnitOfWork, clock: Clock) => ({
  /** The end of a lease that begins now. */
  next: () => clock.now() + LEASE_MS,

  renewing(prepared: readonly StoredCollection[]) {
    let renewAt = clock.now() + LEASE_MS / 2
    return async (): Promise<void> => {
      if (clock.now() < renewAt) return
      await unitOfWork.write(async (tx) => {
        for (const stored of prepared) {
          const present = requirePending(await tx.collections.findForChange(stored.collection.name), stored)
          await tx.collections.renew(present, clock.now() + LEASE_MS)
        }
      })
      renewAt = clock.now() + LEASE_MS / 2
    }
  },
})

/**
 * Abandons definitions that a process was preparing when it ended: those whose lease has expired, or all of them if no
 * other process uses the database.
 */
export const abandonUnfinished = async (unitOfWork: UnitOfWork, clock: Clock, isAlone: boolean): Promise<void> => {
  const isUnfinished = ({ pending }: StoredCollection): boolean =>
    pending !== null && (isAlone || (pending.leaseUntil ?? 0) <= clock.now())
  const all = await unitOfWork.read((tx) => tx.collections.all())
  for (const { collection } of all.filter(isUnfinished)) {
    await unitOfWork.write(async (tx) => {
      const now = await tx.collections.findForChange(collection.name)
      if (now !== null && isUnfinished(now)) await tx.collections.abandon(now)
    })
  }
}
