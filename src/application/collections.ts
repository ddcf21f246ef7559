import type { Collection } from '../domain/collection.ts'
import { AppError, notFound } from '../domain/errors.ts'
import type { JsonObject } from '../domain/merge-patch.ts'
import type { Page, PageRequest } from '../domain/page.ts'
import type { Actor, Principal } from '../domain/session.ts'
import { requireActiveActor, requireAdmin } from './access.ts'
import type { Catalog } from './catalog.ts'
import { type CollectionDetails, createDescriptions } from './collection-details.ts'
import { type Author, createDefinitionChanges, definitionMismatch, SYSTEM } from './definition-changes.ts'
import {
  createDefinitionPlanner,
  type DefinitionFault,
  type DefinitionPlan,
  type GivenDefinition,
} from './definition-plan.ts'
import type {
  ApplyPatch,
  CompileExpression,
  CompilePattern,
  CompileValidator,
  StoredCollection,
} from './ports/collections.ts'
import type { ReadTx, Tx, UnitOfWork } from './ports/persistence.ts'
import type { Clock } from './ports/system.ts'
import type { Expected } from './records.ts'

export type { CollectionDetails } from './collection-details.ts'

export interface PutOptions {
  /** The versions that may be replaced; null for any. */
  readonly expected: Expected
  /** Whether there must be no such collection yet (`If-None-Match: *`). */
  readonly mustNotExist?: boolean
  /** A JSON Patch (RFC 6902) that every record goes through before it is checked against the definition. */
  readonly transform?: readonly JsonObject[] | null
}

export interface RemoveOptions {
  readonly expected: Expected
  /** How many records may be deleted with it; without it, the collection must be empty. */
  readonly records?: number
}

export interface PutResult {
  readonly details: CollectionDetails
  readonly isNew: boolean
}

/** What applying definitions does, by the names of the collections. */
export interface AppliedDefinitions {
  readonly created: readonly string[]
  readonly changed: readonly string[]
  readonly deleted: readonly string[]
}

/** The definitions of collections. All methods with an actor throw `forbidden` unless they are an admin. */
export interface Collections {
  /** Those defined in code included. */
  list(principal: Principal, query: PageRequest<'name'>): Promise<Page<CollectionDetails>>
  /** Throws `not_found`. */
  get(principal: Principal, name: string): Promise<CollectionDetails>
  /**
   * Creates a collection, or replaces its definition once every record fits the new one. The same definition keeps its
   * version. Takes as long as checking every record does, and delays nobody else; until then, records are read and
   * written under the present definition. A record that is written meanwhile and does not fit is one of the misfits.
   *
   * Throws `validation_failed` with every fault of the definition, `version_mismatch` (also if the definition was changed
   * meanwhile), `collection_built_in`, `managed_by_files`, and `records_do_not_fit` with the number of misfits and the
   * faults of the first ten, if a record does not fit the definition or another one with the same unique values; nothing
   * changes then.
   */
  put(actor: Actor, name: string, definition: JsonObject, options: PutOptions): Promise<PutResult>
  /**
   * Deletes a collection and its records. Throws `not_found`, `version_mismatch`, `collection_built_in`,
   * `managed_by_files`, `referenced` if another collection references it, and `not_empty` unless `records` is the exact
   * number of its records.
   */
  remove(actor: Actor, name: string, options: RemoveOptions): Promise<void>
  /**
   * Makes the database have these definitions, all or none of them. With `prune`, deletes empty collections that are not
   * among them. With `check`, only says what it would do, without looking at records. For the command line and files: not
   * refused by `managed`. Throws `validation_failed` and `collection_built_in` with the faults of all definitions,
   * `not_empty` with every collection that cannot be deleted, and what {@link put} throws.
   */
  apply(
    given: readonly GivenDefinition[],
    options: { readonly prune: boolean; readonly check: boolean },
  ): Promise<AppliedDefinitions>
  /** Every collection, those defined in code first. */
  all(): Promise<readonly Collection[]>
  /** Abandons definitions that a process was preparing when it ended. Call it before this process serves. */
  abandonUnfinished(): Promise<void>
}

interface Deps {
  readonly catalog: Catalog
  readonly unitOfWork: UnitOfWork
  readonly clock: Clock
  readonly compilePattern: CompilePattern
  readonly compileExpression: CompileExpression
  readonly compileValidator: CompileValidator
  readonly applyPatch: ApplyPatch
  /** Whether definitions come from files, and cannot be changed by {@link Collections.put}. */
  readonly managed: boolean
}

const checkVersion = (stored: StoredCollection | null, expected: Expected, mustBeNew: boolean): void => {
  if (mustBeNew && stored !== null) throw new AppError('version_mismatch', 'The collection exists already')
  if (expected === null) return
  const isExpected =
    stored !== null &&
    expected.some(({ version, epoch }) => version === stored.version && (epoch === null || epoch === stored.epoch))
  if (!isExpected) throw definitionMismatch()
}

