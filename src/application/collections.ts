import type { Collection } from '../domain/collection.ts'
import { definitionOf } from '../domain/definition.ts'
import { AppError, notFound } from '../domain/errors.ts'
import type { JsonObject } from '../domain/merge-patch.ts'
import type { Actor, Principal } from '../domain/session.ts'
import type { Instant } from '../domain/user.ts'
import { requireActiveActor, requireAdmin } from './access.ts'
import { type Author, createDefinitionChanges, definitionMismatch, SYSTEM } from './definition-changes.ts'
import { createDefinitionPlanner, type DefinitionPlan, type GivenDefinition } from './definition-plan.ts'
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

/** A collection as an admin sees it. Those defined in code have the version 1 and no times. */
export interface DescribedCollection {
  readonly collection: Collection
  readonly definition: JsonObject
  /** How many records it has. */
  readonly records: number
  readonly version: number
  readonly epoch: string
  readonly createdAt: Instant | null
  readonly updatedAt: Instant | null
}

/** A change of one definition. */
export interface PutDefinition {
  readonly definition: JsonObject
  readonly transform: readonly JsonObject[] | null
  readonly expected: Expected
  /** Throws `version_mismatch` if the collection exists. */
  readonly mustBeNew: boolean
}

/** What applying definitions does, by the names of the collections. */
export interface AppliedDefinitions {
  readonly created: readonly string[]
  readonly changed: readonly string[]
  readonly deleted: readonly string[]
}

/** Defines collections. Only admins may; all methods with an actor throw `forbidden` for others. */
export interface Collections {
  /** All of them, in the order of their names, without counting records. */
  names(actor: Principal): Promise<readonly string[]>
  /** Throws `not_found`. */
  get(actor: Principal, name: string): Promise<DescribedCollection>
  /**
   * Creates a collection or changes its definition. If records exist, they are checked first, in short steps; a change
   * takes effect for all of them at once. Throws `validation_failed` with every fault, `records_do_not_fit` with the
   * records that do not fit, `version_mismatch`, `collection_built_in`, `managed_by_files`. Then nothing has changed.
   */
  put(
    actor: Actor,
    name: string,
    change: PutDefinition,
  ): Promise<{ readonly described: DescribedCollection; readonly created: boolean }>
  /**
   * Deletes a collection that is empty or has exactly `records` records, which are deleted too. Throws `not_empty`,
   * `referenced` if another collection refers to it, and what {@link put} throws.
   */
  remove(
    actor: Actor,
    name: string,
    condition: { readonly expected: Expected; readonly records: number | null },
  ): Promise<void>
  /**
   * Makes the database have these definitions, all or none of them. With `prune`, deletes empty collections that are not
   * among them. With `check`, only says what it would do. For the command line and files: not refused by `managed`.
   */
  apply(
    given: readonly GivenDefinition[],
    options: { readonly prune: boolean; readonly check: boolean },
  ): Promise<AppliedDefinitions>
  /** Every collection, those defined in code first. */
  all(): Promise<readonly Collection[]>
}

interface Deps {
  /** Those defined in code. */
  readonly collections: readonly Collection[]
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

export const createCollections = (deps: Deps): Collections => {
  const { collections, unitOfWork, clock, managed } = deps
  const planOf = createDefinitionPlanner(deps)
  const carryOut = createDefinitionChanges(deps)

  const describe = async (tx: ReadTx, stored: StoredCollection): Promise<DescribedCollection> => {
    const { collection, version, epoch, createdAt, updatedAt } = stored
    const records = await tx.collections.countRecords(stored)
    return { collection, definition: definitionOf(collection), records, version, epoch, createdAt, updatedAt }
  }

  const describeBuiltIn = async (tx: ReadTx, collection: Collection): Promise<DescribedCollection> => ({
    collection,
    definition: definitionOf(collection),
    records: await tx.collections.countRecords(collection.name),
    version: 1,
    epoch: tx.epochs.current,
    createdAt: null,
    updatedAt: null,
  })

  const get = async (tx: ReadTx, name: string): Promise<DescribedCollection> => {
    const builtIn = collections.find((collection) => collection.name === name)
    if (builtIn !== undefined) return describeBuiltIn(tx, builtIn)
    const stored = await tx.collections.find(name)
    if (stored === null) throw notFound('Collection')
    return describe(tx, stored)
  }

  const requireOwnDefinitions = (): void => {
    if (managed) throw new AppError('managed_by_files', 'Definitions come from files: change them there')
  }

  const authorize = (actor: Actor) => async (tx: Tx) => requireAdmin(await requireActiveActor(tx, actor, clock.now()))

  const authorOf = ({ userId, requestId }: Actor): Author => ({ actorId: userId, requestId })

  return {
    async names(actor) {
      requireAdmin(actor)
      const stored = await unitOfWork.read((tx) => tx.collections.all())
      return [...collections.map(({ name }) => name), ...stored.map(({ collection }) => collection.name)].sort()
    },

    async get(actor, name) {
      requireAdmin(actor)
      return unitOfWork.read((tx) => get(tx, name))
    },

    async put(actor, name, { definition, transform, expected, mustBeNew }) {
      requireAdmin(actor)
      requireOwnDefinitions()
      const plan = async (tx: Tx): Promise<DefinitionPlan> => {
        await authorize(actor)(tx)
        checkVersion(await tx.collections.findForChange(name), expected, mustBeNew)
        return planOf([{ name, definition, transform }], await tx.collections.all(), [])
      }
      const { plan: planned, done } = await carryOut(plan, authorOf(actor), authorize(actor))
      const [stored] = done
      if (stored === undefined) throw new Error('a definition was put, and there is none')
      const described = await unitOfWork.read((tx) => describe(tx, stored))
      return { described, created: planned.created.length > 0 }
    },

    async remove(actor, name, { expected, records }) {
      requireAdmin(actor)
      requireOwnDefinitions()
      if (collections.some((collection) => collection.name === name)) {
        throw new AppError('collection_built_in', `The collection ${name} is built in`)
      }
      const plan = async (tx: Tx): Promise<DefinitionPlan> => {
        await authorize(actor)(tx)
        const stored = await tx.collections.findForChange(name)
        if (stored === null) throw notFound('Collection')
        checkVersion(stored, expected, false)
        const count = await tx.collections.countRecords(stored)
        if (count !== (records ?? 0)) {
          throw new AppError('not_empty', `The collection has ${count} records: state that with ?records=${count}`)
        }
        return planOf([], await tx.collections.all(), [stored])
      }
      await carryOut(plan, authorOf(actor), authorize(actor))
    },

    async apply(given, { prune, check }) {
      const plan = async (tx: Tx): Promise<DefinitionPlan> => {
        const existing = await tx.collections.all()
        const names = new Set(given.map(({ name }) => name))
        const deleted = prune ? existing.filter(({ collection }) => !names.has(collection.name)) : []
        for (const stored of deleted) {
          const count = await tx.collections.countRecords(stored)
          if (count > 0) throw new AppError('not_empty', `${stored.collection.name} has ${count} records`)
        }
        return planOf(given, existing, deleted)
      }
      const nothing = async () => {}
      const planned = check ? await unitOfWork.write(plan) : (await carryOut(plan, SYSTEM, nothing)).plan
      return {
        created: planned.created.map(({ name }) => name),
        changed: planned.changed.map(({ collection }) => collection.name),
        deleted: planned.deleted.map(({ collection }) => collection.name),
      }
    },

    async all() {
      const stored = await unitOfWork.read((tx) => tx.collections.all())
      return [...collections, ...stored.map(({ collection }) => collection)]
    },
  }
}
