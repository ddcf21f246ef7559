import { type FieldSchema, type FieldType, isNullable } from './collection.ts'
import { FIELD_TYPES, fieldOf, isFieldType, KEYWORDS } from './definition-keywords.ts'
import { fieldNameFault } from './definition-names.ts'
import { type Check, compileCheck, pointerTo } from './field-checks.ts'
import { isJsonObject, type Json, type JsonObject } from './merge-patch.ts'
import type { CompilePattern } from './pattern.ts'

export const MAX_FIELDS_COUNT = 200
/** How deep a schema may be nested: the fields of a record are the first level. */
export const MAX_LEVELS_COUNT = 8
/** The number of steps that all patterns of a schema together may take for each character, those that are refused included. */
export const MAX_PATTERN_STEPS_PER_CHARACTER = 1_000
const MAX_PROPERTY_NAME_LENGTH = 100
const MAX_VALUE_DEPTH = 32

/** What parsing a schema has found so far. */
export interface SchemaParsing {
  readonly compilePattern: CompilePattern
  readonly patterns: Map<string, ReturnType<CompilePattern>>
  /** The number of steps that all {@link patterns} together take for each character. */
  stepsPerCharacter: number
  /** How many steps are left to test `enum`, `const` and `default` by patterns. */
  patternSteps: number
  fieldsCount: number
  refuse(pointer: string, detail: string): void
  faultsCount: number
}

const TYPE_EXPECTED = `Expected one of ${FIELD_TYPES.join(', ')}, or a list of one of these and "null"`

const typeIn = (value: Json | undefined): FieldSchema['type'] | null => {
  if (isFieldType(value)) return value
  if (!Array.isArray(value)) return null
  const types = value.filter((type) => type !== 'null')
  const [first] = types
  if (types.length !== 1 || value.length > 2 || !isFieldType(first)) return null
  return value.length === 1 ? first : [first, 'null']
}

/** Whether a value is nested deeper than this. */
export const isDeeper = (value: Json, depth: number): boolean => {
  if (typeof value !== 'object' || value === null) return false
  return depth === 0 || Object.values(value).some((member) => isDeeper(member, depth - 1))
}

const checkKeywords = (node: JsonObject, type: FieldType, pointer: string, parsing: SchemaParsing): void => {
  for (const [name, value] of Object.entries(node)) {
    const at = pointerTo(pointer, name)
    const keyword = KEYWORDS.get(name)
    if (name === 'type') continue
    if (keyword === undefined) parsing.refuse(at, 'This keyword is not supported')
    else if (keyword.types?.includes(type) === false) {
      parsing.refuse(at, `This keyword applies only to the type ${keyword.types.join(' or ')}`)
    } else if (!keyword.accepts(value)) parsing.refuse(at, `Expected ${keyword.expects}`)
    else if (name !== 'properties' && name !== 'items' && isDeeper(value, MAX_VALUE_DEPTH)) {
      parsing.refuse(at, `Expected a value that is nested at most ${MAX_VALUE_DEPTH} deep`)
    }
  }
}

/** Pairs of limits: the lower, the upper, and whether they may be equal. */
const LIMITS = [
  ['minLength', 'maxLength', true],
  ['minItems', 'maxItems', true],
  ['minimum', 'maximum', true],
  ['exclusiveMinimum', 'maximum', false],
  ['minimum', 'exclusiveMaximum', false],
  ['exclusiveMinimum', 'exclusiveMaximum', false],
] as const

const checkLimits = (node: JsonObject, pointer: string, parsing: SchemaParsing): void => {
  for (const [lower, upper, mayBeEqual] of LIMITS) {
    const low = node[lower]
    const high = node[upper]
    if (typeof low !== 'number' || typeof high !== 'number') continue
    if (low < high || (mayBeEqual && low === high)) continue
    parsing.refuse(`${pointer}/${lower}`, `Expected less than ${upper}${mayBeEqual ? ', or the same' : ''}`)
  }
}

