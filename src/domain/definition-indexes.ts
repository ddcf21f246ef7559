import { type FieldSchema, type FieldType, type IndexDefinition, typeOf } from './collection.ts'
import { pointerTo } from './field-checks.ts'
import { MAX_FORMAT_LENGTHS } from './formats.ts'
import { isJsonObject, type Json, type JsonObject } from './merge-patch.ts'

export const MAX_INDEXES_COUNT = 16
const MAX_INDEX_FIELDS_COUNT = 3
/** Keeps the key of an index, of up to four bytes for each character, below 2.7 kB. */
export const MAX_INDEXED_LENGTH = 200

type Refuse = (pointer: string, detail: string) => void

/** The fields of a schema. */
export interface DeclaredFields {
  readonly fields: Readonly<Record<string, FieldSchema>>
  /** Whether a field of this name has faults of its own; no further faults are reported for it. */
  readonly isFaulty: (name: string) => boolean
}

const fieldIn = ({ fields }: DeclaredFields, name: string): FieldSchema | undefined =>
  Object.hasOwn(fields, name) ? fields[name] : undefined

const SCALARS: readonly FieldType[] = ['string', 'integer', 'number', 'boolean']

const lengthOf = (value: Json): number => (typeof value === 'string' ? value.length : 0)

/** Whether all texts of the field are short enough for an index. Addresses are a little longer, but in ASCII. */
const isBounded = ({ maxLength, enum: choices, const: constant, format }: FieldSchema): boolean =>
  (maxLength !== undefined && maxLength <= MAX_INDEXED_LENGTH) ||
  choices?.every((value) => lengthOf(value) <= MAX_INDEXED_LENGTH) === true ||
  (constant !== undefined && lengthOf(constant) <= MAX_INDEXED_LENGTH) ||
  (format !== undefined && Number.isFinite(MAX_FORMAT_LENGTHS[format]))

const indexedFieldFault = (name: string, declared: DeclaredFields): string | null => {
  const field = fieldIn(declared, name)
  if (field === undefined) return declared.isFaulty(name) ? null : 'There is no field with this name'
  if (!SCALARS.includes(typeOf(field))) return 'Expected a field that is neither an object nor an array'
  if (typeOf(field) !== 'string' || isBounded(field)) return null
  return `Expected a field with a maxLength of at most ${MAX_INDEXED_LENGTH}`
}

const INDEX_EXPECTED = `Expected one to ${MAX_INDEX_FIELDS_COUNT} names of fields`

const parseFields = (
  given: Json | undefined,
  at: string,
  declared: DeclaredFields,
  refuse: Refuse,
): readonly string[] | null => {
  if (!Array.isArray(given) || given.length === 0 || given.length > MAX_INDEX_FIELDS_COUNT) {
    refuse(given === undefined ? at : `${at}/fields`, INDEX_EXPECTED)
    return null
  }
  const names: string[] = []
  for (const [position, name] of given.entries()) {
    const fault =
      typeof name !== 'string'
        ? 'Expected the name of a field'
        : names.includes(name)
          ? 'This field is listed twice'
          : indexedFieldFault(name, declared)
    if (fault !== null) refuse(`${at}/fields/${position}`, fault)
    else names.push(name)
  }
  return names.length === given.length ? names : null
}

const parseIndex = (given: Json, at: string, declared: DeclaredFields, refuse: Refuse): IndexDefinition | null => {
  if (!isJsonObject(given)) {
    refuse(at, 'Expected an object')
    return null
  }
  const { fields: names, unique = false, ...rest }: JsonObject = given
  for (const name of Object.keys(rest)) refuse(pointerTo(at, name), 'Unexpected property')
  if (typeof unique !== 'boolean') refuse(`${at}/unique`, 'Expected true or false')
  const parsed = parseFields(names, at, declared, refuse)
  return parsed === null ? null : { fields: parsed, unique: unique === true }
}

/** The indexes of a definition. */
export const parseIndexes = (
  given: Json | undefined,
  declared: DeclaredFields,
  refuse: Refuse,
): readonly IndexDefinition[] => {
  if (given === undefined) return []
  if (!Array.isArray(given)) {
    refuse('/indexes', 'Expected a list of indexes')
    return []
  }
  if (given.length > MAX_INDEXES_COUNT) refuse('/indexes', `Expected at most ${MAX_INDEXES_COUNT} indexes`)
  const seen = new Set<string>()
  return given.slice(0, MAX_INDEXES_COUNT).flatMap((each, position) => {
    const index = parseIndex(each, `/indexes/${position}`, declared, refuse)
    if (index === null) return []
    const key = index.fields.join()
    if (seen.has(key)) refuse(`/indexes/${position}`, 'There is another index over the same fields')
    seen.add(key)
    return [index]
  })
}

/** The searched fields of a definition. */
export const parseSearch = (given: Json | undefined, declared: DeclaredFields, refuse: Refuse): readonly string[] => {
  if (given === undefined) return []
  if (!Array.isArray(given)) {
    refuse('/search', 'Expected a list of names of fields')
    return []
  }
  const names: string[] = []
  for (const [position, name] of given.entries()) {
    const field = typeof name === 'string' ? fieldIn(declared, name) : undefined
    if (typeof name === 'string' && declared.isFaulty(name)) continue
    if (typeof name !== 'string' || field === undefined || typeOf(field) !== 'string') {
      refuse(`/search/${position}`, 'Expected the name of a string field')
    } else if (names.includes(name)) refuse(`/search/${position}`, 'This field is listed twice')
    else names.push(name)
  }
  return names
}
