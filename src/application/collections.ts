import type { Collection } from '../domain/collection.ts'
import { FIRST_EPOCH } from '../domain/epoch.ts'
import { AppError, notFound } from '../domain/errors.ts'
import type { Json, JsonObject } from '../domain/merge-patch.ts'
import { isCounted, type Page, type PageRequest, skippedRowCount } from '../domain/page.ts'
import type { Caller, Principal } from '../domain/session.ts'
import { parseTransform } from '../domain/transform.ts'
import type { Instant } from '../domain/user.ts'
import { requireActiveActor, requireAdmin } from './access.ts'
import type { Catalog } from './catalog.ts'
import { createMaintenance, type DefinitionMaintenance } from './definition-applying.ts'
import { createDefinitionChanges, definitionMismatch } from './definition-changes.ts'
import { createPatternCompiling } from './definition-patterns.ts'
import { createDefinitionPlanner, type DefinitionPlan, type GivenDefinition } from './definition-plan.ts'
import type {
  ApplyPatch,
  CompileExpression,
  CompilePattern,
  CompileValidator,
  StoredCollection,
} from './ports/collections.ts'
import type { ReadTx, Tx, UnitOfWork } from './ports/persistence.ts'
import type { Clock, EventLoopSlices } from './ports/system.ts'
import type { Expected } from './records.ts'

/** A collection as admins see it. */
export interface CollectionDetails {
  readonly collection: Collection
  /** Whether it is defined in code, and cannot be changed. */
  readonly isBuiltIn: boolean
  /** 1 for one defined in code. */
  readonly version: number
  readonly epoch: string
  /** Null for one defined in code. */
  readonly createdAt: Instant | null
  readonly updatedAt: Instant | null
  /** The number of its records. */
  readonly records: number
}

