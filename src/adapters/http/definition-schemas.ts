import { t } from 'elysia'
import { RULE_NAMES } from '../../domain/collection.ts'
import type { JsonObject } from '../../domain/merge-patch.ts'
import { Timestamp } from './schemas.ts'

const EXAMPLE = {
  singular: 'task',
  schema: {
    type: 'object',
    required: ['title'],
    properties: { title: { type: 'string', maxLength: 200 }, done: { type: 'boolean', default: false } },
  },
  indexes: [{ fields: ['title'], unique: true }],
  search: ['title'],
  rules: { read: 'auth.id == record.owner_id' },
  owner: 'delete',
}

const name = {
  type: 'string',
  pattern: '^[a-z][a-z0-9_]{0,62}$',
  description: 'The plural, as in paths',
  examples: ['tasks'],
}

const rule = { type: ['string', 'null'], description: 'An expression in CEL; null means admins only' }

/** The members of a definition, for the document only: the core checks them and reports all faults. */
const DEFINITION = {
  name,
  singular: {
    type: 'string',
    description: 'Names one record; by default, the name without its final `s`',
    examples: ['task'],
  },
  schema: {
    type: 'object',
    additionalProperties: true,
    description: 'A JSON Schema (2020-12) of the fields, with `title`, `description`, and `x-ref` for references',
    examples: [EXAMPLE.schema],
  },
  indexes: {
    type: 'array',
    maxItems: 16,
    items: {
      type: 'object',
      title: 'CollectionIndex',
      required: ['fields'],
      properties: {
        fields: { type: 'array', minItems: 1, maxItems: 3, items: { type: 'string' }, examples: [['title']] },
        unique: { type: 'boolean', description: 'Ignores records in which a field is null', examples: [true] },
      },
    },
    examples: [EXAMPLE.indexes],
  },
  search: {
    type: 'array',
    items: { type: 'string' },
    description: 'Text fields that `q` searches',
    examples: [EXAMPLE.search],
  },
  rules: {
    type: 'object',
    title: 'CollectionRules',
    description: 'Who may do what; admins pass every rule',
    properties: Object.fromEntries(RULE_NAMES.map((each) => [each, { ...rule, examples: [EXAMPLE.rules.read] }])),
  },
  owner: {
    type: 'string',
    enum: ['delete', 'keep'],
    description: 'What happens to records when their owner is deleted; `keep` leaves them without an owner',
    examples: ['delete'],
  },
}

/** A new definition. Only that it is an object is checked here. */
export const DefinitionBody = t.Object(
  {},
  {
    additionalProperties: true,
    title: 'CollectionChange',
    openapi: {
      type: 'object',
      required: ['schema'],
      additionalProperties: false,
      properties: {
        ...DEFINITION,
        transform: {
          type: 'array',
          items: { type: 'object', additionalProperties: true },
          description: 'A JSON Patch (RFC 6902) that is applied to every record first',
          examples: [[{ op: 'move', from: '/name', path: '/title' }]],
        },
      },
      examples: [EXAMPLE],
    },
  },
)

const ABOUT = {
  built_in: { type: 'boolean', description: 'Whether it is defined in code, and cannot be changed', examples: [false] },
  records: { type: 'integer', minimum: 0, description: 'The number of records', examples: [12] },
  version: { type: 'integer', minimum: 1, description: 'Increases with each change of the definition', examples: [1] },
  created_at: { ...Timestamp.openapi, type: ['string', 'null'], description: 'Null for one defined in code' },
  updated_at: { ...Timestamp.openapi, type: ['string', 'null'], description: 'Null for one defined in code' },
}

/** A definition as it is shown. */
export type ShownDefinition = JsonObject & { readonly version: number; readonly records: number }

export const DefinitionResponse = t.Unsafe<ShownDefinition>(
  t.Object(
    {},
    {
      additionalProperties: true,
      title: 'CollectionDefinition',
      openapi: {
        type: 'object',
        required: Object.keys({ ...DEFINITION, ...ABOUT }),
        properties: { ...DEFINITION, ...ABOUT },
      },
    },
  ),
)
