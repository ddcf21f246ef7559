import fc from 'fast-check'
import { compilePattern } from '../../src/adapters/json-schema/patterns.ts'
import { type Collection, type FieldSchema, isNullable, STRING_FORMATS, typeOf } from '../../src/domain/collection.ts'
import { parseDefinition } from '../../src/domain/definition.ts'
import { pointerTo } from '../../src/domain/field-checks.ts'
import { isJsonObject, type Json, type JsonObject } from '../../src/domain/merge-patch.ts'

/** The collection of a definition without faults. */
export const collectionOf = (definition: JsonObject): Collection => {
  const parsed = parseDefinition(definition, compilePattern)
  if ('collection' in parsed) return parsed.collection
  throw new Error(`the definition has faults: ${JSON.stringify(parsed.faults)}`)
}

/** A definition with these fields, and the rest as it must be. */
export const definitionWith = (properties: JsonObject, rest: JsonObject = {}, schema: JsonObject = {}): JsonObject => ({
  name: 'tasks',
  schema: { type: 'object', properties, ...schema },
  ...rest,
})

/** The value at a JSON Pointer; undefined if there is none. */
export const valueAt = (document: Json, pointer: string): Json | undefined => {
  let value: Json | undefined = document
  for (const token of pointer.split('/').slice(1)) {
    const name = token.replaceAll('~1', '/').replaceAll('~0', '~')
    if (Array.isArray(value)) value = value[Number(name)]
    else value = isJsonObject(value) && Object.hasOwn(value, name) ? value[name] : undefined
  }
  return value
}

const FORMATTED = {
  'date-time': ['2026-01-31T09:30:00Z', '2024-02-29T23:59:59.999+14:00'],
  date: ['2026-01-31', '2024-02-29'],
  time: ['09:30:00Z', '23:59:59.5-05:00'],
  email: ['ada@example.com', 'a.b+c@sub.example.org'],
  uri: ['https://example.com/a?b#c', 'mailto:ada@example.com', 'urn:isbn:0451450523'],
  uuid: ['5f0c9a52-6f0e-4c5b-9d3a-0a7c4f1e8b26'],
} as const satisfies Record<(typeof STRING_FORMATS)[number], readonly string[]>

const PATTERNS = ['^[a-z]*$', '^[a-z0-9]+(-[a-z0-9]+)*$', '[0-9]', '^(red|green|blue)$']

/** Text that every store can hold. */
export const storableText = (minLength: number, maxLength: number): fc.Arbitrary<string> =>
  fc
    .array(
      fc.string({ unit: 'grapheme', minLength: 1, maxLength: 1 }).map((text) => [...text][0] ?? 'x'),
      { minLength, maxLength },
    )
    .map((characters) => characters.join(''))

const typed = (type: string, keywords: fc.Arbitrary<object>): fc.Arbitrary<JsonObject> =>
  fc.tuple(fc.boolean(), keywords).map(([isNull, rest]) => ({ type: isNull ? [type, 'null'] : type, ...rest }))

const range = (low: string, high: string, arbitrary: fc.Arbitrary<number>): fc.Arbitrary<object> =>
  fc.tuple(arbitrary, arbitrary, fc.boolean(), fc.boolean()).map(([one, other, hasLow, hasHigh]) => ({
    ...(hasLow && { [low]: Math.min(one, other) }),
    ...(hasHigh && { [high]: Math.max(one, other) }),
  }))

const stringSchema = fc.oneof(
  typed('string', range('minLength', 'maxLength', fc.nat(12))),
  typed(
    'string',
    fc.constantFrom(...STRING_FORMATS).map((format) => ({ format })),
  ),
  typed(
    'string',
    fc.constantFrom(...PATTERNS).map((pattern) => ({ pattern })),
  ),
  fc
    .uniqueArray(storableText(0, 5), { minLength: 1, maxLength: 4 })
    .map((values) => ({ type: 'string', enum: values })),
  storableText(0, 5).map((value) => ({ type: 'string', const: value })),
)

const numberSchema = fc.oneof(
  typed('integer', range('minimum', 'maximum', fc.integer({ min: -100, max: 100 }))),
  typed('number', range('minimum', 'maximum', fc.integer({ min: -100, max: 100 }))),
  typed(
    'integer',
    fc.integer({ min: 1, max: 9 }).map((multipleOf) => ({ multipleOf })),
  ),
  typed(
    'number',
    fc.integer({ min: -9, max: 9 }).map((low) => ({ exclusiveMinimum: low, exclusiveMaximum: low + 2 })),
  ),
)

