import {
  type Collection,
  DEFAULT_RULES,
  type ReferenceField,
  RULE_NAMES,
  type RuleName,
  type Rules,
  referencesOf,
  rulesOf,
} from '../domain/collection.ts'
import { AppError, notFound } from '../domain/errors.ts'
import type { Expression } from '../domain/expression.ts'
import { type Awaitable, andThen } from './awaitable.ts'
import type {
  CompileExpression,
  CompileValidator,
  ExpressionFault,
  RecordStorage,
  RecordValidator,
  StoredCollection,
} from './ports/collections.ts'
import type { ReadTx } from './ports/persistence.ts'

/** A collection with everything that is needed to use it. */
export interface CompiledCollection {
  readonly collection: Collection
  readonly storage: RecordStorage
  /** Null for one defined in code. */
  readonly stored: StoredCollection | null
  /** Null where only admins may. */
  readonly rules: Readonly<Record<RuleName, Expression | null>>
  readonly validator: RecordValidator
  readonly references: readonly ReferenceField[]
}

/** What a transaction needs to look up collections. */
export type CatalogTx = Pick<ReadTx, 'collections'>

/** A reference to the records of a collection, users or files. */
export interface Referrer {
  readonly compiled: CompiledCollection
  readonly field: ReferenceField
}

/**
 * Every collection, compiled when it is first used, and again when its definition, or one that its rules read, has
 * changed. The result is not a promise for a collection defined in code, and if the database returns synchronously.
 */
export interface Catalog {
  /** Those defined in code. */
  readonly builtIn: readonly Collection[]
  /** Throws `not_found`. */
  find(tx: CatalogTx, name: string): Awaitable<CompiledCollection>
  /** Null if there is none. */
  named(tx: CatalogTx, name: string): Awaitable<CompiledCollection | null>
  /** All of them, those defined in code first. */
  all(tx: CatalogTx): Promise<readonly CompiledCollection[]>
  /** Every reference to a collection, `users` or `files`. */
  referrersOf(tx: CatalogTx, target: string): Promise<readonly Referrer[]>
  /** A filter over the fields of a collection. Throws `validation_failed` with the position of each fault. */
  compileFilter(tx: CatalogTx, compiled: CompiledCollection, text: string): Promise<Expression>
}

interface Deps {
  /** Those defined in code. */
  readonly collections: readonly Collection[]
  readonly compileExpression: CompileExpression
  readonly compileValidator: CompileValidator
}

/** A fault of an expression in a sentence. */
export const describeFault = ({ position, detail }: ExpressionFault): string => `${detail}, at position ${position}`

/** Definitions used in a compilation, by name; null for one that did not exist. */
type Dependencies = readonly (readonly [name: string, stored: StoredCollection | null])[]

interface Compiled<T> {
  readonly value: T
  readonly dependencies: Dependencies
}

const MAX_CACHED_FILTERS_COUNT = 50

/** One after the other, because inside a change that locks the definitions. */
const isUpToDate = (tx: CatalogTx, dependencies: Dependencies, from = 0): Awaitable<boolean> => {
  const next = dependencies[from]
  if (next === undefined) return true
  const [name, stored] = next
  return andThen(tx.collections.find(name), (found) => found === stored && isUpToDate(tx, dependencies, from + 1))
}

/** Compiles expressions, which may depend on the definitions of referenced collections. */
const createExpressions = (collections: readonly Collection[], compileExpression: CompileExpression) => {
  const builtIn = new Map(collections.map((collection) => [collection.name, collection]))

  const compile = async (tx: CatalogTx, collection: Collection, use: RuleName | 'filter', text: string) => {
    const dependencies = new Map<string, StoredCollection | null>()
    const missing = new Set<string>()
    const collectionNamed = (name: string): Collection | null => {
      const known = builtIn.get(name) ?? dependencies.get(name)?.collection
      if (known === undefined && !dependencies.has(name)) missing.add(name)
      return known ?? null
    }
    for (;;) {
      const value = compileExpression(text, { collection, use, collectionNamed })
      if (missing.size === 0) return { value, dependencies: [...dependencies] }
      // The lookups of several definitions are always in the same order, because they may lock.
      for (const name of [...missing].sort()) dependencies.set(name, await tx.collections.find(name))
      missing.clear()
    }
  }

  /** For collections defined in code, which reference no others. */
  const compileAtOnce = (collection: Collection, use: RuleName, text: string): Expression => {
    const context = { collection, use, collectionNamed: (name: string) => builtIn.get(name) ?? null }
    const result = compileExpression(text, context)
    if ('expression' in result) return result.expression
    throw new Error(`collection ${collection.name}: ${result.faults.map(describeFault).join('; ')}`)
  }

  /** The default rules, which mean the same for every collection, by their texts. */
  const defaults = new Map<string, Expression>()
  const defaultRule = (collection: Collection, use: RuleName, text: string): Expression | null => {
    if (text !== DEFAULT_RULES[use]) return null
    const rule = defaults.get(text) ?? compileAtOnce(collection, use, text)
    defaults.set(text, rule)
    return rule
  }

  return { compile, compileAtOnce, defaultRule }
}

type Expressions = ReturnType<typeof createExpressions>

