import { type FieldSchema, isNullable, typeOf } from './collection.ts'
import type { Fault } from './errors.ts'
import { FORMAT_NOUNS, hasFormat } from './formats.ts'
import { isJsonObject, type Json, type JsonObject } from './merge-patch.ts'
import type { CompilePattern } from './pattern.ts'
import { isLine, isText } from './text.ts'

/** How many faults of one value are listed; checking ends there. */
export const MAX_VALUE_FAULTS_COUNT = 20

/** The number of steps that all patterns may take for one record: about 10 ms in the worst case. */
export const MAX_PATTERN_STEPS = 200_000

/** The faults found in a value so far. */
export interface Findings {
  readonly faults: Fault[]
  /** The remainder of {@link MAX_PATTERN_STEPS}. */
  patternSteps: number
}

export const newFindings = (): Findings => ({ faults: [], patternSteps: MAX_PATTERN_STEPS })

/** Adds the faults of a value at `pointer`: every one, up to {@link MAX_VALUE_FAULTS_COUNT}; never the value. */
export type Check = (value: Json, pointer: string, findings: Findings) => void

const isFull = ({ faults }: Findings): boolean => faults.length >= MAX_VALUE_FAULTS_COUNT

/** A member of a JSON Pointer (RFC 6901). */
export const pointerTo = (parent: string, name: string): string =>
  `${parent}/${name.replaceAll('~', '~0').replaceAll('/', '~1')}`

/** Equal for values that are equal as JSON, whatever the order of their members, and only for these. */
const keyOf = (value: Json): string => {
  if (Array.isArray(value)) return `[${value.map(keyOf).join()}]`
  if (!isJsonObject(value)) return JSON.stringify(value === 0 ? 0 : value)
  const members = Object.entries(value).sort(([one], [other]) => (one < other ? -1 : 1))
  return `{${members.map(([name, member]) => `${JSON.stringify(name)}:${keyOf(member)}`).join()}}`
}

/** `1 to 200`, `at least 1`, `at most 200`, or nothing. */
const rangeText = (minimum: number | undefined, maximum: number | undefined): string => {
  if (minimum !== undefined && maximum !== undefined) {
    return minimum === maximum ? `exactly ${minimum}` : `${minimum} to ${maximum}`
  }
  if (minimum !== undefined) return `at least ${minimum}`
  return maximum === undefined ? '' : `at most ${maximum}`
}

const sizeText = (noun: string, unit: string, minimum: number | undefined, maximum: number | undefined): string => {
  const range = rangeText(minimum === 0 ? undefined : minimum, maximum)
  return range === '' ? noun : `${noun} of ${range} ${range.endsWith(' 1') ? unit : `${unit}s`}`
}

const numberText = (noun: string, field: FieldSchema): string => {
  const { minimum, maximum, exclusiveMinimum, exclusiveMaximum } = field
  const limits = [
    ...(minimum === undefined ? [] : [`at least ${minimum}`]),
    ...(exclusiveMinimum === undefined ? [] : [`more than ${exclusiveMinimum}`]),
    ...(maximum === undefined ? [] : [`at most ${maximum}`]),
    ...(exclusiveMaximum === undefined ? [] : [`less than ${exclusiveMaximum}`]),
  ]
  return limits.length === 0 ? noun : `${noun} of ${limits.join(' and ')}`
}

const nounOf = (field: FieldSchema): string => {
  switch (typeOf(field)) {
    case 'string':
      if (field['x-line'] === true) return `${rangeText(field.minLength, field.maxLength)} visible characters`.trim()
      return sizeText('a string', 'character', field.minLength, field.maxLength)
    case 'integer':
      return numberText('an integer', field)
    case 'number':
      return numberText('a number', field)
    case 'boolean':
      return 'true or false'
    case 'array':
      return sizeText('an array', 'element', field.minItems, field.maxItems)
    case 'object':
      return 'an object'
  }
}

type Refuse = (expected: string, pointer: string, findings: Findings) => void

const refuserOf = (field: FieldSchema): Refuse => {
  const orNull = isNullable(field) ? ', or null' : ''
  return (expected, pointer, { faults }) => {
    faults.push({ pointer, detail: `Expected ${expected}${orNull}` })
  }
}

const STORABLE = 'text without NUL and without unpaired surrogates'

