import { SERVER_ORIGIN } from '../domain/audit.ts'
import type { Collection } from '../domain/collection.ts'
import { AppError } from '../domain/errors.ts'
import type { Catalog } from './catalog.ts'
import type { createDefinitionChanges } from './definition-changes.ts'
import { abandonUnfinished } from './definition-leases.ts'
import type { createDefinitionPlanner, DefinitionPlan, GivenDefinition } from './definition-plan.ts'
import type { DefinitionFault } from './definition-relations.ts'
import type { StoredCollection } from './ports/collections.ts'
import type { ReadTx, Tx, UnitOfWork } from './ports/persistence.ts'
import type { Clock } from './ports/system.ts'

/** The effect of applying definitions, by the names of the collections. */
export interface AppliedDefinitions {
  readonly created: readonly string[]
  readonly changed: readonly string[]
  readonly deleted: readonly string[]
}

/** Definitions from files, and what is left of definitions that were being prepared. */
export interface DefinitionMaintenance {
  /**
   * Makes the database have these definitions, all or none of them. With `prune`, deletes empty collections that are not
   * among them. With `check`, only says what it would do, without looking at records. For the command line and files: not
   * refused by `managed`. Throws `validation_failed` and `collection_built_in` with the faults of all definitions,
   * `not_empty` with every collection that cannot be deleted, and `records_do_not_fit`.
   */
  apply(
    given: readonly GivenDefinition[],
    options: { readonly prune: boolean; readonly check: boolean },
  ): Promise<AppliedDefinitions>
  /** Every collection, those defined in code first. */
  all(): Promise<readonly Collection[]>
  /**
   * Abandons definitions that a process was preparing when it ended; with `isAlone`, because no other process uses the
   * database, without waiting for its lease to expire.
   */
  abandonUnfinished(options: { readonly isAlone: boolean }): Promise<void>
}

interface Deps {
  readonly catalog: Catalog
  readonly unitOfWork: UnitOfWork
  readonly clock: Clock
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
export const createMaintenance = (
  { catalog, unitOfWork, clock }: Deps,
  planOf: ReturnType<typeof createDefinitionPlanner>,
  carryOut: ReturnType<typeof createDefinitionChanges>,
): DefinitionMaintenance => ({
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
    const planned = check ? await unitOfWork.read(plan) : (await carryOut(lockedPlan, SERVER_ORIGIN)).plan
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

  abandonUnfinished: ({ isAlone }) => abandonUnfinished(unitOfWork, clock, isAlone),
})
