import type { BinaryKind, Expression } from './expression.ts'
import type { Operator } from './expression-syntax.ts'
import {
  areComparable,
  BOOLEAN,
  DURATION,
  describe,
  mayBe,
  TIMESTAMP,
  type Type,
  UNKNOWN,
  unite,
} from './expression-types.ts'

/** An expression and its type. */
export interface Typed {
  readonly expression: Expression
  readonly type: Type
}

/** Either the result of an operator, or why it cannot be applied. */
export type Outcome = Typed | string

const isUnknown = ({ type }: Typed): boolean => type.kind === 'unknown'

const BINARY: Readonly<Partial<Record<Operator, BinaryKind>>> = {
  '&&': 'and',
  '||': 'or',
  '==': 'equal',
  '!=': 'unequal',
  '<': 'less',
  '<=': 'less_or_equal',
  '>': 'greater',
  '>=': 'greater_or_equal',
  in: 'in',
  '+': 'add',
  '-': 'subtract',
}

const isText = ({ kind }: Type): boolean => kind === 'string' || kind === 'any'

/** Why values of these types are never equal, or have no order. */
const mismatch = (one: Type, other: Type): string => {
  const reason = `${describe(one)} cannot be compared with ${describe(other)}`
  if (one.kind === 'record' || other.kind === 'record') return reason
  const kinds = [one.kind, other.kind]
  if (!isText(one) && !isText(other)) return reason
  if (kinds.includes('timestamp')) return `${reason}: write timestamp("2026-01-31T12:00:00Z")`
  return kinds.includes('duration') ? `${reason}: write duration("24h")` : reason
}

const isOrdered = (type: Type): boolean => mayBe(type, 'number', 'string', 'timestamp', 'duration')

const orderFault = (one: Type, other: Type): string | null => {
  if (!areComparable(one, other)) return mismatch(one, other)
  const without = [one, other].find((type) => !isOrdered(type))
  return without === undefined ? null : `${describe(without)} has no order`
}

const equalityFault = (one: Type, other: Type): string | null => {
  const isAbsence = (type: Type, counterpart: Type) =>
    type.kind === 'record' && type.name === 'auth' && counterpart.kind === 'null'
  if (isAbsence(one, other) || isAbsence(other, one)) return null
  return areComparable(one, other) ? null : mismatch(one, other)
}

const membershipFault = (one: Type, list: Type): string | null => {
  if (!mayBe(list, 'list')) return `what follows in must be a list, not ${describe(list)}`
  if (one.kind === 'record') return mismatch(one, list)
  return list.kind !== 'list' || areComparable(one, list.element) ? null : mismatch(one, list.element)
}

const logicalFault = (...types: readonly Type[]): string | null => {
  const other = types.find((type) => !mayBe(type, 'boolean'))
  return other === undefined ? null : `expected a boolean, not ${describe(other)}`
}

const isShift = (operator: Operator, one: Type, other: Type): boolean => {
  if (one.kind === 'timestamp') return other.kind === 'duration'
  return operator === '+' && one.kind === 'duration' && other.kind === 'timestamp'
}

const shiftFault = (operator: Operator, one: Type, other: Type): string | null =>
  isShift(operator, one, other) ? null : '+ and - only move a timestamp by a duration, as in now - duration("24h")'

const binaryFault = (operator: Operator, one: Type, other: Type): string | null => {
  switch (operator) {
    case '&&':
    case '||':
      return logicalFault(one, other)
    case '==':
    case '!=':
      return equalityFault(one, other)
    case 'in':
      return membershipFault(one, other)
    case '+':
    case '-':
      return shiftFault(operator, one, other)
    default:
      return orderFault(one, other)
  }
}

export const negated = (operand: Typed): Outcome =>
  logicalFault(operand.type) ?? { expression: { kind: 'not', of: operand.expression }, type: BOOLEAN }

export const combined = (operator: Operator, left: Typed, right: Typed): Outcome => {
  const kind = BINARY[operator]
  if (kind === undefined) return `${operator} takes another number of operands`
  const isShifting = operator === '+' || operator === '-'
  const expression: Expression = { kind, left: left.expression, right: right.expression }
  if (isUnknown(left) || isUnknown(right)) return { expression, type: isShifting ? UNKNOWN : BOOLEAN }
  return binaryFault(operator, left.type, right.type) ?? { expression, type: isShifting ? TIMESTAMP : BOOLEAN }
}

export const chosen = (condition: Typed, yes: Typed, no: Typed): Outcome => {
  const fault = logicalFault(condition.type)
  if (fault !== null) return fault
  const type = unite(yes.type, no.type)
  if (type === null) return `both results must have the same type: ${mismatch(yes.type, no.type)}`
  return { expression: { kind: 'if', condition: condition.expression, yes: yes.expression, no: no.expression }, type }
}

const TEXT_METHODS: ReadonlyMap<string, BinaryKind> = new Map([
  ['startsWith', 'starts_with'],
  ['endsWith', 'ends_with'],
  ['contains', 'contains'],
])

/** `text.startsWith(part)` and similar methods; null for any other. */
export const searched = (method: string, text: Typed, part: Typed): Outcome | null => {
  const kind = TEXT_METHODS.get(method)
  if (kind === undefined) return null
  const other = [text, part].find(({ type }) => !mayBe(type, 'string'))
  if (other !== undefined) return `${method} searches a string for a string, not ${describe(other.type)}`
  return { expression: { kind, left: text.expression, right: part.expression }, type: BOOLEAN }
}

/** `timestamp(text)` and `duration(text)`. */
export const converted = (kind: 'timestamp' | 'duration', of: Typed): Outcome => {
  if (!mayBe(of.type, 'string', kind)) return `${kind} takes a string, not ${describe(of.type)}`
  return { expression: { kind, of: of.expression }, type: kind === 'timestamp' ? TIMESTAMP : DURATION }
}