const DESCRIBED = fc.record(
  {
    title: storableText(0, 10),
    description: fc.oneof(storableText(0, 30), fc.constant('Ends */ here\nand \r\n there')),
  },
  { requiredKeys: [] },
)

const propertyName = fc.oneof(fc.constantFrom('a', 'b', 'c/d', 'e~f', 'class', 'in'), storableText(1, 8))

const fieldSchema = (depth: number): fc.Arbitrary<JsonObject> => {
  const scalar = fc.oneof(stringSchema, numberSchema, typed('boolean', fc.constant({})))
  const schema =
    depth === 0 ? scalar : fc.oneof({ weight: 3, arbitrary: scalar }, arraySchema(depth), objectSchema(depth))
  return fc.tuple(schema, DESCRIBED).map(([keywords, about]) => ({ ...keywords, ...about }))
}

const arraySchema = (depth: number): fc.Arbitrary<JsonObject> =>
  fc.oneof(
    typed('array', range('minItems', 'maxItems', fc.nat(4))),
    typed(
      'array',
      fc.record({ items: fieldSchema(depth - 1), uniqueItems: fc.boolean() }, { requiredKeys: ['items'] }),
    ),
  )

const membersSchema = (names: fc.Arbitrary<string>, depth: number, maxKeys: number) =>
  fc
    .dictionary(names, fc.tuple(fieldSchema(depth), fc.boolean()), { maxKeys, noNullPrototype: true })
    .map((members) => ({
      properties: Object.fromEntries(Object.entries(members).map(([name, [field]]) => [name, field])),
      required: Object.entries(members).flatMap(([name, [, isRequired]]) => (isRequired ? [name] : [])),
    }))

const objectSchema = (depth: number): fc.Arbitrary<JsonObject> =>
  typed(
    'object',
    fc
      .tuple(
        membersSchema(
          propertyName.filter((name) => !(name in Object.prototype)),
          depth - 1,
          3,
        ),
        fc.boolean(),
      )
      .map(([members, isOpen]) => ({ ...members, ...(isOpen && { additionalProperties: true }) })),
  )

const REFERENCES: fc.Arbitrary<JsonObject> = fc.constantFrom<JsonObject>(
  { type: 'integer', 'x-ref': 'users' },
  { type: ['integer', 'null'], 'x-ref': 'files', 'x-on-delete': 'clear' },
  { type: 'array', items: { type: 'integer' }, 'x-ref': 'tasks', 'x-on-delete': 'cascade' },
)

const fieldName = fc.stringMatching(/^[a-z][a-z0-9]{0,7}$/).map((name) => `f_${name}`)

const isIndexable = (field: Json | undefined): boolean => {
  if (!isJsonObject(field)) return false
  const type = Array.isArray(field.type) ? field.type[0] : field.type
  if (type !== 'string') return type !== 'object' && type !== 'array'
  return (
    field.maxLength !== undefined || field.enum !== undefined || field.const !== undefined || field.format === 'date'
  )
}

const isSearchable = (field: Json | undefined): boolean => isJsonObject(field) && [field.type].flat().includes('string')

const namesOf = (properties: JsonObject, accepts: (field: Json | undefined) => boolean): readonly string[] =>
  Object.keys(properties).filter((name) => accepts(properties[name]))

const membersOver = (properties: JsonObject) => {
  const indexable = namesOf(properties, isIndexable)
  const index = fc.record(
    {
      fields: fc.shuffledSubarray([...indexable], {
        minLength: Math.min(1, indexable.length),
        maxLength: Math.min(3, indexable.length),
      }),
      unique: fc.boolean(),
    },
    { requiredKeys: ['fields'] },
  )
  return fc.record(
    {
      indexes:
        indexable.length === 0
          ? fc.constant([])
          : fc.uniqueArray(index, { maxLength: 4, selector: ({ fields }) => fields.join() }),
      search: fc.shuffledSubarray([...namesOf(properties, isSearchable)]),
      owner: fc.constantFrom('keep', 'delete'),
      rules: fc.record(
        { read: fc.constantFrom('true', null), create: fc.constantFrom('auth != null', null) },
        { requiredKeys: [] },
      ),
    },
    { requiredKeys: [] },
  )
}

