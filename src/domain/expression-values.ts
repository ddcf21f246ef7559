import type { DurationValue, TimestampValue, Value } from './expression.ts'
import { parseTimestamp } from './expression-time.ts'
import { isJsonObject, type Json, type JsonObject } from './merge-patch.ts'

/** The remaining work that an evaluation may do. */
export interface Budget {
  steps: number
}

/** Characters that are read one by one, or elements that are compared, at the cost of one step. */
const ITEMS_PER_STEP = 4
/** Reading a member of an object takes about as long as this many steps. */
const STEPS_PER_MEMBER = 3
/** Characters that are compared as a block at the cost of one step. */
const BLOCK_CHARACTERS_PER_STEP = 64

/** Takes the cost of reading `count` characters or elements. False if the budget is exhausted. */
export const payForItems = (budget: Budget, count: number): boolean => {
  budget.steps -= Math.ceil(count / ITEMS_PER_STEP)
  return budget.steps >= 0
}

export const payForBlock = (budget: Budget, characters: number): boolean => {
  budget.steps -= Math.floor(characters / BLOCK_CHARACTERS_PER_STEP)
  return budget.steps >= 0
}

export const isTime = (value: Value): value is TimestampValue =>
  typeof value === 'object' && value !== null && 'timestampMs' in value

export const isDuration = (value: Value): value is DurationValue =>
  typeof value === 'object' && value !== null && 'durationMs' in value

export const isList = (value: Value | undefined): value is readonly Value[] => Array.isArray(value)

export const isObject = (value: Value): value is { readonly members: JsonObject } =>
  typeof value === 'object' && value !== null && 'members' in value

const isScalar = (value: Json): value is null | boolean | number | string => typeof value !== 'object' || value === null

const areScalars = (values: readonly Json[]): values is readonly (null | boolean | number | string)[] =>
  values.every(isScalar)

/** A value of a record. Undefined if the budget is exhausted. */
export const valueOfJson = (json: Json, budget: Budget): Value | undefined => {
  if (isScalar(json)) return json
  if (isJsonObject(json)) return { members: json }
  if (!payForItems(budget, json.length)) return undefined
  if (areScalars(json)) return json
  const values: Value[] = []
  for (const each of json) {
    const value = valueOfJson(each, budget)
    if (value === undefined) return undefined
    values.push(value)
  }
  return values
}

/** Parsing a timestamp or a duration takes about as long as this many steps. */
export const STEPS_PER_TIME = 10

/**
 * A timestamp of a record, or a list of them: RFC 3339, or milliseconds since 1970. Undefined for any other value, or if
 * the budget is exhausted.
 */
export const timeOfJson = (json: Json, budget: Budget): Value | undefined => {
  if (json === null) return null
  if (typeof json === 'number') return { timestampMs: json }
  budget.steps -= STEPS_PER_TIME
  if (typeof json === 'string') {
    const timestampMs = parseTimestamp(json)
    return timestampMs === null ? undefined : { timestampMs }
  }
  if (isScalar(json) || isJsonObject(json)) return undefined
  const values: Value[] = []
  for (const each of json) {
    const value = budget.steps < 0 ? undefined : timeOfJson(each, budget)
    if (value === undefined) return undefined
    values.push(value)
  }
  return values
}

const areEqualMembers = (one: JsonObject, other: JsonObject, budget: Budget): boolean => {
  const names = Object.keys(one)
  budget.steps -= names.length * STEPS_PER_MEMBER
  if (budget.steps < 0 || names.length !== Object.keys(other).length) return false
  return names.every((name) => Object.hasOwn(other, name) && areEqualJson(one[name], other[name], budget))
}

const areEqualJson = (one: Json | undefined, other: Json | undefined, budget: Budget): boolean => {
  budget.steps--
  if (budget.steps < 0 || one === undefined || other === undefined) return false
  if (isScalar(one) || isScalar(other)) return areEqualScalars(one, other, budget)
  if (isJsonObject(one)) return isJsonObject(other) && areEqualMembers(one, other, budget)
  if (isJsonObject(other) || one.length !== other.length) return false
  return one.every((each, index) => areEqualJson(each, other[index], budget))
}

const areEqualScalars = (one: unknown, other: unknown, budget: Budget): boolean => {
  if (typeof one === 'string' && typeof other === 'string' && one.length === other.length) {
    return payForBlock(budget, one.length) && one === other
  }
  return one === other
}

