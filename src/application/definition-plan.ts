import { type Collection, referencesOf } from '../domain/collection.ts'
import {
  type DefinitionDraft,
  definitionOf,
  formatDefinition,
  MAX_COLLECTIONS_COUNT,
  parseDefinition,
} from '../domain/definition.ts'
import { AppError, type Fault } from '../domain/errors.ts'
import { isEqualJson, type JsonObject } from '../domain/merge-patch.ts'
import type { CompiledPatterns } from './definition-patterns.ts'
import { createRelationFaults, type DefinitionFault } from './definition-relations.ts'
import type { CompileExpression, CompilePattern, StoredCollection } from './ports/collections.ts'

/** The desired definition of a collection. */
export interface GivenDefinition {
  readonly name: string
  readonly definition: JsonObject
  /** A JSON Patch (RFC 6902) for existing records; null if they keep their form. */
  readonly transform: readonly JsonObject[] | null
  /**
   * Faults of the text that it was read from, or of the transform. If there are any but no definition, it is not examined
   * further.
   */
  readonly faults?: readonly Fault[]
  /** Patterns of the definition that have been compiled already. */
  readonly patterns?: CompiledPatterns
}

export interface DefinitionChange {
  readonly stored: StoredCollection
  readonly collection: Collection
  readonly transform: readonly JsonObject[] | null
}

/** The steps after which the database has the given definitions. */
export interface DefinitionPlan {
  readonly created: readonly Collection[]
  readonly changed: readonly DefinitionChange[]
  readonly unchanged: readonly StoredCollection[]
  readonly deleted: readonly StoredCollection[]
}

interface Deps {
  /** Those defined in code. */
  readonly collections: readonly Collection[]
  readonly compilePattern: CompilePattern
  readonly compileExpression: CompileExpression
}

const BUILT_IN = 'This collection is built in: its definition cannot be changed'

/** Thrown for definitions that cannot be used. */
const definitionFaults = (faults: readonly DefinitionFault[]): AppError => {
  const isBuiltIn = faults.every(({ detail }) => detail === BUILT_IN)
  const code = isBuiltIn ? 'collection_built_in' : 'validation_failed'
  return new AppError(code, isBuiltIn ? BUILT_IN : 'The definition cannot be used', { faults })
}

/** Faults of definitions that were not given come last. */
const inOrderOf = (given: readonly GivenDefinition[], faults: readonly DefinitionFault[]) => {
  const names = new Map(given.map(({ name }, index) => [name, index]))
  const placeOf = ({ name }: DefinitionFault) => names.get(name) ?? given.length
  return faults.toSorted((one, other) => placeOf(one) - placeOf(other))
}

type Examined =
  | { readonly given: GivenDefinition; readonly collection: Collection }
  | {
      readonly given: GivenDefinition
      readonly faults: readonly DefinitionFault[]
      /** Null if there is nothing else to examine. */
      readonly draft: DefinitionDraft | null
    }

export const createDefinitionPlanner = ({ collections, compilePattern, compileExpression }: Deps) => {
  /** A collection, or why there is none. One that is built in may be given as it is exported. */
  const examine = (given: GivenDefinition): Examined => {
    const { name, definition, transform, faults = [], patterns } = given
    const refuse = (all: readonly Fault[], draft: DefinitionDraft | null = null) => ({
      ...{ given, draft },
      faults: all.map((fault) => ({ ...fault, name })),
    })
    if (faults.length > 0 && Object.keys(definition).length === 0) return refuse(faults)
    const builtIn = collections.find((collection) => collection.name === name)
    if (builtIn !== undefined) {
      const isExported = transform === null && isEqualJson(definition, JSON.parse(formatDefinition(builtIn)))
      return refuse(isExported ? faults : [...faults, { pointer: '', detail: BUILT_IN }])
    }
    const parsed = parseDefinition({ ...definition, name }, (source) => patterns?.get(source) ?? compilePattern(source))
    const collection = 'draft' in parsed ? parsed.draft : parsed.collection
    const isOther = Object.hasOwn(definition, 'name') && definition.name !== name
    const all = [
      ...faults,
      ...(isOther ? [{ pointer: '/name', detail: 'Expected the name in the path' }] : []),
      ...('faults' in parsed ? parsed.faults : []),
    ]
    if (all.length === 0) return { given, collection }
    const isFaulty = 'isFaulty' in parsed ? parsed.isFaulty : () => false
    return refuse(all, { draft: { ...collection, name }, isFaulty })
  }

  const faultsAmong = createRelationFaults(compileExpression)

  const refuseDeletion = (deleted: readonly StoredCollection[], remaining: readonly Collection[]): void => {
    for (const { collection } of deleted) {
      const referring = remaining.find((other) => referencesOf(other).some(({ target }) => target === collection.name))
      if (referring === undefined) continue
      throw new AppError('referenced', `The collection ${referring.name} refers to ${collection.name}`)
    }
  }

  /** Throws `validation_failed` with the faults of all definitions, `collection_built_in`, `referenced`. */
  return (
    given: readonly GivenDefinition[],
    existing: readonly StoredCollection[],
    deleted: readonly StoredCollection[],
  ): DefinitionPlan => {
    const examined = given.map(examine)
    const next = examined.flatMap((each) => ('collection' in each ? [each] : []))
    const faulty = examined.flatMap((each) => ('faults' in each && each.faults.length > 0 ? [each] : []))
    const removed = new Set(deleted.map(({ collection }) => collection.name))
    const remaining = existing.filter(({ collection }) => !removed.has(collection.name))
    const all = new Map(
      [
        ...collections,
        ...remaining.map(({ collection }) => collection),
        ...next.map(({ collection }) => collection),
      ].map((each) => [each.name, each]),
    )
    const among = faultsAmong(
      next.map(({ collection }) => collection),
      all,
      faulty.map((each) => each.given.name),
      faulty.flatMap(({ draft }) => draft ?? []),
    )
    const faults = [...faulty.flatMap((each) => each.faults), ...among]
    if (faults.length > 0) throw definitionFaults(inOrderOf(given, faults))
    const pending = remaining.flatMap((stored) => stored.pending?.collection ?? [])
    refuseDeletion(deleted, [...all.values(), ...pending])
    if (all.size - collections.length > MAX_COLLECTIONS_COUNT) {
      throw new AppError('validation_failed', `There can be at most ${MAX_COLLECTIONS_COUNT} collections`)
    }
    const storedNamed = new Map(remaining.map((stored) => [stored.collection.name, stored]))
    const isSame = (stored: StoredCollection, collection: Collection): boolean =>
      isEqualJson(definitionOf(stored.collection), definitionOf(collection))
    const plan = { created: [] as Collection[], changed: [] as DefinitionChange[], unchanged: [] as StoredCollection[] }
    for (const {
      collection,
      given: { transform },
    } of next) {
      const stored = storedNamed.get(collection.name)
      if (stored === undefined) plan.created.push(collection)
      else if (transform === null && isSame(stored, collection)) plan.unchanged.push(stored)
      else plan.changed.push({ stored, collection, transform })
    }
    return { ...plan, deleted }
  }
}

/** Whether existing records must be checked, or stored in other indexes, before a definition takes effect. */
export const concernsRecords = ({ stored, collection, transform }: DefinitionChange): boolean => {
  const parts = ({ schema, indexes, search }: JsonObject): JsonObject => ({
    schema: schema ?? null,
    indexes: indexes ?? null,
    search: search ?? null,
  })
  return transform !== null || !isEqualJson(parts(definitionOf(stored.collection)), parts(definitionOf(collection)))
}
