import type { Expression, Value } from '../../domain/expression.ts'
import { fieldOf } from '../../domain/expression-parts.ts'
import { isList, isTime } from '../../domain/expression-values.ts'
import type { Scalar } from './record-keys.ts'

export interface Bound {
  readonly value: number | string
  readonly inclusive: boolean
}

/** What a conjunct demands of one field. */
export type Demand = { readonly field: string } & (
  | { readonly values: readonly Scalar[] }
  | { readonly low: Bound | null; readonly high: Bound | null }
  | { readonly prefix: string }
)

/** The value as an index has it; undefined if no entry can equal it. */
const scalarOf = (value: Value, time: boolean): Scalar | undefined => {
  if (value === null) return null
  if (isTime(value)) return time ? value.timestampMs : undefined
  return typeof value === 'object' || time ? undefined : value
}

/** The name of a field and whether it is a time; `flipped` if it is on the right side of an operator. */
const sidesOf = (left: Expression, right: Expression) => {
  for (const [side, other, flipped] of [
    [left, right, false],
    [right, left, true],
  ] as const) {
    const field = fieldOf(side)
    if (field === null || side.kind !== 'member' || other.kind !== 'literal') continue
    const scalar = scalarOf(other.value, side.time)
    if (scalar !== undefined) return { field, scalar, flipped }
  }
  return null
}

const literalValues = (list: Expression): readonly Value[] | null => {
  if (list.kind === 'literal') return isList(list.value) ? list.value : null
  if (list.kind !== 'list') return null
  const values: Value[] = []
  for (const each of list.elements) {
    if (each.kind !== 'literal') return null
    values.push(each.value)
  }
  return values
}

const FLIPPED = {
  less: 'greater',
  less_or_equal: 'greater_or_equal',
  greater: 'less',
  greater_or_equal: 'less_or_equal',
} as const

type Comparison = keyof typeof FLIPPED

const isComparison = (kind: Expression['kind']): kind is Comparison => kind in FLIPPED

const boundsOf = (kind: Comparison, value: number | string) => {
  const bound = { value, inclusive: kind.endsWith('_or_equal') }
  return kind.startsWith('less') ? { low: null, high: bound } : { low: bound, high: null }
}

const distinct = (values: readonly Scalar[]): readonly Scalar[] => [...new Set(values)]

/** Null if an index cannot answer it. */
export const demandOf = (conjunct: Expression): Demand | null => {
  const bare = fieldOf(conjunct)
  if (bare !== null) return { field: bare, values: [true] }
  if (conjunct.kind === 'not') {
    const field = fieldOf(conjunct.of)
    return field === null ? null : { field, values: [false] }
  }
  if (!('left' in conjunct)) return null
  const { kind, left, right } = conjunct
  if (kind === 'in') {
    const field = fieldOf(left)
    const values = literalValues(right)
    if (field === null || left.kind !== 'member' || values === null) return null
    return { field, values: distinct(values.flatMap((value) => scalarOf(value, left.time) ?? nullOnly(value))) }
  }
  const sides = sidesOf(left, right)
  if (sides === null) return null
  const { field, scalar, flipped } = sides
  if (kind === 'equal') return { field, values: [scalar] }
  if (kind === 'starts_with') return flipped || typeof scalar !== 'string' ? null : { field, prefix: scalar }
  if (!isComparison(kind) || scalar === null || typeof scalar === 'boolean') return null
  return { field, ...boundsOf(flipped ? FLIPPED[kind] : kind, scalar) }
}

/** `??` takes null for a value that cannot be. */
const nullOnly = (value: Value): readonly null[] => (value === null ? [null] : [])

/** The tighter of two bounds; undefined if they have no order. */
export const tighter = (one: Bound | null, other: Bound | null, sign: 1 | -1): Bound | null | undefined => {
  if (one === null || other === null) return one ?? other
  if (typeof one.value !== typeof other.value) return undefined
  if (one.value === other.value) return one.inclusive ? other : one
  return one.value > other.value === sign > 0 ? one : other
}
