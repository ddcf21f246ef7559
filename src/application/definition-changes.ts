import type { AuditDetails } from '../domain/audit.ts'
import type { Collection } from '../domain/collection.ts'
import { definitionOf } from '../domain/definition.ts'
import { AppError, type Misfits } from '../domain/errors.ts'
import { DEFINITIONS, type DefinitionChangeName, type NewEvent } from '../domain/event.ts'
import type { Instant } from '../domain/user.ts'
import { type AuditActor, audit } from './audit.ts'
import type { Catalog } from './catalog.ts'
import { createDefinitionBuilding, isStillPending, NoLongerPending, requirePending } from './definition-building.ts'
import { createLeases } from './definition-leases.ts'
import { concernsRecords, type DefinitionChange, type DefinitionPlan } from './definition-plan.ts'
import type { ApplyPatch, CompileValidator, PendingDefinition, StoredCollection } from './ports/collections.ts'
import type { Tx, UnitOfWork } from './ports/persistence.ts'
import type { Clock } from './ports/system.ts'

interface Deps {
  readonly unitOfWork: UnitOfWork
  readonly catalog: Catalog
  readonly clock: Clock
  readonly compileValidator: CompileValidator
  readonly maxRecordBytes: number
  readonly applyPatch: ApplyPatch
}

/** The author of a change, as recorded in its event. */
type Author = Pick<NewEvent, 'actorId' | 'requestId' | 'sessionId'>

/** An actor in the log. */
const loggedActor = ({ userId, requestId, sessionId = null }: AuditActor): Author => ({
  actorId: userId,
  requestId,
  sessionId,
})

/** Names the parts of a definition that differ. */
const changesOf = (before: Collection, after: Collection, isTransformed: boolean): AuditDetails => {
  const [old, now] = [definitionOf(before), definitionOf(after)].map(
    (definition) => new Map(Object.entries(definition)),
  )
  const parts = [...new Set([...(old?.keys() ?? []), ...(now?.keys() ?? [])])]
  const changed = parts.filter((part) => JSON.stringify(old?.get(part)) !== JSON.stringify(now?.get(part)))
  return { changed: changed.join(), ...(isTransformed && { transformed: true }) }
}

const definitionEvent = (
  change: DefinitionChangeName,
  { id, collection, version }: StoredCollection,
  author: Author,
  createdAt: Instant,
  transform: PendingDefinition['transform'] = null,
): NewEvent => ({
  kind: DEFINITIONS,
  event: `collection.${change}`,
  subjectId: id,
  ownerId: null,
  // The history of records needs the transform.
  data: { id, name: collection.name, version, ...(transform && { transform: [...transform] }) },
  ...author,
  createdAt,
})

/** The log entry of a deletion of so many records that they have no events of their own yet. */
export const recordsDeletedEvent = (
  { id, collection, version }: StoredCollection,
  author: Author,
  createdAt: Instant,
): NewEvent => ({
  kind: DEFINITIONS,
  event: 'collection.records_deleted',
  subjectId: id,
  ownerId: null,
  data: { id, name: collection.name, version },
  ...author,
  createdAt,
})

export const definitionMismatch = () => new AppError('version_mismatch', 'The definition was changed meanwhile')

const doNotFit = (misfits: Misfits): AppError => {
  const { count } = misfits
  const message = count === 1 ? 'A record does not fit this definition' : `${count} records do not fit this definition`
  return new AppError('records_do_not_fit', message, { misfits })
}

/** No collection has this name. Only the transaction that has locked it changes definitions. */
const ALL_DEFINITIONS = '*'

/** How often a preparation is repeated after writers have ended it: see `createPendingForms`. */
const MAX_ATTEMPTS_COUNT = 3

const MAX_LISTED_MISFITS_COUNT = 10

/** The result of a plan. */
interface Result {
  readonly plan: DefinitionPlan
  /** The definitions that were given, unless they were deleted. */
  readonly done: readonly StoredCollection[]
}

interface Planned {
  readonly plan: DefinitionPlan
  readonly prepared: readonly StoredCollection[]
  readonly done: readonly StoredCollection[] | null
}

