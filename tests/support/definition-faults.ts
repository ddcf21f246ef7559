import { compilePattern } from '../../src/adapters/json-schema/patterns.ts'
import { parseDefinition } from '../../src/domain/definition.ts'
import type { Fault } from '../../src/domain/errors.ts'
import type { Json, JsonObject } from '../../src/domain/merge-patch.ts'
import { definitionWith } from './definitions.ts'

/** A definition without faults that uses most of what definitions have. */
export const TASKS: JsonObject = {
  name: 'tasks',
  schema: {
    type: 'object',
    required: ['title', 'list'],
    properties: {
      title: { type: 'string', minLength: 1, maxLength: 200 },
      done: { type: 'boolean', default: false },
      due_at: { type: ['string', 'null'], format: 'date-time' },
      list: { type: 'integer', 'x-ref': 'lists', 'x-on-delete': 'cascade' },
      photo: { type: ['null', 'integer'], 'x-ref': 'files' },
    },
  },
  indexes: [{ fields: ['list', 'due_at'] }, { fields: ['list', 'title'], unique: true }, { fields: ['due_at'] }],
  search: ['title'],
  rules: { read: 'true', create: null },
  owner: 'keep',
}

export const faultsOf = (definition: JsonObject): readonly Fault[] => {
  const parsed = parseDefinition(definition, compilePattern)
  return 'faults' in parsed ? parsed.faults : []
}

export const pointersOf = (definition: JsonObject): readonly string[] =>
  faultsOf(definition).map(({ pointer }) => pointer)

/** The faults of a definition with one field `f`, by their places in that field. */
export const inField = (field: Json, rest: JsonObject = {}, schema: JsonObject = {}): readonly string[] =>
  pointersOf(definitionWith({ f: field }, rest, schema)).map((pointer) => pointer.replace('/schema/properties/f', 'f'))