const isStorable = (text: string): boolean => text.isWellFormed() && !text.includes('\0')

const stringCheck = (field: FieldSchema, compilePattern: CompilePattern, refuse: Refuse): Check => {
  const { minLength = 0, maxLength = Number.POSITIVE_INFINITY, format, pattern: source } = field
  const length = { minLength, maxLength }
  const expected = nounOf(field)
  const isLineOnly = field['x-line'] === true
  const compiled = source === undefined ? null : compilePattern(source)
  if (compiled !== null && 'reason' in compiled) throw new Error(`the pattern ${source} was not checked`)
  return (value, pointer, findings) => {
    if (typeof value !== 'string') return refuse(expected, pointer, findings)
    const isAllowed = isLineOnly ? isLine(value, length) : isText(value, length)
    if (!isAllowed || value.includes('\0')) {
      return refuse(isStorable(value) ? expected : STORABLE, pointer, findings)
    }
    if (format !== undefined && !hasFormat(format, value)) return refuse(FORMAT_NOUNS[format], pointer, findings)
    if (compiled === null) return
    findings.patternSteps -= value.length * compiled.stepsPerCharacter
    if (findings.patternSteps < 0)
      return refuse('less text: patterns are checked only up to a limit', pointer, findings)
    if (!compiled.matches(value)) refuse(`text that matches the pattern ${source}`, pointer, findings)
  }
}

/** Doubles are rarely exact multiples of a fraction; this is the rounding error of one multiplication. */
const ROUNDING_ERROR = 2 * Number.EPSILON

const isMultiple = (value: number, factor: number): boolean => {
  if (Number.isInteger(value) && Number.isInteger(factor)) return value % factor === 0
  return Math.abs(Math.round(value / factor) * factor - value) <= Math.abs(value) * ROUNDING_ERROR
}

const numberCheck = (field: FieldSchema, refuse: Refuse): Check => {
  const {
    minimum = Number.NEGATIVE_INFINITY,
    maximum = Number.POSITIVE_INFINITY,
    exclusiveMinimum = Number.NEGATIVE_INFINITY,
    exclusiveMaximum = Number.POSITIVE_INFINITY,
    multipleOf,
  } = field
  const expected = nounOf(field)
  const isNumber = typeOf(field) === 'integer' ? Number.isSafeInteger : Number.isFinite
  return (value, pointer, findings) => {
    if (typeof value !== 'number' || !isNumber(value)) return refuse(expected, pointer, findings)
    if (value < minimum || value > maximum || value <= exclusiveMinimum || value >= exclusiveMaximum) {
      return refuse(expected, pointer, findings)
    }
    if (multipleOf !== undefined && !isMultiple(value, multipleOf)) {
      refuse(`a multiple of ${multipleOf}`, pointer, findings)
    }
  }
}

const arrayCheck = (field: FieldSchema, compilePattern: CompilePattern, refuse: Refuse): Check => {
  const { items, minItems = 0, maxItems = Number.POSITIVE_INFINITY, uniqueItems = false } = field
  const expected = nounOf(field)
  const checkItem = items === undefined ? null : compileCheck(items, compilePattern)
  return (value, pointer, findings) => {
    if (!Array.isArray(value)) return refuse(expected, pointer, findings)
    if (value.length < minItems || value.length > maxItems) return refuse(expected, pointer, findings)
    const before = findings.faults.length
    for (let index = 0; checkItem !== null && index < value.length && !isFull(findings); index++) {
      checkItem(value[index] ?? null, `${pointer}/${index}`, findings)
    }
    if (!uniqueItems || findings.faults.length > before) return
    if (new Set(value.map(keyOf)).size < value.length) refuse('elements that all differ', pointer, findings)
  }
}

const UTF8 = new TextEncoder()

/** The size of a value as JSON, in bytes. */
export const jsonBytes = (value: Json): number => UTF8.encode(JSON.stringify(value)).length

/** Of a control character, escaped as `\u001f`; what is not escaped takes at most three bytes. */
const MAX_BYTES_PER_CODE_UNIT = 6
const MAX_SCALAR_BYTES = 25

