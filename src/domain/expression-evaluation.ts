import type { AuthValue, BinaryKind, Expression, Value } from './expression.ts'
import { isTimestamp, parseDuration, parseTimestamp } from './expression-time.ts'
import {
  areEqual,
  type Budget,
  compare,
  contains,
  isDuration,
  isList,
  isObject,
  isTime,
  payForBlock,
  STEPS_PER_TIME,
  sizeOf,
  timeOfJson,
  valueOfJson,
} from './expression-values.ts'
import type { Json, JsonObject } from './merge-patch.ts'
import type { StoredRecord } from './record.ts'
import type { Instant } from './user.ts'

/**
 * The readable members of a referenced record: a {@link StoredRecord}, `id` and `name` of a user, or `id`, `ownerId`,
 * `filename`, `contentType`, `size` and `createdAt` of a file.
 */
export type Referenced = JsonObject

/** Finds a referenced record: null if there is none, undefined if it has not been loaded yet. */
export type FindReferenced = (target: string, id: number) => Referenced | null | undefined

/** The values of the variables of an expression. */
export interface Environment {
  readonly record: StoredRecord
  readonly next?: StoredRecord
  /** Null, and absent, if nobody is signed in. */
  readonly auth?: AuthValue | null
  readonly now?: Instant
  /**
   * If it returns undefined, the expression fails. The caller then loads the missing records and evaluates again.
   */
  readonly referenced: FindReferenced
}

/** Counts the steps of several evaluations, to bound the work of a request. A step takes about 20 ns. */
export interface Meter {
  steps: number
}

/**
 * An evaluation that would take more fails, whatever its result so far. This many steps take up to 5 ms, and are enough to
 * compare each element of an array of 64 kB.
 */
export const MAX_EVALUATION_STEPS_COUNT = 150_000

/** The elements that the enclosing `exists` test, innermost first. */
interface Scope {
  readonly name: string
  readonly value: Value
  readonly outer: Scope | null
}

interface Run {
  readonly environment: Environment
  readonly budget: Budget
}

type Binary = Extract<Expression, { readonly kind: BinaryKind }>

/** A value, or undefined for a failure. */
type Result = Value | undefined

export const authMembers = ({ id, role, email, emailVerified }: AuthValue): JsonObject => ({
  id,
  role,
  email,
  email_verified: emailVerified,
})

const PROPERTIES: ReadonlyMap<string, string> = new Map([
  ['owner_id', 'ownerId'],
  ['created_at', 'createdAt'],
  ['updated_at', 'updatedAt'],
])

const memberOf = (object: JsonObject, property: string): Json =>
  Object.hasOwn(object, property) ? (object[property] ?? null) : null

const recordMember = (record: Referenced, target: string | null, name: string): Json => {
  const property = target === 'files' && name === 'content_type' ? 'contentType' : (PROPERTIES.get(name) ?? name)
  return memberOf(record, property)
}

/** The member of an object, in its JSON form. Undefined if there is no such object. */
const readMember = (of: Expression, name: string, run: Run, scope: Scope | null): Json | undefined => {
  const { environment } = run
  if (of.kind === 'variable') {
    if (of.name === 'record') return recordMember(environment.record, null, name)
    if (of.name === 'next') return environment.next && recordMember(environment.next, null, name)
  }
  if (of.kind === 'referenced') {
    const id = step(of.of, run, scope)
    if (typeof id !== 'number') return undefined
    const record = environment.referenced(of.target, id)
    return record ? recordMember(record, of.target, name) : undefined
  }
  const object = step(of, run, scope)
  return object !== undefined && isObject(object) ? memberOf(object.members, name) : undefined
}

/** The member of a referenced record that has been found. */
export const referencedMember = (
  expression: Extract<Expression, { readonly kind: 'member' | 'has' }>,
  target: string,
  record: Referenced,
): Value | undefined => {
  const json = recordMember(record, target, expression.name)
  if (expression.kind === 'has') return json !== null
  const budget = { steps: MAX_EVALUATION_STEPS_COUNT }
  return expression.time ? timeOfJson(json, budget) : valueOfJson(json, budget)
}

const variable = (name: string, { auth, now }: Environment): Result => {
  if (name === 'auth') return auth ? { members: authMembers(auth) } : null
  if (name === 'now') return now === undefined ? undefined : { timestampMs: now }
  // A record is not a value: only its members are.
  return undefined
}

/** `decisive` is the operand that determines the result alone: false for `&&`, true for `||`. */
const logical = (expression: Binary, decisive: boolean, run: Run, scope: Scope | null): Result => {
  const left = step(expression.left, run, scope)
  if (left === decisive) return decisive
  const right = step(expression.right, run, scope)
  if (right === decisive) return decisive
  return left === !decisive && right === !decisive ? !decisive : undefined
}

const includes = (value: Value, list: Value, budget: Budget): Result => {
  if (!isList(list)) return undefined
  for (const each of list) {
    // Comparing scalars costs much less than a node.
    budget.steps -= 0.25
    if (budget.steps < 0) return undefined
    if (areEqual(each, value, budget)) return true
  }
  return false
}

const searched = (kind: Binary['kind'], text: Value, part: Value, budget: Budget): Result => {
  if (typeof text !== 'string' || typeof part !== 'string') return undefined
  if (kind === 'contains') return contains(text, part, budget)
  if (!payForBlock(budget, part.length)) return undefined
  return kind === 'starts_with' ? text.startsWith(part) : text.endsWith(part)
}

