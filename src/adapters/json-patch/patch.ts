import type { JSONPatch } from 'json-p3'
import type { ApplyPatch } from '../../application/ports/collections.ts'
import type { Json, JsonObject } from '../../domain/merge-patch.ts'
import { MAX_OPERATIONS_COUNT } from '../../domain/transform.ts'

/** Loaded for the first patch, because it would make every start longer. */
const library = () => require('json-p3') as typeof import('json-p3')

/** The limit of all values that a patch inserts together: each `copy` could otherwise double the document. */
const MAX_COPIED_CHARACTERS = 1_048_576

interface Budget {
  characters: number
}

/** The library has its own type of JSON, which is not read-only. */
type Value = Parameters<JSONPatch['apply']>[0]
type Operation = Exclude<ConstructorParameters<typeof JSONPatch>[0], undefined>[number]

const copied = (value: unknown, budget: Budget): Value => {
  const text = JSON.stringify(value)
  budget.characters -= text.length
  if (budget.characters < 0) throw new Error('the values that the patch inserts are too large in total')
  return JSON.parse(text)
}

const PROTOTYPE = /\/__proto__(?:\/|$)/

/**
 * The operation without what it shares with the document or the patch: the library inserts values as they are, so that a
 * later operation would change them at every place.
 */
const operationOf = ({ op, path, from, value }: JsonObject, document: Value, budget: Budget): Operation => {
  if (typeof op !== 'string') throw new Error('expected an op')
  if (typeof path !== 'string') throw new Error('expected a path')
  if (PROTOTYPE.test(path)) throw new Error('__proto__ cannot be the name of a member')
  if (from === undefined) return value === undefined ? { op, path } : { op, path, value: copied(value, budget) }
  if (typeof from !== 'string') throw new Error('expected a pointer in from')
  if (op !== 'copy') return { op, path, from }
  return { op: 'add', path, value: copied(new (library().JSONPointer)(from).resolve(document), budget) }
}

const reasonOf = (error: unknown): string =>
  (error instanceof Error ? error.message : String(error)).replace(/ \(\w+:\d+\)$/, '')

/**
 * Applies a JSON Patch (RFC 6902). Neither argument is changed. Throws an error that names the first operation that
 * cannot be applied.
 */
export const applyPatch: ApplyPatch = (document, patch) => {
  if (patch.length > MAX_OPERATIONS_COUNT) {
    throw new Error(`A patch may have at most ${MAX_OPERATIONS_COUNT} operations`)
  }
  const budget = { characters: MAX_COPIED_CHARACTERS }
  let result: Value = JSON.parse(JSON.stringify(document))
  for (const [index, operation] of patch.entries()) {
    try {
      result = new (library().JSONPatch)([operationOf(operation, result, budget)]).apply(result)
    } catch (error) {
      throw new Error(`Operation ${index} cannot be applied: ${reasonOf(error)}`, { cause: error })
    }
  }
  // A patched document is JSON as the document was.
  return result as Json
}
