import { type FieldSchema, type FieldType, type ReferenceAction, STRING_FORMATS } from './collection.ts'
import { isJsonObject, type Json, type JsonObject } from './merge-patch.ts'

const MAX_TEXT_LENGTH = 10_000

export const FIELD_TYPES: readonly FieldType[] = ['string', 'integer', 'number', 'boolean', 'object', 'array']
const REFERENCE_ACTIONS: readonly ReferenceAction[] = ['restrict', 'cascade', 'clear']

export const isFieldType = (value: unknown): value is FieldType => FIELD_TYPES.some((type) => type === value)

interface Keyword {
  /** The types it applies to; all if absent. */
  readonly types?: readonly FieldType[]
  readonly accepts: (value: Json) => boolean
  readonly expects: string
}

const isCount = (value: Json) => Number.isSafeInteger(value) && Number(value) >= 0
const isText = (value: Json) =>
  typeof value === 'string' && value.length <= MAX_TEXT_LENGTH && value.isWellFormed() && !value.includes('\0')

const COUNT = { accepts: isCount, expects: 'a whole number from 0' }
const NUMBER = { types: ['integer', 'number'], accepts: Number.isFinite, expects: 'a number' } as const
const TEXT: Keyword = { accepts: isText, expects: `text of at most ${MAX_TEXT_LENGTH} characters` }
const FLAG = { accepts: (value: Json) => typeof value === 'boolean', expects: 'true or false' }
const ANY: Keyword = { accepts: () => true, expects: 'a value' }

/** Every supported keyword besides `type`, in the order in which definitions show them. */
export const KEYWORDS: ReadonlyMap<string, Keyword> = new Map<string, Keyword>([
  ['title', TEXT],
  ['description', TEXT],
  ['enum', { accepts: (value) => Array.isArray(value) && value.length > 0, expects: 'a list with at least one value' }],
  ['const', ANY],
  ['minLength', { types: ['string'], ...COUNT }],
  ['maxLength', { types: ['string'], ...COUNT }],
  ['pattern', { types: ['string'], accepts: (value) => typeof value === 'string', expects: 'a regular expression' }],
  [
    'format',
    {
      types: ['string'],
      accepts: (value) => STRING_FORMATS.some((format) => format === value),
      expects: `one of ${STRING_FORMATS.join(', ')}`,
    },
  ],
  ['minimum', NUMBER],
  ['maximum', NUMBER],
  ['exclusiveMinimum', NUMBER],
  ['exclusiveMaximum', NUMBER],
  [
    'multipleOf',
    { ...NUMBER, accepts: (value) => Number.isFinite(value) && Number(value) > 0, expects: 'a number more than 0' },
  ],
  ['items', { types: ['array'], accepts: isJsonObject, expects: 'a schema' }],
  ['minItems', { types: ['array'], ...COUNT }],
  ['maxItems', { types: ['array'], ...COUNT }],
  ['uniqueItems', { types: ['array'], ...FLAG }],
  ['properties', { types: ['object'], accepts: isJsonObject, expects: 'an object of schemas' }],
  [
    'required',
    {
      types: ['object'],
      accepts: (value) => Array.isArray(value) && value.every((name) => typeof name === 'string'),
      expects: 'a list of names',
    },
  ],
  ['additionalProperties', { types: ['object'], ...FLAG }],
  ['x-ref', { accepts: (value) => typeof value === 'string', expects: 'the name of a collection, users or files' }],
  [
    'x-on-delete',
    {
      accepts: (value) => REFERENCE_ACTIONS.some((action) => action === value),
      expects: `one of ${REFERENCE_ACTIONS.join(', ')}`,
    },
  ],
  ['default', ANY],
])

/** Keywords of fields that definitions in code have in addition. */
const KEYWORDS_IN_CODE = ['x-line', 'x-max-bytes'] as const

/** The field with the values of its keywords, which {@link KEYWORDS} accept. */
export const fieldOf = (type: FieldSchema['type'], keywords: ReadonlyMap<string, unknown>): FieldSchema => {
  const members = [...KEYWORDS.keys()].filter((name) => keywords.has(name)).map((name) => [name, keywords.get(name)])
  // Each keyword has a value of its type.
  return { type, ...Object.fromEntries(members) } as FieldSchema
}

/** The JSON Schema of a field, its keywords always in the same order. */
export const schemaOf = (field: FieldSchema): JsonObject => {
  const keywords = new Map<string, Json>(Object.entries(field))
  if (field.properties !== undefined) keywords.set('properties', schemasOf(field.properties))
  if (field.items !== undefined) keywords.set('items', schemaOf(field.items))
  const members = ['type', ...KEYWORDS.keys(), ...KEYWORDS_IN_CODE].flatMap((name) => {
    const value = keywords.get(name)
    return value === undefined ? [] : [[name, value] as const]
  })
  return Object.fromEntries(members)
}

export const schemasOf = (fields: Readonly<Record<string, FieldSchema>>): JsonObject =>
  Object.fromEntries(Object.entries(fields).map(([name, field]) => [name, schemaOf(field)]))