/** The steps of a change, inside its units. */
const createSteps = (clock: Clock) => {
  const log = async (
    tx: Tx,
    change: DefinitionChangeName,
    stored: StoredCollection,
    author: AuditActor,
    details: AuditDetails = {},
  ): Promise<void> => {
    const now = clock.now()
    await tx.events.append(definitionEvent(change, stored, loggedActor(author), now))
    const subject = `collections/${stored.collection.name}`
    await audit(tx, author, `collection.${change}`, { subject, details, now })
  }

  const activate = async (tx: Tx, stored: StoredCollection, author: AuditActor): Promise<StoredCollection> => {
    const now = clock.now()
    const active = await tx.collections.activate(stored, now)
    const transform = stored.pending?.transform
    await tx.events.append(definitionEvent('updated', active, loggedActor(author), now, transform))
    const details = changesOf(stored.collection, active.collection, transform != null)
    const subject = `collections/${active.collection.name}`
    await audit(tx, author, 'collection.updated', { subject, details, now })
    return active
  }

  return {
    async prepare(
      tx: Tx,
      { stored, collection, transform }: DefinitionChange,
      leaseUntil: Instant,
    ): Promise<StoredCollection> {
      const locked = await tx.collections.findForChange(stored.collection.name)
      if (locked === null || locked.id !== stored.id || locked.version !== stored.version) throw definitionMismatch()
      return tx.collections.prepare(locked, { collection, transform, leaseUntil })
    },

    /** The changes for which no record has to be read. */
    async start(tx: Tx, plan: DefinitionPlan, author: AuditActor): Promise<readonly StoredCollection[]> {
      const now = clock.now()
      for (const { collection } of plan.deleted) {
        const stored = await tx.collections.findForChange(collection.name)
        if (stored === null) throw definitionMismatch()
        await tx.collections.delete(stored)
        await log(tx, 'deleted', stored, author)
      }
      if (plan.deleted.length > 0) await tx.jobs.enqueue({ kind: 'clean-up', payload: {}, now })
      const done: StoredCollection[] = [...plan.unchanged]
      for (const collection of plan.created) {
        const stored = await tx.collections.insert(collection, now)
        await log(tx, 'created', stored, author)
        done.push(stored)
      }
      return done
    },

    async finish(
      tx: Tx,
      prepared: readonly StoredCollection[],
      author: AuditActor,
    ): Promise<readonly StoredCollection[]> {
      const done: StoredCollection[] = []
      for (const stored of prepared) {
        const now = requirePending(await tx.collections.findForChange(stored.collection.name), stored)
        done.push(await activate(tx, now, author))
      }
      return done
    },
  }
}

const namesIn = ({ created, changed, deleted }: DefinitionPlan): string =>
  [
    created.map(({ name }) => name),
    changed.map(({ collection }) => collection.name),
    deleted.map(({ collection }) => collection.name),
  ].join(';')

const areEmpty = async (tx: Tx, { changed }: DefinitionPlan): Promise<boolean> => {
  for (const { stored } of changed) if ((await tx.collections.countRecords(stored)) > 0) return false
  return true
}

const abandonAll = (unitOfWork: UnitOfWork, prepared: readonly StoredCollection[]): Promise<void> =>
  unitOfWork.write(async (tx) => {
    for (const stored of prepared) {
      const now = await tx.collections.findForChange(stored.collection.name)
      if (now !== null && isStillPending(now, stored)) await tx.collections.abandon(now)
    }
  })

/** Carries out a plan. Records are prepared between the first unit and the last. */
export const createDefinitionChanges = ({ unitOfWork, clock, ...deps }: Deps) => {
  const build = createDefinitionBuilding({ unitOfWork, ...deps })
  const { prepare, start, finish } = createSteps(clock)
  const leases = createLeases(unitOfWork, clock)

  const buildAll = async (prepared: readonly StoredCollection[]): Promise<void> => {
    let misfits: Misfits = { count: 0, first: [] }
    const renew = leases.renewing(prepared)
    for (const stored of prepared) {
      const found = await build(stored, renew)
      const named = found.first.map((misfit) => ({ ...misfit, collection: stored.collection.name }))
      const first = [...misfits.first, ...named].slice(0, MAX_LISTED_MISFITS_COUNT)
      misfits = { count: misfits.count + found.count, first }
    }
    if (misfits.count > 0) throw doNotFit(misfits)
  }

  type Plan = (tx: Tx) => Promise<DefinitionPlan>

  const locked = async (tx: Tx, plan: Plan): Promise<DefinitionPlan> => {
    await tx.collections.findForChange(ALL_DEFINITIONS)
    return plan(tx)
  }

  const begin = (plan: Plan, author: AuditActor): Promise<Planned> =>
    unitOfWork.write(async (tx) => {
      const planned = await locked(tx, plan)
      const prepared: StoredCollection[] = []
      for (const change of planned.changed) prepared.push(await prepare(tx, change, leases.next()))
      const isEmpty = await areEmpty(tx, planned)
      if (!isEmpty && planned.changed.some(concernsRecords)) return { plan: planned, prepared, done: null }
      const done = await start(tx, planned, author)
      return { plan: planned, prepared, done: [...done, ...(await finish(tx, prepared, author))] }
    })

  const attempt = async (plan: Plan, author: AuditActor): Promise<Result> => {
    const begun = await begin(plan, author)
    if (begun.done !== null) return { plan: begun.plan, done: begun.done }
    try {
      await buildAll(begun.prepared)
      return await unitOfWork.write(async (tx) => {
        // Others may have changed what the plan relies on.
        const again = await locked(tx, plan)
        if (namesIn(again) !== namesIn(begun.plan)) throw definitionMismatch()
        const done = await start(tx, again, author)
        return { plan: again, done: [...done, ...(await finish(tx, begun.prepared, author))] }
      })
    } catch (error) {
      await abandonAll(unitOfWork, begun.prepared)
      throw error
    }
  }

  /**
   * Carries out a plan, which is made again in each unit that relies on it: in one unit if no record has to be read;
   * otherwise the first unit prepares the changes, and the last one makes all of them take effect.
   */
  return async (plan: Plan, author: AuditActor): Promise<Result> => {
    for (let count = 1; ; count++) {
      try {
        return await attempt(plan, author)
      } catch (error) {
        if (!(error instanceof NoLongerPending)) throw error
        if (error.isReplaced) throw definitionMismatch()
        if (count === MAX_ATTEMPTS_COUNT) {
          const message = 'Records are being written that do not fit this definition'
          throw new AppError('records_do_not_fit', message, { cause: error, misfits: { count: 1, first: [] } })
        }
      }
    }
  }
}