const shifted = (from: Value, by: Value, sign: 1 | -1): Result => {
  if (!isTime(from) || !isDuration(by)) return undefined
  const timestampMs = from.timestampMs + sign * by.durationMs
  return isTimestamp(timestampMs) ? { timestampMs } : undefined
}

const ordered = (kind: Binary['kind'], left: Value, right: Value, budget: Budget): Result => {
  const order = compare(left, right, budget)
  if (order === undefined) return undefined
  if (kind === 'less') return order < 0
  if (kind === 'less_or_equal') return order <= 0
  return kind === 'greater' ? order > 0 : order >= 0
}

const binary = (expression: Binary, run: Run, scope: Scope | null): Result => {
  const { kind } = expression
  if (kind === 'and' || kind === 'or') return logical(expression, kind === 'or', run, scope)
  const left = step(expression.left, run, scope)
  const right = step(expression.right, run, scope)
  if (left === undefined || right === undefined) return undefined
  if (kind === 'equal') return areEqual(left, right, run.budget)
  if (kind === 'unequal') return !areEqual(left, right, run.budget)
  if (kind === 'in') return includes(left, right, run.budget)
  if (kind === 'add') return isTime(left) ? shifted(left, right, 1) : shifted(right, left, 1)
  if (kind === 'subtract') return shifted(left, right, -1)
  if (kind === 'starts_with' || kind === 'ends_with' || kind === 'contains') {
    return searched(kind, left, right, run.budget)
  }
  return ordered(kind, left, right, run.budget)
}

const exists = (
  { list, name, test }: Extract<Expression, { readonly kind: 'exists' }>,
  run: Run,
  scope: Scope | null,
): Result => {
  const values = step(list, run, scope)
  if (!isList(values)) return undefined
  let failed = false
  for (const value of values) {
    const result = step(test, run, { name, value, outer: scope })
    if (result === true) return true
    if (result !== false) failed = true
    if (run.budget.steps < 0) return undefined
  }
  return failed ? undefined : false
}

const element = (name: string, scope: Scope | null): Result => {
  let at = scope
  while (at !== null && at.name !== name) at = at.outer
  return at?.value
}

const listOf = (elements: readonly Expression[], run: Run, scope: Scope | null): Result => {
  const values: Value[] = []
  for (const each of elements) {
    const value = step(each, run, scope)
    if (value === undefined) return undefined
    values.push(value)
  }
  return values
}

type Unary = Extract<Expression, { readonly kind: 'not' | 'size' | 'timestamp' | 'duration' }>

const unary = ({ kind, of }: Unary, run: Run, scope: Scope | null): Result => {
  const value = step(of, run, scope)
  if (value === undefined) return undefined
  if (kind === 'not') return typeof value === 'boolean' ? !value : undefined
  if (kind === 'size') return sizeOf(value, run.budget)
  if (kind === 'timestamp' && isTime(value)) return value
  if (kind === 'duration' && isDuration(value)) return value
  if (typeof value !== 'string') return undefined
  run.budget.steps -= STEPS_PER_TIME
  const ms = kind === 'timestamp' ? parseTimestamp(value) : parseDuration(value)
  if (ms === null) return undefined
  return kind === 'timestamp' ? { timestampMs: ms } : { durationMs: ms }
}

const step = (expression: Expression, run: Run, scope: Scope | null): Result => {
  run.budget.steps--
  if (run.budget.steps < 0) return undefined
  switch (expression.kind) {
    case 'literal':
      return expression.value
    case 'failure':
      return undefined
    case 'variable':
      return variable(expression.name, run.environment)
    case 'element':
      return element(expression.name, scope)
    case 'member': {
      const json = readMember(expression.of, expression.name, run, scope)
      if (json === undefined) return undefined
      return expression.time ? timeOfJson(json, run.budget) : valueOfJson(json, run.budget)
    }
    case 'has': {
      const json = readMember(expression.of, expression.name, run, scope)
      return json === undefined ? undefined : json !== null
    }
    case 'list':
      return listOf(expression.elements, run, scope)
    case 'not':
    case 'size':
    case 'timestamp':
    case 'duration':
      return unary(expression, run, scope)
    case 'if': {
      const condition = step(expression.condition, run, scope)
      if (typeof condition !== 'boolean') return undefined
      return step(condition ? expression.yes : expression.no, run, scope)
    }
    case 'exists':
      return exists(expression, run, scope)
    case 'referenced':
      // Like any record, it is not a value.
      return undefined
    default:
      return binary(expression, run, scope)
  }
}

/**
 * The value of a checked expression; undefined if it fails: a member of null, an operator on values of other types, a
 * missing reference, too many steps. As in CEL, `&&`, `||` and `exists` yield a result that a failure cannot change.
 */
export const evaluate = (expression: Expression, environment: Environment, meter?: Meter): Value | undefined => {
  const budget = { steps: MAX_EVALUATION_STEPS_COUNT }
  const value = step(expression, { environment, budget }, null)
  if (meter !== undefined) meter.steps += MAX_EVALUATION_STEPS_COUNT - budget.steps
  return budget.steps < 0 ? undefined : value
}

/** Whether an expression is true. One that fails is not. */
export const isTrue = (expression: Expression, environment: Environment, meter?: Meter): boolean =>
  evaluate(expression, environment, meter) === true