export interface PutOptions {
  /** The versions that may be replaced; null for any. */
  readonly expected: Expected
  /** Whether there must be no such collection yet (`If-None-Match: *`). */
  readonly mustNotExist?: boolean
  /** Whether there must be such a collection already (`If-Match: *`). */
  readonly mustExist?: boolean
  /** A JSON Patch (RFC 6902) that every record goes through before it is checked against the definition. */
  readonly transform?: Json
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

/** The definitions of collections. All methods with an actor throw `forbidden` unless they are an admin. */
export interface Collections extends DefinitionMaintenance {
  /** Those defined in code included. */
  list(principal: Principal, query: PageRequest<'name'>): Promise<Page<CollectionDetails>>
  /** Throws `not_found`. */
  get(principal: Principal, name: string): Promise<CollectionDetails>
  /**
   * Throws `validation_failed` with every fault of a definition among the others and of its transform, and
   * `collection_built_in`. Records are not checked, and nothing changes.
   */
  check(principal: Principal, name: string, definition: JsonObject, transform?: Json): Promise<void>
  /**
   * Creates a collection, or replaces its definition once every record fits the new one. The same definition keeps its
   * version. Takes as long as checking every record does, and delays nobody else; until then, records are read and
   * written under the current definition. A record that is written meanwhile and does not fit is one of the misfits.
   *
   * Throws `validation_failed` with every fault of the definition, `version_mismatch` (also if the definition was changed
   * meanwhile), `collection_built_in`, `managed_by_files`, and `records_do_not_fit` with the number of misfits and the
   * faults of the first ten, if a record does not fit the definition or another one with the same unique values; nothing
   * changes then.
   */
  put(actor: Caller, name: string, definition: JsonObject, options: PutOptions): Promise<PutResult>
  /**
   * Deletes a collection and its records. Throws `not_found`, `version_mismatch`, `collection_built_in`,
   * `managed_by_files`, `referenced` if another collection references it, and `not_empty` unless `records` is the exact
   * number of its records.
   */
  remove(actor: Caller, name: string, options: RemoveOptions): Promise<void>
}

interface Deps {
  readonly catalog: Catalog
  readonly unitOfWork: UnitOfWork
  readonly clock: Clock
  readonly slices: EventLoopSlices
  readonly compilePattern: CompilePattern
  readonly compileExpression: CompileExpression
  readonly compileValidator: CompileValidator
  readonly maxRecordBytes: number
  readonly applyPatch: ApplyPatch
  /** Whether definitions come from files, and cannot be changed by {@link Collections.put}. */
  readonly managed: boolean
}

/** In any form: only the definition counts, not what is shown with it. */
const checkVersion = (stored: StoredCollection | null, expected: Expected): void => {
  if (expected === null) return
  const isExpected =
    stored !== null &&
    expected.some(({ version, epoch }) => version === stored.version && (epoch === null || epoch === stored.epoch))
  if (!isExpected) throw definitionMismatch()
}

const checkExistence = (
  stored: StoredCollection | null,
  { mustNotExist = false, mustExist = false }: Pick<PutOptions, 'mustNotExist' | 'mustExist'>,
): void => {
  if (mustNotExist && stored !== null) throw new AppError('version_mismatch', 'The collection already exists')
  if (mustExist && stored === null) throw new AppError('version_mismatch', 'The collection does not exist yet')
}

const parsedTransform = (transform?: Json): Pick<GivenDefinition, 'transform' | 'faults'> => {
  if (transform === undefined) return { transform: null }
  const parsed = parseTransform(transform)
  return 'faults' in parsed ? { transform: null, ...parsed } : parsed
}

const byName = (one: { readonly name: string }, other: { readonly name: string }): number =>
  one.name < other.name ? -1 : 1

interface Known {
  readonly name: string
  readonly collection: Collection
  readonly stored: StoredCollection | null
}

/** Reads definitions for admins. */
const createDescriptions = ({ catalog, unitOfWork }: Pick<Deps, 'catalog' | 'unitOfWork'>) => {
  const describe = async (tx: ReadTx, { collection, stored }: Omit<Known, 'name'>): Promise<CollectionDetails> => ({
    collection,
    isBuiltIn: stored === null,
    version: stored?.version ?? 1,
    epoch: stored?.epoch ?? FIRST_EPOCH,
    createdAt: stored?.createdAt ?? null,
    updatedAt: stored?.updatedAt ?? null,
    records: await tx.collections.countRecords(stored ?? collection.name),
  })

  const builtIn: readonly Known[] = catalog.builtIn.map((collection) => ({
    name: collection.name,
    collection,
    stored: null,
  }))

  const find = async (tx: ReadTx, name: string): Promise<CollectionDetails> => {
    const known = builtIn.find((each) => each.name === name)
    if (known !== undefined) return describe(tx, known)
    const stored = await tx.collections.find(name)
    if (stored === null) throw notFound('Collection')
    return describe(tx, stored && { collection: stored.collection, stored })
  }

  /** There are few enough to sort them all. */
  const list = async (tx: ReadTx, query: PageRequest<'name'>): Promise<Page<CollectionDetails>> => {
    const { size, sort, from } = query
    const stored = (await tx.collections.all()).map((each) => ({
      name: each.collection.name,
      collection: each.collection,
      stored: each,
    }))
    const sorted = [...builtIn, ...stored].sort(byName)
    if (sort.descending) sorted.reverse()
    const isAfter = ({ name }: Known, key: string) => (sort.descending ? name < key : name > key)
    const rest =
      'after' in from
        ? sorted.filter((each) => isAfter(each, String(from.after.key)))
        : sorted.slice(skippedRowCount(query))
    const page = rest.slice(0, size)
    const items: CollectionDetails[] = []
    for (const each of page) items.push(await describe(tx, each))
    const last = page.at(-1)
    return {
      items,
      total: isCounted(query) ? sorted.length : null,
      next: last === undefined || rest.length <= size ? null : { key: last.name, id: last.stored?.id ?? 0 },
    }
  }

  return {
    describe: (stored: StoredCollection) =>
      unitOfWork.read((tx) => describe(tx, { collection: stored.collection, stored })),
    get: (name: string) => unitOfWork.read((tx) => find(tx, name)),
    list: (query: PageRequest<'name'>) => unitOfWork.read((tx) => list(tx, query)),
  }
}

export const createCollections = (deps: Deps): Collections => {
  const { catalog, unitOfWork, clock, managed } = deps
  const planOf = createDefinitionPlanner({ ...deps, collections: catalog.builtIn })
  const carryOut = createDefinitionChanges(deps)
  const descriptions = createDescriptions(deps)
  const compilePatterns = createPatternCompiling(deps.compilePattern, deps.slices)

  const givenDefinition = async (name: string, definition: JsonObject, transform?: Json): Promise<GivenDefinition> => ({
    ...{ name, definition },
    ...parsedTransform(transform),
    patterns: await compilePatterns(definition),
  })

  const requireNotBuiltIn = (name: string): void => {
    if (catalog.builtIn.some((collection) => collection.name === name)) {
      throw new AppError('collection_built_in', `The collection ${name} is built in`)
    }
  }

  const requireChangeable = (name: string): void => {
    requireNotBuiltIn(name)
    if (managed) throw new AppError('managed_by_files', 'Definitions come from files: change them there')
  }

  const requireAdminNow = async (tx: Tx, actor: Caller): Promise<void> =>
    requireAdmin(await requireActiveActor(tx, actor, clock.now()))

  return {
    ...createMaintenance({ catalog, unitOfWork, clock }, planOf, carryOut),

    async list(principal, query) {
      requireAdmin(principal)
      return descriptions.list(query)
    },

    async get(principal, name) {
      requireAdmin(principal)
      return descriptions.get(name)
    },

    async check(principal, name, definition, transform) {
      requireAdmin(principal)
      requireNotBuiltIn(name)
      const given = await givenDefinition(name, definition, transform)
      await unitOfWork.read(async (tx) => planOf([given], await tx.collections.all(), []))
    },

    async put(actor, name, definition, { expected, transform, ...existence }) {
      requireAdmin(actor)
      requireChangeable(name)
      const given = await givenDefinition(name, definition, transform)
      const plan = async (tx: Tx): Promise<DefinitionPlan> => {
        await requireAdminNow(tx, actor)
        const stored = await tx.collections.findForChange(name)
        checkExistence(stored, existence)
        checkVersion(stored, expected)
        return planOf([given], await tx.collections.all(), [])
      }
      const { plan: planned, done } = await carryOut(plan, actor)
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
        checkVersion(stored, expected)
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
      await carryOut(plan, actor)
    },
  }
}
