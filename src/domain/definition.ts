import {
  type Collection,
  DEFAULT_RULES,
  type IndexDefinition,
  isNullable,
  type OwnerAction,
  RULE_NAMES,
  type Rules,
  referencesOf,
  rulesOf,
} from './collection.ts'
import { parseIndexes, parseSearch } from './definition-indexes.ts'
import { schemasOf } from './definition-keywords.ts'
import { COLLECTION_NAME, hasReservedType, isReservedName, shareTypes } from './definition-names.ts'
import { parseRecordSchema } from './definition-record.ts'
import type { Fault } from './errors.ts'
import { pointerTo } from './field-checks.ts'
import { isJsonObject, type Json, type JsonObject } from './merge-patch.ts'
import type { CompilePattern } from './pattern.ts'

export const MAX_COLLECTIONS_COUNT = 500
const MAX_RULE_LENGTH = 10_000
const MAX_DEFINITION_FAULTS_COUNT = 100

export type ParsedDefinition =
  | { readonly collection: Collection }
  | ({ readonly faults: readonly Fault[] } & DefinitionDraft)

/** What is known of a definition that has faults. */
export interface DefinitionDraft {
  /** The collection without its faulty parts: they are missing, have their defaults, or are empty. */
  readonly draft: Collection
  /** Whether a field of this name may be meant to exist, but has faults. */
  readonly isFaulty: (name: string) => boolean
}

/** Notes a fault at a pointer into the definition. */
export type Refuse = (pointer: string, detail: string) => void

const MEMBERS = ['name', 'singular', 'schema', 'indexes', 'search', 'rules', 'owner']
const NAME_EXPECTED = 'Expected 1 to 63 lower-case letters, digits and _, beginning with a letter'

const member = (input: JsonObject, name: string): Json | undefined =>
  Object.hasOwn(input, name) ? input[name] : undefined

const parseName = (input: JsonObject, refuse: Refuse): string => {
  const name = member(input, 'name')
  if (name === undefined) refuse('', 'Expected a name')
  else if (typeof name !== 'string' || !COLLECTION_NAME.test(name)) refuse('/name', NAME_EXPECTED)
  else if (isReservedName(name)) refuse('/name', 'This name is reserved')
  else return name
  return ''
}

const parseSingular = (input: JsonObject, name: string, refuse: Refuse): string => {
  const given = member(input, 'singular')
  const singular = given === undefined ? name.replace(/s$/, '') : given
  const at = given === undefined ? '/name' : '/singular'
  if (given === undefined && name === '') return ''
  if (typeof singular !== 'string' || !COLLECTION_NAME.test(singular)) {
    refuse(at, given === undefined ? 'The singular cannot be derived from this name: specify one' : NAME_EXPECTED)
  } else if (isReservedName(singular) || hasReservedType(singular)) {
    refuse(at, given === undefined ? 'The singular of this name is reserved: specify another' : 'This name is reserved')
  } else return singular
  return ''
}

const parseRules = (input: JsonObject, refuse: Refuse): Rules => {
  const given = member(input, 'rules')
  if (given === undefined) return DEFAULT_RULES
  if (!isJsonObject(given)) {
    refuse('/rules', 'Expected an object')
    return DEFAULT_RULES
  }
  const rules = { ...DEFAULT_RULES }
  for (const [name, rule] of Object.entries(given)) {
    const known = RULE_NAMES.find((each) => each === name)
    const at = pointerTo('/rules', name)
    if (known === undefined) refuse(at, `Expected one of ${RULE_NAMES.join(', ')}`)
    else if (rule === null) rules[known] = null
    else if (typeof rule !== 'string' || rule.trim() === '')
      refuse(at, 'Expected an expression, or null for admins only')
    else if (rule.length > MAX_RULE_LENGTH) refuse(at, `Expected at most ${MAX_RULE_LENGTH} characters`)
    else rules[known] = rule
  }
  return rules
}

