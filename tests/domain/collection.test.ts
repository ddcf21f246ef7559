import { expect, test } from 'bun:test'
import { type Collection, defineCollection, type FieldSchema } from '../../src/domain/collection.ts'

const sortedBy = (field: FieldSchema): Collection => ({
  name: 'notes',
  singular: 'note',
  description: 'Short texts',
  fields: { rank: field },
  required: [],
  sorts: ['rank'],
  search: [],
})

test.each<FieldSchema>([
  { type: 'integer' },
  { type: 'number' },
  { type: 'boolean' },
  { type: 'object' },
  { type: ['string', 'null'] },
])('a collection cannot be sorted by a field of type %j', (field) => {
  expect(() => defineCollection(sortedBy(field))).toThrow('collection notes: rank cannot be sorted by')
})

test('a collection can be sorted by text that is never null', () => {
  const collection = sortedBy({ type: 'string' })
  expect(defineCollection(collection)).toBe(collection)
})
