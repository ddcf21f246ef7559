import { type Collection, RULE_NAMES, referencesOf, rulesOf } from '../domain/collection.ts'
import { definitionOf, MAX_COLLECTIONS_COUNT, parseDefinition, relationFaultsOf } from '../domain/definition.ts'
import { AppError, type Fault } from '../domain/errors.ts'
import { isEqualJson, type JsonObject } from '../domain/merge-patch.ts'
import { describeFault } from './catalog.ts'
import type { CompileExpression, CompilePattern, StoredCollection } from './ports/collections.ts'

/** A definition that a collection is to have. */
export interface GivenDefinition {
  readonly name: string
  readonly definition: JsonObject
  /** A JSON Patch (RFC 6902) for existing records; null if they keep their form. */
  readonly transform: readonly JsonObject[] | null
}

export interface DefinitionChange {
  readonly stored: StoredCollection
  readonly collection: Collection
  readonly transform: readonly JsonObject[] | null
}

/** What has to be done so that the database has the given definitions. */
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

/** A fault of one of several definitions. */
export interface DefinitionFault extends Fault {
  readonly name: string
}

/** Thrown for definitions that cannot be used. */
export const definitionFaults = (faults: readonly DefinitionFault[]): AppError =>
  new AppError('validation_failed', 'The definition cannot be used', { faults })

export const createDefinitionPlanner = ({ collections, compilePattern, compileExpression }: Deps) => {
  const ruleFaults = (collection: Collection, all: ReadonlyMap<string, Collection>): readonly Fault[] =>
    RULE_NAMES.flatMap((use) => {
      const text = rulesOf(collection)[use]
      if (text === null) return []
      const result = compileExpression(text, { collection, use, collectionNamed: (name) => all.get(name) ?? null })
      if (!('faults' in result)) return []
      return result.faults.map((fault) => ({ pointer: `/rules/${use}`, detail: describeFault(fault) }))
    })

  const parse = ({ name, definition }: GivenDefinition): Collection | readonly DefinitionFault[] => {
    const parsed = parseDefinition({ name, ...definition }, compilePattern)
    if ('faults' in parsed) return parsed.faults.map((fault) => ({ ...fault, name }))
    if (parsed.collection.name === name) return parsed.collection
    return [{ name, pointer: '/name', detail: 'Expected the name in the path' }]
  }

  /** The faults of a new or changed definition among all others, and those of rules of others that go through it. */
  const faultsAmong = (
    given: readonly Collection[],
    all: ReadonlyMap<string, Collection>,
  ): readonly DefinitionFault[] => {
    const names = new Set(given.map(({ name }) => name))
    const own = given.flatMap((collection) =>
      [
        ...relationFaultsOf(
          collection,
          [...all.values()].filter(({ name }) => name !== collection.name),
        ),
        ...ruleFaults(collection, all),
      ].map((fault) => ({ ...fault, name: collection.name })),
    )
    const dependent = [...all.values()]
      .filter(({ name }) => !names.has(name))
      .filter((other) => referencesOf(other).some(({ target }) => names.has(target)))
      .filter((other) => ruleFaults(other, all).length > 0)
      .map(({ name }) => ({ name, pointer: '', detail: `The rules of ${name} would no longer be valid` }))
    return [...own, ...dependent]
  }

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
    const builtIn = given.find(({ name }) => collections.some((collection) => collection.name === name))
    if (builtIn !== undefined) {
      throw new AppError('collection_built_in', `The collection ${builtIn.name} is built in`)
    }
    const parsed = given.map(parse)
    const faults = parsed.flatMap((each) => ('name' in each ? [] : each))
    if (faults.length > 0) throw definitionFaults(faults)
    const next = parsed.flatMap((each) => ('name' in each ? [each] : []))
    const removed = new Set(deleted.map(({ collection }) => collection.name))
    const remaining = existing.filter(({ collection }) => !removed.has(collection.name))
    const all = new Map(
      [...collections, ...remaining.map(({ collection }) => collection), ...next].map((each) => [each.name, each]),
    )
    const among = faultsAmong(next, all)
    if (among.length > 0) throw definitionFaults(among)
    const pending = remaining.flatMap((stored) => stored.pending?.collection ?? [])
    refuseDeletion(deleted, [...all.values(), ...pending])
    if (all.size - collections.length > MAX_COLLECTIONS_COUNT) {
      throw new AppError('validation_failed', `There can be at most ${MAX_COLLECTIONS_COUNT} collections`)
    }
    const storedNamed = new Map(remaining.map((stored) => [stored.collection.name, stored]))
    const isSame = (stored: StoredCollection, collection: Collection): boolean =>
      isEqualJson(definitionOf(stored.collection), definitionOf(collection))
    const plan = { created: [] as Collection[], changed: [] as DefinitionChange[], unchanged: [] as StoredCollection[] }
    for (const [index, collection] of next.entries()) {
      const stored = storedNamed.get(collection.name)
      const transform = given[index]?.transform ?? null
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
