import type { JSONPatch } from 'json-p3'
import type { ApplyPatch } from '../../application/ports/collections.ts'
import type { Json, JsonObject } from '../../domain/merge-patch.ts'
import { MAX_OPERATIONS_COUNT, PROTOTYPE_POINTER } from '../../domain/transform.ts'

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
  if (budget.characters < 0) throw new Reason('the values that the patch inserts are too large in total')
  return JSON.parse(text)
}

const INDEX = /^(?:0|[1-9]\d*)$/

/** Why an operation cannot be applied. The library's own reasons repeat pointers. */
class Reason extends Error {}

const tokensOf = (pointer: unknown, name: string): readonly string[] => {
  if (typeof pointer !== 'string' || (pointer !== '' && !pointer.startsWith('/'))) {
    throw new Reason(`${name} must be a JSON Pointer`)
  }
  if (PROTOTYPE_POINTER.test(pointer)) throw new Reason('__proto__ cannot be the name of a member')
  return pointer
    .split('/')
    .slice(1)
    .map((token) => token.replaceAll('~1', '/').replaceAll('~0', '~'))
}

const nothingAt = (name: string) => new Reason(`there is no value at ${name}`)

/** Throws for an index that RFC 6901 does not allow: the library takes any text of a number for the end of an array. */
const requireIndex = (token: string, isAdded: boolean, length: number, name: string): void => {
  if (isAdded && token === '-') return
  if (!INDEX.test(token)) throw new Reason('an array index must be digits without leading zeros')
  if (Number(token) >= length + (isAdded ? 1 : 0)) throw nothingAt(name)
}

/** Throws unless a pointer leads to a value or, if `isNew`, to where one can be added. */
const requirePlace = (document: Value, pointer: unknown, name: 'path' | 'from', isNew: boolean): void => {
  const tokens = tokensOf(pointer, name)
  let place: unknown = document
  for (const [at, token] of tokens.entries()) {
    const isAdded = isNew && at === tokens.length - 1
    if (Array.isArray(place)) requireIndex(token, isAdded, place.length, name)
    if (typeof place !== 'object' || place === null) throw nothingAt(name)
    if (isAdded) return
    if (!Object.hasOwn(place, token)) throw nothingAt(name)
    place = Reflect.get(place, token)
  }
}

/**
 * The operation without what it shares with the document or the patch: the library inserts values as they are, so that a
 * later operation would change them at every place.
 */
const operationOf = ({ op, path, from, value }: JsonObject, document: Value, budget: Budget): Operation => {
  if (typeof op !== 'string') throw new Reason('op must be a string')
  const isMoved = op === 'move' || op === 'copy'
  if (isMoved) requirePlace(document, from, 'from', false)
  requirePlace(document, path, 'path', isMoved || op === 'add')
  const to = String(path)
  if (!isMoved) return value === undefined ? { op, path: to } : { op, path: to, value: copied(value, budget) }
  if (op === 'move') return { op, path: to, from: String(from) }
  return { op: 'add', path: to, value: copied(new (library().JSONPointer)(String(from)).resolve(document), budget) }
}

const reasonOf = (error: unknown, { op }: JsonObject): string => {
  if (error instanceof Reason) return error.message
  if (op === 'test') return 'the value at path is not equal to value'
  return op === 'move' ? 'a value cannot be moved into itself' : 'RFC 6902 has no such operation for this value'
}

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
      throw new Error(`Operation ${index} cannot be applied: ${reasonOf(error, operation)}`, { cause: error })
    }
  }
  // A patched document is JSON as the document was.
  return result as Json
}
