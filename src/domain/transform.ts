import type { Fault } from './errors.ts'
import { isJsonObject, type Json, type JsonObject } from './merge-patch.ts'

/** A JSON Patch (RFC 6902) that every record of a collection goes through when its definition changes. */
export type Transform = readonly JsonObject[]

export const MAX_OPERATIONS_COUNT = 100

/** The operations, each with the member that it needs besides `path`. */
const OPERATIONS: ReadonlyMap<Json, 'value' | 'from' | null> = new Map([
  ['add', 'value'],
  ['remove', null],
  ['replace', 'value'],
  ['move', 'from'],
  ['copy', 'from'],
  ['test', 'value'],
])

/** Matches a JSON Pointer through a member `__proto__`, which a record cannot have. */
export const PROTOTYPE_POINTER = /\/__proto__(?:\/|$)/

/** Why a value is not a JSON Pointer (RFC 6901) to a member that a record may have, or null. */
const pointerFault = (value: Json | undefined): string | null => {
  if (typeof value !== 'string' || (value !== '' && !value.startsWith('/')))
    return 'Expected a JSON Pointer, such as /title'
  if (/~(?![01])/.test(value)) return 'Expected ~0 for ~ and ~1 for / in a JSON Pointer'
  return PROTOTYPE_POINTER.test(value) ? '__proto__ cannot be the name of a member' : null
}

const operationFaults = (operation: Json, at: string): readonly Fault[] => {
  if (!isJsonObject(operation)) return [{ pointer: at, detail: 'Expected an operation of a JSON Patch (RFC 6902)' }]
  const { op = null, path, from } = operation
  const needed = OPERATIONS.get(op)
  const faults: Fault[] = []
  const refuse = (name: string, detail: string | null) => {
    const isMissing = !Object.hasOwn(operation, name)
    if (detail !== null)
      faults.push({ pointer: isMissing ? at : `${at}/${name}`, detail: isMissing ? `Expected ${name}` : detail })
  }
  if (needed === undefined) refuse('op', `Expected one of ${[...OPERATIONS.keys()].join(', ')}`)
  refuse('path', pointerFault(path))
  if (needed === 'from') refuse('from', pointerFault(from))
  if (needed === 'value' && !Object.hasOwn(operation, 'value')) refuse('value', 'Expected value')
  if (faults.length === 0 && op === 'move' && String(path).startsWith(`${from}/`)) {
    refuse('path', 'A value cannot be moved into itself')
  }
  return faults
}

/** A transform, or every fault of its form. Whether it can be applied to a record depends on the record. */
export const parseTransform = (
  value: Json,
): { readonly transform: Transform } | { readonly faults: readonly Fault[] } => {
  if (!Array.isArray(value)) return { faults: [{ pointer: '/transform', detail: 'Expected a JSON Patch (RFC 6902)' }] }
  if (value.length > MAX_OPERATIONS_COUNT) {
    return { faults: [{ pointer: '/transform', detail: `Expected at most ${MAX_OPERATIONS_COUNT} operations` }] }
  }
  const faults = value.flatMap((operation: Json, index: number) => operationFaults(operation, `/transform/${index}`))
  return faults.length === 0 ? { transform: value.filter(isJsonObject) } : { faults }
}