const parseOwner = (input: JsonObject, refuse: Refuse): OwnerAction => {
  const owner = member(input, 'owner')
  if (owner === undefined) return 'delete'
  if (owner === 'delete' || owner === 'keep') return owner
  refuse('/owner', 'Expected delete or keep')
  return 'delete'
}

/** A reference that must have a value cannot be cleared. */
const checkCleared = (collection: Collection, refuse: Refuse): void => {
  for (const { name, isList, action } of referencesOf(collection)) {
    const field = collection.fields[name]
    if (isList || action !== 'clear' || field === undefined || isNullable(field)) continue
    if (collection.required.includes(name)) {
      refuse(
        `${pointerTo('/schema/properties', name)}/x-on-delete`,
        'A required field that is never null cannot be cleared',
      )
    }
  }
}

/**
 * The collection that a definition in JSON describes, with every default filled in, or its faults. It does not check
 * the expressions of rules, nor what depends on other collections: see {@link relationFaultsOf}.
 */
export const parseDefinition = (input: JsonObject, compilePattern: CompilePattern): ParsedDefinition => {
  const faults: Fault[] = []
  const refuse: Refuse = (pointer, detail) => {
    faults.push({ pointer, detail })
  }
  for (const name of Object.keys(input)) {
    if (!MEMBERS.includes(name)) refuse(pointerTo('', name), 'Unexpected property')
  }
  const name = parseName(input, refuse)
  const singular = parseSingular(input, name, refuse)
  const { isFaulty, ...schema } = parseRecordSchema(member(input, 'schema'), compilePattern, refuse)
  const declared = { fields: schema.fields, isFaulty }
  const collection: Collection = {
    name,
    singular,
    ...schema,
    sorts: [],
    indexes: parseIndexes(member(input, 'indexes'), declared, refuse),
    search: parseSearch(member(input, 'search'), declared, refuse),
    rules: parseRules(input, refuse),
    owner: parseOwner(input, refuse),
  }
  checkCleared(collection, refuse)
  if (faults.length === 0) return { collection }
  return { faults: faults.slice(0, MAX_DEFINITION_FAULTS_COUNT), draft: collection, isFaulty }
}

const ALWAYS_REFERENCED = ['users', 'files']

/**
 * The faults of a definition among others: references to collections that do not exist, and a singular that gives the
 * types of two collections the same name. `others` are all other collections, also those defined in code; those whose
 * types certainly have other names may be left out if they are known by name, so that they may be referenced.
 */
export const relationFaultsOf = (
  collection: Collection,
  others: readonly Collection[],
  isKnown: (name: string) => boolean = () => false,
): readonly Fault[] => {
  const targets = new Set([...ALWAYS_REFERENCED, collection.name, ...others.map(({ name }) => name)])
  const rival = others.find(
    ({ name, singular }) => name !== collection.name && shareTypes(singular, collection.singular),
  )
  return [
    ...(rival === undefined
      ? []
      : [{ pointer: '/singular', detail: `The collection ${rival.name} gives its records the same name` }]),
    ...referencesOf(collection)
      .filter(({ target }) => !targets.has(target) && !isKnown(target))
      .map(({ name }) => ({
        pointer: `${pointerTo('/schema/properties', name)}/x-ref`,
        detail: 'There is no collection with this name',
      })),
  ]
}

const indexOf = ({ fields, unique = false }: IndexDefinition): JsonObject => ({ fields, unique })

/** The definition in JSON, with every default filled in and its members always in the same order. */
export const definitionOf = (collection: Collection): JsonObject => {
  const { name, singular, title, description, fields, required, search, indexes = [], owner = 'delete' } = collection
  return {
    name,
    singular,
    schema: {
      type: 'object',
      ...(title === undefined ? {} : { title }),
      ...(description === '' ? {} : { description }),
      properties: schemasOf(fields),
      required,
      additionalProperties: false,
    },
    indexes: indexes.map(indexOf),
    search,
    rules: { ...rulesOf(collection) },
    owner,
  }
}

/** {@link definitionOf} as the text of a file. The same definition always has the same text. */
export const formatDefinition = (collection: Collection): string =>
  `${JSON.stringify(definitionOf(collection), null, 2)}\n`