/** Values of different types are not equal. */
export const areEqual = (one: Value, other: Value, budget: Budget): boolean => {
  if (typeof one !== 'object' || typeof other !== 'object' || one === null || other === null) {
    return areEqualScalars(one, other, budget)
  }
  if (isList(one)) {
    if (!isList(other) || one.length !== other.length || !payForItems(budget, one.length)) return false
    return one.every((each, index) => {
      const counterpart = other[index]
      return counterpart !== undefined && budget.steps >= 0 && areEqual(each, counterpart, budget)
    })
  }
  if (isList(other)) return false
  if (isTime(one)) return isTime(other) && one.timestampMs === other.timestampMs
  if (isDuration(one)) return isDuration(other) && one.durationMs === other.durationMs
  return isObject(one) && isObject(other) && areEqualMembers(one.members, other.members, budget)
}

const isSurrogate = (unit: number): boolean => unit >= 0xd800 && unit <= 0xdfff

/** By code points, which is the order of their UTF-8 bytes, and so of every index. */
export const compareText = (one: string, other: string): number => {
  const length = Math.min(one.length, other.length)
  let at = 0
  while (at < length && one.charCodeAt(at) === other.charCodeAt(at)) at++
  if (at === length) return one.length - other.length
  const [unit, counterpart] = [one.charCodeAt(at), other.charCodeAt(at)]
  // A surrogate stands for a character beyond all that take one unit.
  if (isSurrogate(unit) !== isSurrogate(counterpart)) return isSurrogate(unit) ? 1 : -1
  return unit - counterpart
}

/** Negative, zero or positive; undefined if these have no order. */
export const compare = (one: Value, other: Value, budget: Budget): number | undefined => {
  if (typeof one === 'number') return typeof other === 'number' ? one - other : undefined
  if (typeof one === 'string') {
    if (typeof other !== 'string' || !payForItems(budget, Math.min(one.length, other.length))) return undefined
    return compareText(one, other)
  }
  if (isTime(one)) return isTime(other) ? one.timestampMs - other.timestampMs : undefined
  if (isDuration(one)) return isDuration(other) ? one.durationMs - other.durationMs : undefined
  return undefined
}

/** The number of code points. */
const lengthOf = (text: string): number => {
  let length = text.length
  for (let at = 0; at + 1 < text.length; at++) {
    if ((text.charCodeAt(at) & 0xfc00) === 0xd800 && (text.charCodeAt(at + 1) & 0xfc00) === 0xdc00) {
      length--
      at++
    }
  }
  return length
}

export const sizeOf = (value: Value, budget: Budget): number | undefined => {
  if (typeof value === 'string') return payForItems(budget, value.length) ? lengthOf(value) : undefined
  if (value === null || typeof value !== 'object') return undefined
  if (isList(value)) return value.length
  if (!isObject(value)) return undefined
  const { length } = Object.keys(value.members)
  return payForItems(budget, length) ? length : undefined
}

/** Search texts up to this length are left to `includes`, whose time may grow with their length. */
const MAX_NATIVE_NEEDLE_LENGTH = 32

/** For each position of a text, the length of the longest proper prefix that ends there (Knuth, Morris and Pratt). */
const prefixLengths = (text: string): Uint32Array => {
  const lengths = new Uint32Array(text.length)
  let length = 0
  for (let at = 1; at < text.length; at++) {
    while (length > 0 && text.charCodeAt(at) !== text.charCodeAt(length)) length = lengths[length - 1] ?? 0
    if (text.charCodeAt(at) === text.charCodeAt(length)) length++
    lengths[at] = length
  }
  return lengths
}

/** Whether a text contains another one, in time linear in both. Undefined if the budget is exhausted. */
export const contains = (text: string, part: string, budget: Budget): boolean | undefined => {
  if (part.length > text.length) return false
  if (!payForItems(budget, text.length + part.length)) return undefined
  if (part.length <= MAX_NATIVE_NEEDLE_LENGTH) return text.includes(part)
  const lengths = prefixLengths(part)
  let matched = 0
  for (let at = 0; at < text.length; at++) {
    while (matched > 0 && text.charCodeAt(at) !== part.charCodeAt(matched)) matched = lengths[matched - 1] ?? 0
    if (text.charCodeAt(at) === part.charCodeAt(matched)) matched++
    if (matched === part.length) return true
  }
  return false
}