const checkPattern = (source: string, pointer: string, parsing: SchemaParsing): void => {
  if (parsing.patterns.has(source)) return
  const isWithinLimit = () => parsing.stepsPerCharacter <= MAX_PATTERN_STEPS_PER_CHARACTER
  if (isWithinLimit()) {
    const compiled = parsing.compilePattern(source)
    parsing.patterns.set(source, compiled)
    parsing.stepsPerCharacter += compiled.stepsPerCharacter
    if ('reason' in compiled) {
      parsing.refuse(pointer, compiled.reason)
      return
    }
  }
  if (!isWithinLimit()) parsing.refuse(pointer, 'The patterns of the schema are too large in total')
}

/** Each name in `required` must be that of a property. */
export const checkRequired = (node: JsonObject, pointer: string, parsing: SchemaParsing): void => {
  if (!Array.isArray(node.required)) return
  const properties = isJsonObject(node.properties) ? node.properties : {}
  const seen = new Set<Json>()
  for (const [index, name] of node.required.entries()) {
    const at = `${pointer}/required/${index}`
    if (typeof name !== 'string') continue
    if (!Object.hasOwn(properties, name)) parsing.refuse(at, 'Expected the name of a property of this schema')
    else if (seen.has(name)) parsing.refuse(at, 'This name is listed twice')
    seen.add(name)
  }
}

const propertyNameFault = (name: string): string | null => {
  const isFit =
    name.length > 0 && name.length <= MAX_PROPERTY_NAME_LENGTH && name.isWellFormed() && !name.includes('\0')
  // JavaScript and TypeScript find these on every object.
  if (name in Object.prototype) return 'This name is reserved'
  if (isFit) return null
  return `Expected a name of 1 to ${MAX_PROPERTY_NAME_LENGTH} characters`
}

/** The schemas of the properties of an object; `level` is theirs. */
export const parseProperties = (
  properties: JsonObject,
  pointer: string,
  level: number,
  parsing: SchemaParsing,
): Record<string, FieldSchema> => {
  const parsed: [string, FieldSchema][] = []
  for (const [name, node] of Object.entries(properties)) {
    const at = pointerTo(pointer, name)
    parsing.fieldsCount++
    if (parsing.fieldsCount === MAX_FIELDS_COUNT + 1) {
      parsing.refuse(at, `A schema may have at most ${MAX_FIELDS_COUNT} fields in total`)
    }
    if (parsing.fieldsCount > MAX_FIELDS_COUNT) break
    const fault = level === 1 ? fieldNameFault(name) : propertyNameFault(name)
    if (fault !== null) parsing.refuse(at, fault)
    const field = parseField(node, at, level, parsing)
    if (field !== null) parsed.push([name, field])
  }
  return Object.fromEntries(parsed)
}

const parseChildren = (
  node: JsonObject,
  type: FieldType,
  pointer: string,
  level: number,
  parsing: SchemaParsing,
): Partial<FieldSchema> => {
  if (type === 'array' && isJsonObject(node.items)) {
    const items = parseField(node.items, `${pointer}/items`, level + 1, parsing)
    return items === null ? {} : { items }
  }
  if (type !== 'object') return {}
  checkRequired(node, pointer, parsing)
  if (!isJsonObject(node.properties)) return { additionalProperties: node.additionalProperties !== false }
  return {
    properties: parseProperties(node.properties, `${pointer}/properties`, level + 1, parsing),
    additionalProperties: node.additionalProperties === true,
  }
}

