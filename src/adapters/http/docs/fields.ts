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
  /** Whether objects are merged into existing ones (RFC 7396): members may be missing, and null removes one. */
  readonly merged: boolean
}

const SHOWN: Use = { orNull: false, closed: false, hasDefaults: false, merged: false }
const CREATED: Use = { orNull: false, closed: true, hasDefaults: true, merged: false }
const CHANGED: Use = { orNull: false, closed: true, hasDefaults: false, merged: true }

const withNull = (schema: Record<string, unknown>, { type, enum: values }: FieldSchema): void => {
  schema.type = typeof type === 'string' ? [type, 'null'] : type
  if (values !== undefined && !values.includes(null)) schema.enum = [...values, null]
}

type Fields = Readonly<Record<string, FieldSchema>>

/** The names of members that must be given. Those of a new record that have a default may be missing. */
const requiredOf = (required: readonly string[], fields: Fields, { hasDefaults, merged }: Use): Node => {
  const names = required.filter((name) => !(hasDefaults && fields[name]?.default !== undefined))
  return merged || names.length === 0 ? {} : { required: names }
}

const membersOf = (fields: Fields, required: readonly string[], use: Use): Node =>
  mapValues(fields, (field, name) =>
    schemaOf(field as FieldSchema, { ...use, orNull: use.merged && !required.includes(name) }),
  )

/** A field as JSON Schema for the OpenAPI document. */
const schemaOf = (field: FieldSchema, use: Use): Node => {
  const schema: Record<string, unknown> = {}
  for (const keyword of KEYWORDS) if (field[keyword] !== undefined) schema[keyword] = field[keyword]
  if (use.hasDefaults && field.default !== undefined) schema.default = field.default
  // A title would make it a component, whose name might be taken.
  if (field.title !== undefined && field.description === undefined) schema.description = field.title
  // A merge patch replaces arrays as a whole.
  if (field.items !== undefined) schema.items = schemaOf(field.items, { ...use, orNull: false, merged: false })
  if (field.properties !== undefined) {
    Object.assign(schema, requiredOf(field.required ?? [], field.properties, use))
    schema.properties = membersOf(field.properties, field.required ?? [], use)
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
  const record = recordSchemaOf(collection, title)
  const expanded = expandedNode(collection, title, titleOf)
  return {
    Record: { ...record, properties: { ...record.properties, expanded } },
    Create: {
      type: 'object',
      title: `${title}Create`,
      ...requiredOf(required, fields, CREATED),
      properties: membersOf(fields, required, CREATED),
      additionalProperties: false,
    },
    Update: {
      type: 'object',
      title: `${title}Update`,
      properties: membersOf(fields, required, CHANGED),
      additionalProperties: false,
    },
  } satisfies Readonly<Record<string, Node>>
}
