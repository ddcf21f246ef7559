import { AppError } from '../domain/errors.ts'
import { DEFINITIONS, type DefinitionChangeName, type NewEvent } from '../domain/event.ts'
import type { Instant } from '../domain/user.ts'
import { createDefinitionBuilding, type Misfits } from './definition-building.ts'
import { concernsRecords, type DefinitionChange, type DefinitionPlan } from './definition-plan.ts'
import type { ApplyPatch, CompileValidator, StoredCollection } from './ports/collections.ts'
import type { Tx, UnitOfWork } from './ports/persistence.ts'
import type { Clock } from './ports/system.ts'

interface Deps {
  readonly unitOfWork: UnitOfWork
  readonly clock: Clock
  readonly compileValidator: CompileValidator
  readonly applyPatch: ApplyPatch
}

/** Who makes a change. */
export type Author = Pick<NewEvent, 'actorId' | 'requestId'>

/** The author of changes that nobody asked for by a request. */
export const SYSTEM: Author = { actorId: null, requestId: null }

const definitionEvent = (
  change: DefinitionChangeName,
  { id, collection, version }: StoredCollection,
  author: Author,
  createdAt: Instant,
): NewEvent => ({
  kind: DEFINITIONS,
  event: `collection.${change}`,
  subjectId: id,
  ownerId: null,
  data: { id, name: collection.name, version },
  ...author,
  createdAt,
})

export const definitionMismatch = () => new AppError('version_mismatch', 'The definition was changed meanwhile')

const doNotFit = (misfits: Misfits): AppError =>
  new AppError('records_do_not_fit', `${misfits.count} records do not fit this definition`, { misfits })

/** Does what a plan says; each step is a method, because records are prepared between the first and the last. */
export const createDefinitionChanges = ({ unitOfWork, clock, ...deps }: Deps) => {
  const build = createDefinitionBuilding({ unitOfWork, ...deps })

  const activate = async (tx: Tx, stored: StoredCollection, author: Author): Promise<StoredCollection> => {
    const now = clock.now()
    const active = await tx.collections.activate(stored, now)
    await tx.events.append(definitionEvent('updated', active, author, now))
    return active
  }

  /** What needs no look at records. */
  const start = async (tx: Tx, plan: DefinitionPlan, author: Author) => {
    const now = clock.now()
    for (const stored of plan.deleted) {
      await tx.collections.delete(stored)
      await tx.events.append(definitionEvent('deleted', stored, author, now))
    }
    if (plan.deleted.length > 0) await tx.jobs.enqueue({ kind: 'clean-up', payload: {}, now })
    const done: StoredCollection[] = [...plan.unchanged]
    for (const collection of plan.created) {
      const stored = await tx.collections.insert(collection, now)
      await tx.events.append(definitionEvent('created', stored, author, now))
      done.push(stored)
    }
    return done
  }

  const prepare = (tx: Tx, { stored, collection, transform }: DefinitionChange): Promise<StoredCollection> =>
    tx.collections.prepare(stored, { collection, transform })

  const isPrepared = (now: StoredCollection | null, stored: StoredCollection): now is StoredCollection =>
    now !== null &&
    now.id === stored.id &&
    now.pending?.shape === stored.pending?.shape &&
    now.version === stored.version

  const abandonAll = (prepared: readonly StoredCollection[]): Promise<void> =>
    unitOfWork.write(async (tx) => {
      for (const stored of prepared) {
        const now = await tx.collections.findForChange(stored.collection.name)
        if (isPrepared(now, stored) && now.pending !== null) await tx.collections.abandon(now)
      }
    })

  const buildAll = async (prepared: readonly StoredCollection[]): Promise<void> => {
    let misfits: Misfits = { count: 0, listed: [] }
    for (const stored of prepared) {
      const found = await build(stored)
      misfits = { count: misfits.count + found.count, listed: [...misfits.listed, ...found.listed] }
    }
    if (misfits.count > 0) throw doNotFit(misfits)
  }

  const finish = async (
    tx: Tx,
    prepared: readonly StoredCollection[],
    author: Author,
  ): Promise<readonly StoredCollection[]> => {
    const done: StoredCollection[] = []
    for (const stored of prepared) {
      const now = await tx.collections.findForChange(stored.collection.name)
      if (!isPrepared(now, stored)) throw definitionMismatch()
      done.push(await activate(tx, now, author))
    }
    return done
  }

  /**
   * Carries out a plan. If no change concerns records, in the one unit of `plan`; otherwise that unit prepares them, and a
   * last one gives everything effect.
   */
  return async (
    plan: (tx: Tx) => Promise<DefinitionPlan>,
    author: Author,
    authorize: (tx: Tx) => Promise<unknown>,
  ): Promise<{ readonly plan: DefinitionPlan; readonly done: readonly StoredCollection[] }> => {
    const begun = await unitOfWork.write(async (tx) => {
      const planned = await plan(tx)
      const prepared: StoredCollection[] = []
      for (const change of planned.changed) prepared.push(await prepare(tx, change))
      if (planned.changed.some(concernsRecords)) return { planned, prepared, done: null }
      const done = await start(tx, planned, author)
      return { planned, prepared, done: [...done, ...(await finish(tx, prepared, author))] }
    })
    const { planned, prepared } = begun
    if (begun.done !== null) return { plan: planned, done: begun.done }
    try {
      await buildAll(prepared)
      return await unitOfWork.write(async (tx) => {
        await authorize(tx)
        const done = await start(tx, planned, author)
        return { plan: planned, done: [...done, ...(await finish(tx, prepared, author))] }
      })
    } catch (error) {
      await abandonAll(prepared)
      throw error
    }
  }
}
