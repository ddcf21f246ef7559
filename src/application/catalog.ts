import {
  type Collection,
  type ReferenceField,
  RULE_NAMES,
  type RuleName,
  referencesOf,
  rulesOf,
} from '../domain/collection.ts'
import { AppError, notFound } from '../domain/errors.ts'
import type { Expression } from '../domain/expression.ts'
import type {
  CompileExpression,
  CompileValidator,
  ExpressionFault,
  RecordStorage,
  RecordValidator,
  StoredCollection,
} from './ports/collections.ts'
import type { ReadTx } from './ports/persistence.ts'

/** A collection that is ready for use. Its parts are compiled when they are first needed. */
export interface CompiledCollection {
  readonly collection: Collection
  readonly storage: RecordStorage
  /** Null for a collection defined in code. */
  readonly stored: StoredCollection | null
  /** Null means admins only. */
  readonly rules: Readonly<Record<RuleName, Expression | null>>
  readonly validator: RecordValidator
  readonly references: readonly ReferenceField[]
}

/** What reading the catalog needs of a transaction. */
type Reading = Pick<ReadTx, 'collections'>

/** Every collection: those defined in code, and those defined at run time. */
export interface Catalog {
  /** Throws `not_found`. */
  find(tx: Reading, name: string): Promise<CompiledCollection>
  /** Null if there is none. */
  named(tx: Reading, name: string): Promise<CompiledCollection | null>
  /** Those defined in code first. */
  all(tx: Reading): Promise<readonly CompiledCollection[]>
  /** Compiles a filter. Throws `validation_failed` with the position of each fault. */
  compileFilter(tx: Reading, collection: CompiledCollection, text: string): Promise<Expression>
}

interface Deps {
  /** Those defined in code. */
  readonly collections: readonly Collection[]
  readonly compileExpression: CompileExpression
  readonly compileValidator: CompileValidator
}

/** A fault of an expression in a sentence. */
export const describeFault = ({ position, detail }: ExpressionFault): string => `${detail}, at position ${position}`

const MAX_CACHED_FILTERS_COUNT = 200

export const createCatalog = ({ collections, compileExpression, compileValidator }: Deps): Catalog => {
  const compiled = new WeakMap<StoredCollection | Collection, CompiledCollection>()
  /** By the definition and its text: clients repeat their filters. */
  const filters = new Map<string, Expression>()

  /** Checked when it was saved, so it compiles, unless a collection that it refers to has changed since. */
  const ruleOf = (
    collection: Collection,
    use: RuleName,
    others: ReadonlyMap<string, Collection>,
  ): Expression | null => {
    const text = rulesOf(collection)[use]
    if (text === null) return null
    const result = compileExpression(text, { collection, use, collectionNamed: (name) => others.get(name) ?? null })
    return 'expression' in result ? result.expression : null
  }

  const compile = (
    collection: Collection,
    stored: StoredCollection | null,
    others: ReadonlyMap<string, Collection>,
  ): CompiledCollection => {
    let validator: RecordValidator | null = null
    const rules = Object.fromEntries(RULE_NAMES.map((use) => [use, ruleOf(collection, use, others)]))
    return {
      collection,
      storage: stored ?? collection.name,
      stored,
      rules: rules as CompiledCollection['rules'],
      references: referencesOf(collection),
      get validator() {
        validator ??= compileValidator(collection)
        return validator
      },
    }
  }

  const inCode = new Map(collections.map((collection) => [collection.name, collection]))
  const compiledInCode = new Map(
    collections.map((collection) => [collection.name, compile(collection, null, inCode)] as const),
  )

  /** The collections that references may lead to. */
  const namesOf = async (tx: Reading): Promise<ReadonlyMap<string, Collection>> => {
    const stored = await tx.collections.all()
    return new Map([...inCode, ...stored.map(({ collection }) => [collection.name, collection] as const)])
  }

  const ready = async (tx: Reading, stored: StoredCollection): Promise<CompiledCollection> => {
    const known = compiled.get(stored)
    if (known !== undefined) return known
    const made = compile(stored.collection, stored, await namesOf(tx))
    compiled.set(stored, made)
    return made
  }

  const named = async (tx: Reading, name: string): Promise<CompiledCollection | null> => {
    const known = compiledInCode.get(name)
    if (known !== undefined) return known
    const stored = await tx.collections.find(name)
    return stored && ready(tx, stored)
  }

  return {
    named,
    async find(tx, name) {
      const found = await named(tx, name)
      if (found === null) throw notFound('Collection')
      return found
    },
    async all(tx) {
      const found: CompiledCollection[] = [...compiledInCode.values()]
      for (const stored of await tx.collections.all()) found.push(await ready(tx, stored))
      return found
    },
    async compileFilter(tx, { collection, stored }, text) {
      const key = JSON.stringify([collection.name, stored?.version ?? 0, stored?.epoch ?? '', text])
      const known = filters.get(key)
      if (known !== undefined) return known
      const others = await namesOf(tx)
      const result = compileExpression(text, {
        collection,
        use: 'filter',
        collectionNamed: (name) => others.get(name) ?? null,
      })
      if ('faults' in result) {
        const faults = result.faults.map((fault) => ({
          in: 'query' as const,
          pointer: '/filter',
          detail: describeFault(fault),
        }))
        throw new AppError('validation_failed', 'The filter cannot be used', { faults })
      }
      if (filters.size >= MAX_CACHED_FILTERS_COUNT) filters.clear()
      filters.set(key, result.expression)
      return result.expression
    },
  }
}
