import type { Collection } from '../domain/collection.ts'
import { AppError } from '../domain/errors.ts'
import { type Expression, FALSE } from '../domain/expression.ts'
import { mentions } from '../domain/expression-parts.ts'
import type { Catalog, CompiledCollection } from './catalog.ts'
import { guardFilter } from './filter-guard.ts'
import type { RecordStorage } from './ports/collections.ts'
import type { ReadTx } from './ports/persistence.ts'
import { type StorageOf, storageIn } from './referenced-rows.ts'

/** A collection, and who may read its records. */
export interface ReadableCollection {
  readonly compiled: CompiledCollection
  readonly collection: Collection
  readonly storage: RecordStorage
  /** False for admins only. */
  readonly rule: Expression
  /** Differs for each change of the definition, and of those of referenced records. */
  readonly version: string
  /** Differs if records, or those they reference, may have another form, or a large deletion has taken effect. */
  readonly shape: string
  /** The ids of the definitions, among them those of referenced collections, that are not part of the program. */
  readonly definitionIds: readonly number[]
}

export interface ReadableCollections {
  /** Null if there is no such collection. */
  find(tx: ReadTx, name: string): Promise<ReadableCollection | null>
  readonly storageOf: StorageOf
  /**
   * A filter of a subscription, which reveals nothing about referenced records that the subscriber may not read: `readRule`
   * returns the rule for records of a collection. Throws `validation_failed`.
   */
  filter(
    tx: ReadTx,
    readable: ReadableCollection,
    text: string,
    readRule: (target: CompiledCollection) => Expression,
  ): Promise<Expression>
}

/** How many references in a row an expression may follow. */
const MAX_STEPS_COUNT = 2

const usesNow = (text: string): AppError => {
  const position = Math.max(0, text.search(/\bnow\b/))
  const detail = `now cannot be used in a subscription, because time passes without events, at position ${position}`
  return new AppError('validation_failed', 'The filter cannot be used', {
    faults: [{ in: 'query', pointer: '/filter', detail }],
  })
}

export const createReadableCollections = (catalog: Catalog): ReadableCollections => {
  /** The collections that expressions can reach from one, by name; null for those that do not exist. */
  const reachable = async (tx: ReadTx, from: CompiledCollection) => {
    const found = new Map<string, CompiledCollection | null>()
    let layer = [from]
    for (let step = 0; step < MAX_STEPS_COUNT; step++) {
      const names = new Set(layer.flatMap(({ references }) => references.map(({ target }) => target)))
      layer = []
      for (const name of names) {
        if (found.has(name)) continue
        const compiled = await catalog.named(tx, name)
        found.set(name, compiled)
        if (compiled !== null) layer.push(compiled)
      }
    }
    return [...found.values()]
  }

  return {
    storageOf: storageIn(catalog),
    async find(tx, name) {
      const compiled = await catalog.named(tx, name)
      if (compiled === null) return null
      const { collection, storage, rules } = compiled
      const all = [compiled, ...(await reachable(tx, compiled))]
      const definitions = [...new Set(all.flatMap((each) => each?.stored ?? []))]
      // The effects of a large deletion cannot be followed record by record either.
      const shape = definitions.map((each) => `${each.id}.${each.shape}.${each.deletions.count}`).join(' ')
      const versions = definitions.map(({ id, version, epoch }) => `${id}.${version}.${epoch}`).join(' ')
      return {
        compiled,
        collection,
        storage,
        rule: rules.read ?? FALSE,
        version: `${versions} ${shape}`,
        shape,
        definitionIds: definitions.map(({ id }) => id),
      }
    },
    async filter(tx, { compiled }, text, readRule) {
      const expression = await catalog.compileFilter(tx, compiled, text)
      if (mentions(expression, 'now')) throw usesNow(text)
      return guardFilter(tx, catalog, expression, readRule)
    },
  }
}