const checkReference = (
  node: JsonObject,
  type: FieldType,
  pointer: string,
  level: number,
  parsing: SchemaParsing,
): void => {
  const { 'x-ref': target, 'x-on-delete': action, items, minItems } = node
  if (target === undefined) {
    if (action !== undefined) parsing.refuse(`${pointer}/x-on-delete`, 'This keyword applies only to a reference')
    return
  }
  const isList = type === 'array'
  const isReference = isList ? isJsonObject(items) && items.type === 'integer' : type === 'integer'
  if (level > 1) parsing.refuse(`${pointer}/x-ref`, 'Only a field of the record itself can be a reference')
  else if (!isReference) parsing.refuse(`${pointer}/x-ref`, 'A reference must be an integer or an array of integers')
  else if (isList && action === 'clear' && typeof minItems === 'number' && minItems > 0) {
    parsing.refuse(`${pointer}/x-on-delete`, 'A cleared reference would leave fewer elements than minItems')
  }
}

const NOT_FITTING = 'This value does not fit the rest of the schema'

/** Checks `enum`, `const` and `default`; the rest of the field is valid. */
const checkValues = (field: FieldSchema, pointer: string, parsing: SchemaParsing): void => {
  const { enum: choices, const: constant, default: preset, ...rest } = field
  if (choices === undefined && constant === undefined && preset === undefined) return
  const compile = (schema: FieldSchema) =>
    compileCheck(schema, (source) => parsing.patterns.get(source) ?? parsing.compilePattern(source))
  const requireFit = (check: Check, value: Json, at: string, detail: string): boolean => {
    const findings = { faults: [], patternSteps: parsing.patternSteps }
    check(value, '', findings)
    parsing.patternSteps = findings.patternSteps
    if (findings.faults.length > 0) parsing.refuse(at, detail)
    return findings.faults.length === 0
  }
  const check = compile(rest)
  const fits = (choices ?? []).map((value, index) => requireFit(check, value, `${pointer}/enum/${index}`, NOT_FITTING))
  if (constant !== undefined) fits.push(requireFit(check, constant, `${pointer}/const`, NOT_FITTING))
  if (fits.includes(false)) return
  if (isNullable(field) && choices?.includes(null) === false) {
    parsing.refuse(`${pointer}/enum`, 'Expected null among the values, because the type allows it')
  }
  if (isNullable(field) && constant !== undefined && constant !== null) {
    parsing.refuse(`${pointer}/const`, 'The type allows null, which the constant excludes')
  }
  if (preset !== undefined) {
    requireFit(compile(field), preset, `${pointer}/default`, 'The default does not fit the schema')
  }
}

/** The schema of a field, with defaults filled in; null if it has faults. */
const parseField = (node: Json, pointer: string, level: number, parsing: SchemaParsing): FieldSchema | null => {
  const before = parsing.faultsCount
  if (level > MAX_LEVELS_COUNT) {
    parsing.refuse(pointer, `A schema may be nested at most ${MAX_LEVELS_COUNT} levels deep`)
    return null
  }
  if (!isJsonObject(node)) {
    parsing.refuse(pointer, 'Expected a schema')
    return null
  }
  const type = typeIn(Object.hasOwn(node, 'type') ? node.type : undefined)
  if (type === null) {
    parsing.refuse(node.type === undefined ? pointer : `${pointer}/type`, TYPE_EXPECTED)
    for (const name of Object.keys(node)) {
      if (name !== 'type' && !KEYWORDS.has(name))
        parsing.refuse(pointerTo(pointer, name), 'This keyword is not supported')
    }
    return null
  }
  const base = typeof type === 'string' ? type : type[0]
  checkKeywords(node, base, pointer, parsing)
  checkLimits(node, pointer, parsing)
  checkReference(node, base, pointer, level, parsing)
  if (typeof node.pattern === 'string' && base === 'string') checkPattern(node.pattern, `${pointer}/pattern`, parsing)
  const children = parseChildren(node, base, pointer, level, parsing)
  if (parsing.faultsCount > before) return null
  const keywords = new Map(Object.entries({ ...node, ...children }))
  if (keywords.has('x-ref') && !keywords.has('x-on-delete')) keywords.set('x-on-delete', 'restrict')
  const field = fieldOf(type, keywords)
  checkValues(field, pointer, parsing)
  return parsing.faultsCount === before ? field : null
}
