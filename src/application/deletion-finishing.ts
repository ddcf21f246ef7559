import type { Catalog } from './catalog.ts'
import type { Deletion } from './ports/deletions.ts'
import type { Tx, UnitOfWork } from './ports/persistence.ts'
import type { Clock } from './ports/system.ts'
import { type Change, changeRecord, removeDeleted } from './record-changes.ts'
import type { RecordUnits } from './record-units.ts'

/** Records of one unit: they may be large. */
const MAX_SLICE_COUNT = 50
/** Marks are removed without reading the records. */
const MAX_UNMARKED_COUNT = 200

interface Deps {
  readonly unitOfWork: UnitOfWork
  readonly catalog: Catalog
  readonly units: RecordUnits
  readonly clock: Clock
}

export interface FinishOptions {
  readonly signal: AbortSignal
  /** Whether this run has done enough work. */
  isOver(): boolean
}

/** The remaining work for a deletion: whether there is any, and when it may start. */
export type Remaining = { readonly from: number } | null

/** A name that no collection has. */
const NO_COLLECTION = ''

const nameOf = async (tx: Tx, id: string): Promise<string> => {
  const all = await tx.collections.all()
  return all.find((stored) => String(stored.id) === id)?.collection.name ?? NO_COLLECTION
}

/** Removes what a deletion has marked, or the marks of an abandoned one, in short units. */
export const createDeletionFinishing = ({ unitOfWork, catalog, units, clock }: Deps) => {
  /** False when no records of the collection are left. */
  const removeSome = async (change: Change, deletion: Deletion, collectionId: string): Promise<boolean> => {
    const { tx, now } = change
    const compiled = await catalog.named(tx, await nameOf(tx, collectionId))
    // The records of a deleted collection are removed with it.
    if (compiled === null || compiled.stored === null) return false
    const rows = await tx.deletions.recordsOf(compiled.stored).remaining(deletion.id, MAX_SLICE_COUNT)
    const [deleted, cleared] = [rows.filter(({ isDeleted }) => isDeleted), rows.filter(({ isDeleted }) => !isDeleted)]
    // Together, because on Postgres each would wait for two round trips.
    await Promise.all(deleted.map(({ record }) => removeDeleted(change, compiled, record)))
    for (const { record } of cleared) {
      const after = { ...record, version: record.version + 1, updatedAt: now }
      await changeRecord(change, compiled, record, after)
    }
    return rows.length === MAX_SLICE_COUNT
  }

  /** Removes a deletion of which no records are left. */
  const forget = async (tx: Tx, { id, reached }: Deletion): Promise<void> => {
    const all = await tx.collections.all()
    const names = all.filter((stored) => Object.hasOwn(reached, stored.id)).map(({ collection }) => collection.name)
    for (const name of names) {
      const stored = await tx.collections.findForChange(name)
      if (stored === null || !stored.deletions.unfinished.includes(id)) continue
      const unfinished = stored.deletions.unfinished.filter((other) => other !== id)
      const clearedFields = unfinished.length === 0 ? [] : stored.deletions.clearedFields
      await tx.collections.setDeletions(stored, { ...stored.deletions, unfinished, clearedFields }, 0)
    }
    await tx.deletions.delete(id)
  }

  /** Marks are also removed from records of a collection that was not noted before the process ended. */
  const unmarkSome = async (tx: Tx, { id }: Deletion): Promise<boolean> => {
    for (const stored of await tx.collections.all()) {
      if ((await tx.deletions.recordsOf(stored).unmark(id, MAX_UNMARKED_COUNT)) > 0) return true
    }
    return false
  }

  const find = (id: number) => unitOfWork.read((tx) => tx.deletions.find(id))

  const finishDone = async (deletion: Deletion, { signal, isOver }: FinishOptions): Promise<Remaining> => {
    for (const collectionId of Object.keys(deletion.reached)) {
      const step = () => units.serving(deletion, (change) => removeSome(change, deletion, collectionId))
      do {
        signal.throwIfAborted()
        if (isOver()) return { from: clock.now() }
      } while (await step())
    }
    await unitOfWork.write((tx) => forget(tx, deletion))
    return null
  }

  const finishAbandoned = async (deletion: Deletion, { signal, isOver }: FinishOptions): Promise<Remaining> => {
    do {
      signal.throwIfAborted()
      if (isOver()) return { from: clock.now() }
    } while (await unitOfWork.write((tx) => unmarkSome(tx, deletion)))
    await unitOfWork.write((tx) => tx.deletions.delete(deletion.id))
    return null
  }

  /** Returns the remaining work. */
  return async (id: number, options: FinishOptions): Promise<Remaining> => {
    const found = await find(id)
    if (found === null) return null
    if (found.state === 'done') return finishDone(found, options)
    if (found.state === 'marking') {
      if (found.leaseUntil > clock.now()) return { from: found.leaseUntil }
      const isAbandoned = await unitOfWork.write(async (tx) => {
        const now = await tx.deletions.find(id)
        if (now === null || now.state !== 'marking' || now.leaseUntil > clock.now()) return false
        await tx.deletions.update({ ...now, state: 'abandoned' })
        return true
      })
      if (!isAbandoned) return { from: clock.now() }
    }
    return finishAbandoned(found, options)
  }
}