const createCompiler = (expressions: Expressions, compileValidator: CompileValidator) => {
  const withRules = (
    collection: Collection,
    stored: StoredCollection | null,
    rules: CompiledCollection['rules'],
  ): CompiledCollection => {
    let validator: RecordValidator | null = null
    return {
      collection,
      storage: stored ?? collection.name,
      stored,
      rules,
      references: referencesOf(collection),
      get validator() {
        validator ??= compileValidator(collection)
        return validator
      },
    }
  }

  const compileBuiltIn = (collection: Collection): CompiledCollection => {
    const texts: Rules = rulesOf(collection)
    const ruleOf = (use: RuleName): Expression | null => {
      const text = texts[use]
      if (text === null) return null
      return expressions.defaultRule(collection, use, text) ?? expressions.compileAtOnce(collection, use, text)
    }
    const [read, create, update, remove] = RULE_NAMES.map(ruleOf)
    const rules = { read: read ?? null, create: create ?? null, update: update ?? null, delete: remove ?? null }
    return withRules(collection, null, rules)
  }

  const compileStored = async (tx: CatalogTx, stored: StoredCollection): Promise<Compiled<CompiledCollection>> => {
    const { collection } = stored
    const texts = rulesOf(collection)
    const dependencies = new Map<string, StoredCollection | null>()
    const rules: Record<RuleName, Expression | null> = { read: null, create: null, update: null, delete: null }
    for (const use of RULE_NAMES) {
      const text = texts[use]
      if (text === null) continue
      rules[use] = expressions.defaultRule(collection, use, text)
      if (rules[use] !== null) continue
      const { value, dependencies: used } = await expressions.compile(tx, collection, use, text)
      for (const [name, definition] of used) dependencies.set(name, definition)
      // It was checked when it was saved. If it is no longer valid, only admins have access.
      rules[use] = 'expression' in value ? value.expression : null
    }
    return { value: withRules(collection, stored, rules), dependencies: [...dependencies] }
  }

  return { compileBuiltIn, compileStored }
}

/** Filters by collection and text: clients repeat them. */
const createFilters = ({ compile }: Expressions) => {
  const known = new WeakMap<Collection, Map<string, Compiled<Expression>>>()

  return async (tx: CatalogTx, { collection }: CompiledCollection, text: string): Promise<Expression> => {
    const filters = known.get(collection) ?? new Map<string, Compiled<Expression>>()
    known.set(collection, filters)
    const cached = filters.get(text)
    if (cached !== undefined && (await isUpToDate(tx, cached.dependencies))) return cached.value
    const { value, dependencies } = await compile(tx, collection, 'filter', text)
    if ('faults' in value) {
      const faults = value.faults.map(
        (fault) => ({ in: 'query', pointer: '/filter', detail: describeFault(fault) }) as const,
      )
      throw new AppError('validation_failed', 'The filter cannot be used', { faults })
    }
    if (filters.size >= MAX_CACHED_FILTERS_COUNT) filters.clear()
    filters.set(text, { value: value.expression, dependencies })
    return value.expression
  }
}

export const createCatalog = ({ collections, compileExpression, compileValidator }: Deps): Catalog => {
  const expressions = createExpressions(collections, compileExpression)
  const { compileBuiltIn, compileStored } = createCompiler(expressions, compileValidator)
  const definedInCode = new Map(collections.map((collection) => [collection.name, collection]))
  const builtIn = new Map<string, CompiledCollection>()
  const compiled = new WeakMap<StoredCollection, Compiled<CompiledCollection>>()
  const references = new WeakMap<StoredCollection, readonly ReferenceField[]>()

  const builtInNamed = (name: string): CompiledCollection | null => {
    const known = builtIn.get(name)
    if (known !== undefined) return known
    const collection = definedInCode.get(name)
    if (collection === undefined) return null
    const made = compileBuiltIn(collection)
    builtIn.set(name, made)
    return made
  }

  const compileAnew = async (tx: CatalogTx, stored: StoredCollection): Promise<CompiledCollection> => {
    const made = await compileStored(tx, stored)
    compiled.set(stored, made)
    return made.value
  }

  const ofStored = (tx: CatalogTx, stored: StoredCollection): Awaitable<CompiledCollection> => {
    const known = compiled.get(stored)
    if (known === undefined) return compileAnew(tx, stored)
    return andThen(isUpToDate(tx, known.dependencies), (isCurrent) =>
      isCurrent ? known.value : compileAnew(tx, stored),
    )
  }

  const storedNamed = (tx: CatalogTx, name: string): Awaitable<CompiledCollection | null> =>
    andThen(tx.collections.find(name), (stored) => stored && ofStored(tx, stored))

  const existing = (tx: CatalogTx, name: string): Awaitable<CompiledCollection> =>
    andThen(storedNamed(tx, name), (found) => {
      if (found === null) throw notFound('Collection')
      return found
    })

  const referencesIn = (stored: StoredCollection): readonly ReferenceField[] => {
    const known = references.get(stored) ?? referencesOf(stored.collection)
    references.set(stored, known)
    return known
  }

  const named: Catalog['named'] = (tx, name) => builtInNamed(name) ?? storedNamed(tx, name)

  return {
    builtIn: collections,
    named,
    find: (tx, name) => builtInNamed(name) ?? existing(tx, name),
    async all(tx) {
      const found = collections.flatMap(({ name }) => builtInNamed(name) ?? [])
      for (const stored of await tx.collections.all()) found.push(await ofStored(tx, stored))
      return found
    },
    async referrersOf(tx, target) {
      const names = collections.map(({ name }) => name)
      for (const stored of await tx.collections.all()) {
        if (referencesIn(stored).some((field) => field.target === target)) names.push(stored.collection.name)
      }
      const found: Referrer[] = []
      for (const name of names) {
        // Looked up by name, because inside a change that locks the definition.
        const compiled = await named(tx, name)
        for (const field of compiled?.references ?? []) {
          if (compiled !== null && field.target === target) found.push({ compiled, field })
        }
      }
      return found
    },
    compileFilter: createFilters(expressions),
  }
}