/** Throws `not_empty` with a fault for each that has records. */
const requireEmpty = async (tx: Pick<ReadTx, 'collections'>, deleted: readonly StoredCollection[]): Promise<void> => {
  const faults: DefinitionFault[] = []
  for (const stored of deleted) {
    const { name } = stored.collection
    const count = await tx.collections.countRecords(stored)
    if (count > 0)
      faults.push({ name, pointer: '', detail: `The collection ${name} has records (${count}), so it is not deleted` })
  }
  if (faults.length > 0) throw new AppError('not_empty', 'Only empty collections can be deleted', { faults })
}

/** Definitions from files, and what a process has left that ended while it prepared one. */
const createMaintenance = (
  { catalog, unitOfWork }: Pick<Deps, 'catalog' | 'unitOfWork'>,
  planOf: ReturnType<typeof createDefinitionPlanner>,
  carryOut: ReturnType<typeof createDefinitionChanges>,
): Pick<Collections, 'apply' | 'all' | 'abandonUnfinished'> => ({
  async apply(given, { prune, check }) {
    const names = new Set(given.map(({ name }) => name))
    const plan = async (tx: Pick<ReadTx, 'collections'>): Promise<DefinitionPlan> => {
      const existing = await tx.collections.all()
      const deleted = prune ? existing.filter(({ collection }) => !names.has(collection.name)) : []
      const planned = planOf(given, existing, deleted)
      await requireEmpty(tx, deleted)
      return planned
    }
    const lockedPlan = async (tx: Tx): Promise<DefinitionPlan> => {
      const planned = await plan(tx)
      if (planned.deleted.length === 0) return planned
      // Nobody adds records to what is counted.
      for (const { collection } of planned.deleted) await tx.collections.findForChange(collection.name)
      return plan(tx)
    }
    const planned = check ? await unitOfWork.read(plan) : (await carryOut(lockedPlan, SYSTEM)).plan
    return {
      created: planned.created.map(({ name }) => name),
      changed: planned.changed.map(({ collection }) => collection.name),
      deleted: planned.deleted.map(({ collection }) => collection.name),
    }
  },

  async all() {
    const stored = await unitOfWork.read((tx) => tx.collections.all())
    return [...catalog.builtIn, ...stored.map(({ collection }) => collection)]
  },

  async abandonUnfinished() {
    const stored = await unitOfWork.read((tx) => tx.collections.all())
    for (const { collection } of stored.filter(({ pending }) => pending !== null)) {
      await unitOfWork.write(async (tx) => {
        const now = await tx.collections.findForChange(collection.name)
        if (now !== null && now.pending !== null) await tx.collections.abandon(now)
      })
    }
  },
})

export const createCollections = (deps: Deps): Collections => {
  const { catalog, unitOfWork, clock, managed } = deps
  const planOf = createDefinitionPlanner({ ...deps, collections: catalog.builtIn })
  const carryOut = createDefinitionChanges(deps)
  const descriptions = createDescriptions(deps)

  const requireChangeable = (name: string): void => {
    if (catalog.builtIn.some((collection) => collection.name === name)) {
      throw new AppError('collection_built_in', `The collection ${name} is built in`)
    }
    if (managed) throw new AppError('managed_by_files', 'Definitions come from files: change them there')
  }

  const requireAdminNow = async (tx: Tx, actor: Actor): Promise<void> =>
    requireAdmin(await requireActiveActor(tx, actor, clock.now()))

  const authorOf = ({ userId, requestId }: Actor): Author => ({ actorId: userId, requestId })

  return {
    ...createMaintenance({ catalog, unitOfWork }, planOf, carryOut),

    async list(principal, query) {
      requireAdmin(principal)
      return descriptions.list(query)
    },

    async get(principal, name) {
      requireAdmin(principal)
      return descriptions.get(name)
    },

    async put(actor, name, definition, { expected, mustNotExist = false, transform = null }) {
      requireAdmin(actor)
      requireChangeable(name)
      const plan = async (tx: Tx): Promise<DefinitionPlan> => {
        await requireAdminNow(tx, actor)
        checkVersion(await tx.collections.findForChange(name), expected, mustNotExist)
        return planOf([{ name, definition, transform }], await tx.collections.all(), [])
      }
      const { plan: planned, done } = await carryOut(plan, authorOf(actor))
      const [stored] = done
      if (stored === undefined) throw new Error('a definition was put, and there is none')
      return { details: await descriptions.describe(stored), isNew: planned.created.length > 0 }
    },

    async remove(actor, name, { expected, records = 0 }) {
      requireAdmin(actor)
      requireChangeable(name)
      const plan = async (tx: Tx): Promise<DefinitionPlan> => {
        await requireAdminNow(tx, actor)
        const stored = await tx.collections.findForChange(name)
        if (stored === null) throw notFound('Collection')
        checkVersion(stored, expected, false)
        const planned = planOf([], await tx.collections.all(), [stored])
        const count = await tx.collections.countRecords(stored)
        if (count !== records) {
          throw new AppError(
            'not_empty',
            `The collection has ${count} records: to delete them too, give records=${count}`,
          )
        }
        return planned
      }
      await carryOut(plan, authorOf(actor))
    },
  }
}