/** Definitions without faults, of a collection `tasks`. */
export const definitions: fc.Arbitrary<JsonObject> = fc
  .tuple(membersSchema(fieldName, 2, 6), fc.dictionary(fieldName, REFERENCES, { maxKeys: 2, noNullPrototype: true }))
  .chain(([{ properties, required }, references]) => {
    const all: JsonObject = { ...references, ...properties }
    return fc.tuple(membersOver(all), DESCRIBED).map(([members, about]) => ({
      name: 'tasks',
      schema: { type: 'object', ...about, properties: all, required },
      ...members,
    }))
  })

/** Collections as they are defined at run time. */
export const collections: fc.Arbitrary<Collection> = definitions.map(collectionOf)

const stringValues = (field: FieldSchema): fc.Arbitrary<Json> => {
  const { minLength = 0, maxLength = minLength + 10, format, pattern } = field
  if (format !== undefined) return fc.constantFrom(...FORMATTED[format])
  if (pattern !== undefined) return fc.stringMatching(new RegExp(pattern), { maxLength: 20 })
  return storableText(minLength, maxLength)
}

const numberValues = (field: FieldSchema): fc.Arbitrary<Json> => {
  const { minimum = -1000, maximum = 1000, exclusiveMinimum, multipleOf } = field
  if (exclusiveMinimum !== undefined) return fc.constant(exclusiveMinimum + 1)
  if (multipleOf !== undefined) return fc.integer({ min: -20, max: 20 }).map((factor) => factor * multipleOf + 0)
  const low = Math.min(minimum, maximum)
  return fc.integer({ min: Math.ceil(low), max: Math.floor(Math.max(low, maximum)) })
}

const arrayValues = (field: FieldSchema): fc.Arbitrary<Json> => {
  const { items, minItems = 0, maxItems = minItems + 3, uniqueItems = false } = field
  const values = items === undefined ? (fc.jsonValue({ maxDepth: 1 }) as fc.Arbitrary<Json>) : valuesOf(items)
  const limits = { minLength: minItems, maxLength: maxItems }
  return uniqueItems
    ? fc.uniqueArray(values, { ...limits, selector: (value) => JSON.stringify(value) })
    : fc.array(values, limits)
}

/** Values that a field accepts. */
export const valuesOf = (field: FieldSchema): fc.Arbitrary<Json> => {
  const choices = field.const === undefined ? field.enum : [field.const]
  if (choices !== undefined) return fc.constantFrom(...choices)
  const values = (): fc.Arbitrary<Json> => {
    switch (typeOf(field)) {
      case 'string':
        return stringValues(field)
      case 'integer':
      case 'number':
        return numberValues(field)
      case 'boolean':
        return fc.boolean()
      case 'array':
        return arrayValues(field)
      case 'object':
        return objectsOf(field.properties ?? {}, field.required ?? [])
    }
  }
  return isNullable(field) ? fc.option(values(), { nil: null }) : values()
}

const objectsOf = (
  fields: Readonly<Record<string, FieldSchema>>,
  required: readonly string[],
): fc.Arbitrary<JsonObject> =>
  fc
    .tuple(
      ...Object.entries(fields).map(([name, field]) =>
        fc
          .tuple(required.includes(name) ? fc.constant(true) : fc.boolean(), valuesOf(field))
          .map(([isGiven, value]) => (isGiven ? [[name, value] as const] : [])),
      ),
    )
    .map((members) => Object.fromEntries(members.flat()))

/** Input that creates a record of the collection. Its references need not exist. */
export const draftsOf = ({ fields, required }: Collection): fc.Arbitrary<JsonObject> => objectsOf(fields, required)

/** Every place in a JSON value, as pointers. */
export const placesIn = (value: Json, pointer = ''): readonly string[] => [
  pointer,
  ...(isJsonObject(value) || Array.isArray(value)
    ? Object.entries(value).flatMap(([name, member]: [string, Json]) => placesIn(member, pointerTo(pointer, name)))
    : []),
]

/** A copy with another value at a pointer. */
export const replacedAt = (document: Json, pointer: string, value: Json): Json => {
  const [, token, ...rest] = pointer.split('/')
  if (token === undefined) return value
  const name = token.replaceAll('~1', '/').replaceAll('~0', '~')
  const below = ['', ...rest].join('/')
  if (Array.isArray(document)) {
    return document.map((element: Json, index) =>
      String(index) === name ? replacedAt(element, below, value) : element,
    )
  }
  if (!isJsonObject(document)) return value
  return Object.fromEntries(
    Object.entries(document).map(([key, member]) => [key, key === name ? replacedAt(member, below, value) : member]),
  )
}
