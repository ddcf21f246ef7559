import { type Collection, type FieldSchema, isAlwaysPresent, isNullable } from '../../../domain/collection.ts'
import { expandedNode, type TitleOf } from './expanded.ts'
import { mapValues, type Node } from './node.ts'
import { sampleOf } from './sample.ts'

/** Keywords that the document shows as they are. */
const KEYWORDS = [
  'type',
  'description',
  'enum',
  'const',
  'minLength',
  'maxLength',
  'pattern',
  'format',
  'minimum',
  'maximum',
  'exclusiveMinimum',
  'exclusiveMaximum',
  'multipleOf',
  'minItems',
  'maxItems',
  'uniqueItems',
  'required',
  'x-ref',
  'x-on-delete',
] as const satisfies readonly (keyof FieldSchema)[]

interface Use {
  /** Whether null is accepted even if the type is not nullable. */
  readonly orNull: boolean
  /** Whether objects are described as closed: in requests, not in responses, where clients must tolerate new members. */
  readonly closed: boolean
  /**
   * Whether defaults are shown. Only those of a new record: generated clients would send them in a patch, and expect
   * them in responses.
   */
  readonly hasDefaults: boolean
}

const SHOWN: Use = { orNull: false, closed: false, hasDefaults: false }
const CREATED: Use = { orNull: false, closed: true, hasDefaults: true }

const withNull = (schema: Record<string, unknown>, { type, enum: values }: FieldSchema): void => {
  schema.type = typeof type === 'string' ? [type, 'null'] : type
  if (values !== undefined && !values.includes(null)) schema.enum = [...values, null]
}

/** A field as JSON Schema for the OpenAPI document. */
const schemaOf = (field: FieldSchema, use: Use): Node => {
  const schema: Record<string, unknown> = {}
  for (const keyword of KEYWORDS) if (field[keyword] !== undefined) schema[keyword] = field[keyword]
  if (use.hasDefaults && field.default !== undefined) schema.default = field.default
  // A title would make it a component, whose name might be taken.
  if (field.title !== undefined && field.description === undefined) schema.description = field.title
  const nested = { ...use, orNull: false }
  if (field.items !== undefined) schema.items = schemaOf(field.items, nested)
  if (field.properties !== undefined) {
    schema.properties = mapValues(field.properties, (each) => schemaOf(each as FieldSchema, nested))
    if (use.closed && field.additionalProperties !== true) schema.additionalProperties = false
  }
  if (use.orNull && !isNullable(field)) {
    if (field.const !== undefined) return { oneOf: [schema, { type: 'null' }] }
    withNull(schema, field)
  }
  const sample = sampleOf(field)
  return sample === undefined ? schema : { ...schema, examples: [sample] }
}

const ID = { type: 'integer', minimum: 1, examples: [1] }
const TIME = { type: 'string', format: 'date-time', examples: ['2026-01-31T09:30:00.000Z'] }

/** The schema of a record of a collection defined at run time, as events have it: with nothing expanded. */
export const recordSchemaOf = (collection: Collection, title: string) => {
  const present = Object.keys(collection.fields).filter((name) => isAlwaysPresent(collection, name))
  return {
    type: 'object',
    title,
    ...(collection.description === '' ? {} : { description: collection.description }),
    required: ['id', 'owner_id', ...present, 'version', 'created_at', 'updated_at'],
    properties: {
      id: ID,
      owner_id: { ...ID, type: ['integer', 'null'], description: 'Null for a record that nobody owns' },
      ...mapValues(collection.fields, (field) => schemaOf(field as FieldSchema, SHOWN)),
      version: { type: 'integer', minimum: 1, description: 'Increases with each change', examples: [3] },
      created_at: TIME,
      updated_at: TIME,
    },
  } satisfies Node
}

/**
 * The schemas of a collection defined at run time, whose names begin with `title`. `titleOf` is that of others, by name.
 */
export const recordSchemasOf = (collection: Collection, title: string, titleOf: TitleOf) => {
  const { fields, required } = collection
  const draft = mapValues(fields, (field) => schemaOf(field as FieldSchema, CREATED))
  const patch = mapValues(fields, (field, name) =>
    schemaOf(field as FieldSchema, { orNull: !required.includes(name), closed: true, hasDefaults: false }),
  )
  const record = recordSchemaOf(collection, title)
  const expanded = expandedNode(collection, title, titleOf)
  return {
    Record: { ...record, properties: { ...record.properties, expanded } },
    Create: {
      type: 'object',
      title: `${title}Create`,
      ...(required.length === 0 ? {} : { required }),
      properties: draft,
      additionalProperties: false,
    },
    Update: { type: 'object', title: `${title}Update`, properties: patch, additionalProperties: false },
  } satisfies Readonly<Record<string, Node>>
}
