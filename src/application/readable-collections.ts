import { type Collection, referencesOf, rulesOf } from '../domain/collection.ts'
import { AppError } from '../domain/errors.ts'
import { type Expression, FALSE } from '../domain/expression.ts'
import { mentions } from '../domain/expression-parts.ts'
import type { CompileExpression, RecordStorage } from './ports/collections.ts'
import type { ReadTx } from './ports/persistence.ts'

/** A collection, and who may read its records. */
export interface ReadableCollection {
  readonly collection: Collection
  readonly storage: RecordStorage
  /** False for admins only. */
  readonly rule: Expression
  /** Differs for each change of the definition. */
  readonly version: string
  /** Differs if records, or those they refer to, may have another form. */
  readonly shape: string
  /** The ids of the definitions, among them those of referenced collections, that are not part of the program. */
  readonly definitionIds: readonly number[]
}

export interface ReadableCollections {
  /** Null if there is no such collection. */
  find(tx: ReadTx, name: string): Promise<ReadableCollection | null>
  storageOf(tx: ReadTx, name: string): Promise<RecordStorage | null>
  /** A filter of a subscription. Throws `validation_failed`. */
  filter(tx: ReadTx, readable: ReadableCollection, text: string): Promise<Expression>
}

interface Deps {
  /** The collections that are defined in code. */
  readonly collections: readonly Collection[]
  readonly compile: CompileExpression
}

/** Expressions follow references over this many steps. */
const MAX_STEPS_COUNT = 2

const invalidFilter = (position: number, detail: string): AppError =>
  new AppError('validation_failed', `The filter is refused at position ${position}: ${detail}`, {
    faults: [{ in: 'query', pointer: '/filter', detail: `position ${position}: ${detail}` }],
  })

export const createReadableCollections = ({ collections, compile }: Deps): ReadableCollections => {
  const inCode = new Map(collections.map((collection) => [collection.name, collection]))
  const cached = new WeakMap<object, ReadableCollection>()

  const storageOf = async (tx: ReadTx, name: string): Promise<RecordStorage | null> =>
    inCode.has(name) ? name : tx.collections.find(name)

  /** The collection with those that expressions can reach from it, by name. */
  const reachable = async (tx: ReadTx, collection: Collection): Promise<ReadonlyMap<string, RecordStorage>> => {
    const found = new Map<string, RecordStorage>()
    let from = [collection]
    for (let step = 0; step < MAX_STEPS_COUNT; step++) {
      const names = new Set(from.flatMap((each) => referencesOf(each).map(({ target }) => target)))
      from = []
      for (const name of names) {
        const storage = found.has(name) ? null : await storageOf(tx, name)
        if (storage === null) continue
        found.set(name, storage)
        if (typeof storage !== 'string') from.push(storage.collection)
      }
    }
    return found
  }

  const collectionOf = (storage: RecordStorage | undefined): Collection | null =>
    (typeof storage === 'string' ? inCode.get(storage) : storage?.collection) ?? null

  const ruleOf = (collection: Collection, others: ReadonlyMap<string, RecordStorage>): Expression => {
    const { read } = rulesOf(collection)
    if (read === null) return FALSE
    const collectionNamed = (name: string) => collectionOf(others.get(name))
    const compiled = compile(read, { collection, use: 'read', collectionNamed })
    // A rule was checked when it was saved. If a referenced collection has changed since, it may have become invalid.
    return 'expression' in compiled ? compiled.expression : FALSE
  }

  return {
    storageOf,

    async find(tx, name) {
      const storage = await storageOf(tx, name)
      const collection = collectionOf(storage ?? undefined)
      if (storage === null || collection === null) return null
      const others = await reachable(tx, collection)
      const definitions = [storage, ...others.values()].filter((each) => typeof each !== 'string')
      const shape = definitions.map((each) => `${each.id}.${each.shape}`).join(' ')
      const own = typeof storage === 'string' ? '' : `${storage.id}.${storage.version}.${storage.epoch}`
      const version = `${own} ${shape}`
      const known = cached.get(collection)
      if (known?.version === version && known.storage === storage) return known
      const readable: ReadableCollection = {
        collection,
        storage,
        rule: ruleOf(collection, others),
        version,
        shape,
        definitionIds: definitions.map(({ id }) => id),
      }
      cached.set(collection, readable)
      return readable
    },

    async filter(tx, { collection }, text) {
      const others = await reachable(tx, collection)
      const collectionNamed = (name: string) => collectionOf(others.get(name))
      const compiled = compile(text, { collection, use: 'filter', collectionNamed })
      if ('faults' in compiled) {
        const [{ position, detail } = { position: 0, detail: 'It is not valid' }] = compiled.faults
        throw invalidFilter(position, detail)
      }
      if (mentions(compiled.expression, 'now')) {
        throw invalidFilter(
          Math.max(0, text.search(/\bnow\b/)),
          'A subscription cannot use now: time passes without events',
        )
      }
      return compiled.expression
    },
  }
}