/** At least the size of an object as JSON, in bytes, in a fraction of the time if its members are scalars. */
const boundOf = (object: JsonObject): number => {
  let bytes = 2
  for (const name in object) {
    const value = object[name] ?? null
    bytes += MAX_BYTES_PER_CODE_UNIT * name.length + 4
    if (typeof value === 'string') bytes += MAX_BYTES_PER_CODE_UNIT * value.length + 2
    else bytes += typeof value === 'object' && value !== null ? jsonBytes(value) : MAX_SCALAR_BYTES
  }
  return bytes
}

/** True only if the size of an object as JSON is within a limit, in bytes. */
export const isSurelyWithin = (object: JsonObject, maxBytes: number): boolean => boundOf(object) <= maxBytes

/** Whether the size of an object as JSON is within a limit, in bytes. */
export const isWithin = (object: JsonObject, maxBytes: number): boolean =>
  isSurelyWithin(object, maxBytes) || jsonBytes(object) <= maxBytes

const objectCheck = (field: FieldSchema, compilePattern: CompilePattern, refuse: Refuse): Check => {
  const { properties, required = [], 'x-max-bytes': maxBytes } = field
  const isOpen = field.additionalProperties ?? properties === undefined
  const members = Object.entries(properties ?? {}).map(([name, member]) => ({
    name,
    pointer: pointerTo('', name),
    check: compileCheck(member, compilePattern),
    isRequired: required.includes(name),
  }))
  const names = new Set(members.map(({ name }) => name))
  const checkMembers = (value: JsonObject, pointer: string, findings: Findings): void => {
    for (const { name, pointer: end, check, isRequired } of members) {
      if (isFull(findings)) return
      const member = Object.hasOwn(value, name) ? value[name] : undefined
      if (member !== undefined) check(member, pointer + end, findings)
      else if (isRequired) findings.faults.push({ pointer: pointer + end, detail: 'Expected required property' })
    }
  }
  return (value, pointer, findings) => {
    if (!isJsonObject(value)) return refuse('an object', pointer, findings)
    checkMembers(value, pointer, findings)
    if (maxBytes !== undefined && jsonBytes(value) > maxBytes) {
      return refuse(`an object of at most ${maxBytes} bytes of JSON`, pointer, findings)
    }
    if (isOpen) return
    for (const name in value) {
      if (names.has(name)) continue
      if (isFull(findings)) return
      findings.faults.push({ pointer: pointerTo(pointer, name), detail: 'Unexpected property' })
    }
  }
}

const typeCheck = (field: FieldSchema, compilePattern: CompilePattern, refuse: Refuse): Check => {
  switch (typeOf(field)) {
    case 'string':
      return stringCheck(field, compilePattern, refuse)
    case 'integer':
    case 'number':
      return numberCheck(field, refuse)
    case 'boolean':
      return (value, pointer, findings) => {
        if (typeof value !== 'boolean') refuse('true or false', pointer, findings)
      }
    case 'array':
      return arrayCheck(field, compilePattern, refuse)
    case 'object':
      return objectCheck(field, compilePattern, refuse)
  }
}

const MAX_LISTED_VALUES_LENGTH = 200

const choiceText = (values: readonly Json[]): string => {
  const list = values.map((value) => JSON.stringify(value)).join(', ')
  if (list.length > MAX_LISTED_VALUES_LENGTH) return `one of the ${values.length} values that the schema lists`
  return values.length === 1 ? list : `one of ${list}`
}

/**
 * Compiles the check of a valid field. It takes time proportional to the size of the value, whatever the schema, except
 * for its patterns, which {@link MAX_PATTERN_STEPS} limits.
 */
export const compileCheck = (field: FieldSchema, compilePattern: CompilePattern): Check => {
  const checkType = typeCheck(field, compilePattern, refuserOf(field))
  const acceptsNull = isNullable(field)
  const choices = field.const === undefined ? field.enum : [field.const]
  const withinType: Check = (value, pointer, findings) => {
    if (value !== null || !acceptsNull) checkType(value, pointer, findings)
  }
  if (choices === undefined) return withinType
  const allowed = new Set(choices.map(keyOf))
  const expected = choiceText(choices)
  return (value, pointer, findings) => {
    const before = findings.faults.length
    withinType(value, pointer, findings)
    if (findings.faults.length > before || allowed.has(keyOf(value))) return
    findings.faults.push({ pointer, detail: `Expected ${expected}` })
  }
}
