import { AppError } from '../domain/errors.ts'
import type { Catalog } from './catalog.ts'
import { recordsDeletedEvent } from './definition-changes.ts'
import { createDeletionFinishing } from './deletion-finishing.ts'
import { LEASE_MS, markAll, OutdatedDeletion, requireMarking, storeCleared } from './deletion-walk.ts'
import type { StoredCollection } from './ports/collections.ts'
import { type Deletion, Marked } from './ports/deletions.ts'
import type { Tx, UnitOfWork } from './ports/persistence.ts'
import type { Clock } from './ports/system.ts'
import type { Author } from './record-access.ts'
import type { Change } from './record-changes.ts'
import type { Target } from './record-deletions.ts'
import { PendingMisfit } from './record-forms.ts'
import type { RecordUnits } from './record-units.ts'

/** How often a deletion restarts because definitions have changed. */
const MAX_ATTEMPTS_COUNT = 3

/** How many deletions of one collection may wait for their records to be removed. */
const MAX_UNFINISHED_COUNT = 100

/** A request that began before a deletion took effect reads the records as they were. */
const REMOVAL_DELAY_MS = 2_000

/** The target of a large deletion. */
export interface DeletionRoot {
  readonly target: Target
  /** Throws unless the author may delete it: when the deletion begins, and again when it takes effect. */
  check(change: Change): Promise<void>
  /** Deletes it, in the transaction in which everything else disappears. Null for a record defined at run time. */
  readonly remove: ((change: Change) => Promise<void>) | null
}

interface Deps {
  readonly unitOfWork: UnitOfWork
  readonly catalog: Catalog
  readonly units: RecordUnits
  readonly clock: Clock
}

/** Differs if a definition has changed. */
const definitionsOf = async (tx: Tx): Promise<string> =>
  (await tx.collections.all()).map(({ id, version, epoch }) => `${id}.${version}.${epoch}`).join(' ')

const storedOf = async (catalog: Catalog, { tx }: Change, name: string): Promise<StoredCollection> => {
  const { stored } = await catalog.find(tx, name)
  if (stored === null) throw new Error(`${name} is defined in code`)
  return stored
}

/** The first step and the last one of a deletion. */
const createEnds = (catalog: Catalog) => {
  const begin = async (change: Change, { target, check, remove }: DeletionRoot): Promise<Deletion> => {
    const { tx, now, author } = change
    await check(change)
    const stored = remove === null ? await storedOf(catalog, change, target.target) : null
    const other = await tx.deletions.marking(target.target, target.id)
    if (other !== null) throw new Marked(other.id, stored)
    if (stored !== null) {
      const records = tx.records(stored)
      const record = await records.findById(target.id)
      if (record !== null) {
        records.requireUnmarked([record])
        await storeCleared(change, await catalog.find(tx, target.target), record)
      }
    }
    const deletion = await tx.deletions.insert({
      target: target.target,
      targetId: target.id,
      state: 'marking',
      leaseUntil: now + LEASE_MS,
      reached: stored === null ? {} : { [stored.id]: 1 },
      cleared: {},
      ...author,
      createdAt: now,
    })
    if (stored !== null) await tx.deletions.recordsOf(stored).mark(deletion.id, [target.id], 0)
    // If the process ends, its marks are removed.
    const payload = { deletionId: deletion.id }
    await tx.jobs.enqueue({ kind: 'finish-deletion', payload, now, runAt: deletion.leaseUntil })
    return deletion
  }

  const take = async ({ tx, now, author }: Change, stored: StoredCollection, deletion: Deletion): Promise<void> => {
    const { count, unfinished, clearedFields } = stored.deletions
    if (unfinished.length >= MAX_UNFINISHED_COUNT) {
      throw new AppError('unavailable', 'Too many deletions are being finished', { retryAfterSeconds: 5 })
    }
    const cleared = deletion.cleared[stored.id] ?? []
    // A pending definition was prepared with the references.
    if (cleared.length > 0 && stored.pending !== null) throw new PendingMisfit(stored)
    const deletions = {
      count: count + 1,
      unfinished: [...unfinished, deletion.id],
      clearedFields: [...new Set([...clearedFields, ...cleared])],
    }
    await tx.collections.setDeletions(stored, deletions, deletion.reached[stored.id] ?? 0)
    await tx.events.append(recordsDeletedEvent(stored, author, now))
  }

  /** Everything disappears at once. */
  const takeEffect = async (change: Change, id: number, root: DeletionRoot, definitions: string): Promise<void> => {
    const { tx, now } = change
    const before = await tx.collections.all()
    const { reached } = await requireMarking(tx, id)
    const affected: StoredCollection[] = []
    for (const { id: collectionId, collection } of before) {
      if (!Object.hasOwn(reached, collectionId)) continue
      const stored = await tx.collections.findForChange(collection.name)
      if (stored !== null) affected.push(stored)
    }
    if ((await definitionsOf(tx)) !== definitions) throw new OutdatedDeletion('definitions have changed')
    await root.check(change)
    const deletion = await requireMarking(tx, id)
    for (const stored of affected) await take(change, stored, deletion)
    await tx.deletions.update({ ...deletion, state: 'done' })
    if (root.remove !== null) await root.remove(change)
    const payload = { deletionId: id }
    await tx.jobs.enqueue({ kind: 'finish-deletion', payload, now, runAt: now + REMOVAL_DELAY_MS })
  }

  return { begin, takeEffect }
}

/**
 * Deletes a target on which more records depend than one transaction may change. They are marked in short units; meanwhile
 * they can be read, but not changed or newly referenced. One more unit makes all of them disappear, and a job removes them.
 * If it fails before that unit, or the process ends, nothing is deleted.
 */
export const createLargeDeletions = (deps: Deps) => {
  const { unitOfWork, catalog, units } = deps
  const { begin, takeEffect } = createEnds(catalog)
  const finish = createDeletionFinishing(deps)

  const abandon = async (id: number): Promise<void> => {
    const isAbandoned = await unitOfWork.write(async (tx) => {
      const deletion = await tx.deletions.find(id)
      if (deletion?.state === 'marking') await tx.deletions.update({ ...deletion, state: 'abandoned' })
      return deletion !== null && deletion.state !== 'done'
    })
    const options = { signal: new AbortController().signal, isOver: () => false }
    if (isAbandoned) await finish(id, options)
  }

  const attempt = async (author: Author, root: DeletionRoot): Promise<void> => {
    const { deletion, definitions } = await units.changing(author, async (change) => ({
      deletion: await begin(change, root),
      definitions: await definitionsOf(change.tx),
    }))
    try {
      await markAll({ catalog, units, deletion })
      await units.changing(author, (change) => takeEffect(change, deletion.id, root, definitions))
    } catch (error) {
      // If that fails too, the job does it when the lease has expired.
      await abandon(deletion.id).catch(() => {})
      throw error
    }
  }

  /** Throws what the root throws, `referenced`, and `being_deleted` if another deletion has reached the same records. */
  return async (author: Author, root: DeletionRoot): Promise<void> => {
    for (let count = 1; ; count++) {
      try {
        return await attempt(author, root)
      } catch (error) {
        if (!(error instanceof OutdatedDeletion)) throw error
        if (count === MAX_ATTEMPTS_COUNT) {
          throw new AppError('unavailable', 'Definitions are being changed', { cause: error, retryAfterSeconds: 1 })
        }
      }
    }
  }
}
