import { expect, test } from 'bun:test'
import fc from 'fast-check'
import { isAlwaysPresent, sortsOf } from '../../src/domain/collection.ts'
import { COLLECTIONS } from '../../src/domain/collections/index.ts'
import { ITEMS } from '../../src/domain/collections/items.ts'
import { definitionOf, formatDefinition, relationFaultsOf } from '../../src/domain/definition.ts'
import { isEqualJson, type Json, type JsonObject } from '../../src/domain/merge-patch.ts'
import { faultsOf, pointersOf, TASKS } from '../support/definition-faults.ts'
import {
  collectionOf,
  collections,
  definitions,
  definitionWith,
  placesIn,
  replacedAt,
  valueAt,
} from '../support/definitions.ts'

test('a definition shows every default', () => {
  expect(definitionOf(collectionOf({ name: 'tasks', schema: { type: 'object' } }))).toEqual({
    name: 'tasks',
    singular: 'task',
    schema: { type: 'object', properties: {}, required: [], additionalProperties: false },
    indexes: [],
    search: [],
    rules: {
      read: 'auth.id == record.owner_id',
      create: 'auth != null',
      update: 'auth.id == record.owner_id',
      delete: 'auth.id == record.owner_id',
    },
    owner: 'delete',
  })
})

test('defaults within a schema are shown too', () => {
  const fields = definitionOf(
    collectionOf(
      definitionWith({
        photo: { 'x-ref': 'files', type: ['null', 'integer'] },
        place: { properties: { lat: { type: ['number'] } }, type: 'object' },
        extra: { type: 'object' },
      }),
    ),
  ).schema
  expect(fields).toMatchObject({
    properties: {
      photo: { type: ['integer', 'null'], 'x-ref': 'files', 'x-on-delete': 'restrict' },
      place: { type: 'object', properties: { lat: { type: 'number' } }, additionalProperties: false },
      extra: { type: 'object', additionalProperties: true },
    },
  })
})

test('the file of a definition is the same whatever the order of its members', () => {
  const reversed = (value: Json): Json =>
    typeof value !== 'object' || value === null || Array.isArray(value)
      ? value
      : Object.fromEntries(
          Object.entries(value)
            .toReversed()
            .map(([name, member]) => [name, name === 'properties' ? member : reversed(member)]),
        )
  const text = formatDefinition(collectionOf(TASKS))
  expect(formatDefinition(collectionOf(reversed(TASKS) as JsonObject))).toBe(text)
  expect(text).toEndWith('}\n')
})

test('a shown definition defines the same collection', () => {
  fc.assert(
    fc.property(collections, (collection) => {
      expect(collectionOf(JSON.parse(formatDefinition(collection)))).toEqual(collection)
    }),
  )
})

test('lists are sorted by the first field of any index, or by a field of every record', () => {
  expect(sortsOf(collectionOf(TASKS))).toEqual(['id', 'created_at', 'updated_at', 'list', 'due_at'])
  expect(sortsOf(ITEMS)).toEqual(['created_at', 'updated_at', 'title'])
})

test('a record has its required and its nullable fields', () => {
  const collection = collectionOf(TASKS)
  const present = Object.keys(collection.fields).filter((name) => isAlwaysPresent(collection, name))
  expect(present).toEqual(['title', 'due_at', 'list', 'photo'])
  expect(isAlwaysPresent(ITEMS, 'data')).toBe(true)
})

test('a definition in code can be shown', () => {
  expect(definitionOf(ITEMS)).toMatchObject({
    name: 'items',
    schema: { required: ['title'], properties: { title: { 'x-line': true }, data: { 'x-max-bytes': 16_384 } } },
  })
})

test('all faults are listed, each with its pointer', () => {
  const definition = {
    name: 'Tasks',
    kind: 'x',
    schema: {
      type: 'object',
      required: ['missing'],
      properties: {
        id: { type: 'integer' },
        a: { type: 'string', minLength: 2, maxLength: 1, oneOf: [] },
        b: { type: 'text' },
      },
    },
    indexes: [{ fields: ['c'] }, { fields: ['a'] }],
    search: ['id', 'b'],
    rules: { read: '', write: 'true' },
    owner: 'forget',
  }
  expect(pointersOf(definition)).toEqual([
    '/kind',
    '/name',
    '/schema/required/0',
    '/schema/properties/id',
    '/schema/properties/a/oneOf',
    '/schema/properties/a/minLength',
    '/schema/properties/b/type',
    '/indexes/0/fields/0',
    '/search/0',
    '/rules/read',
    '/rules/write',
    '/owner',
  ])
})

test.each<[Json, ...string[]]>([
  [[], '/rules'],
  [{ read: '', update: ' ', delete: 5, list: 'true' }, '/rules/read', '/rules/update', '/rules/delete', '/rules/list'],
  [null, '/rules'],
  [{ read: 'x'.repeat(10_001) }, '/rules/read'],
])('rules %j have faults', (rules, ...pointers) => {
  expect(pointersOf({ ...TASKS, rules })).toEqual(pointers)
})

test('a reference needs an existing target', () => {
  const tasks = collectionOf(TASKS)
  expect(relationFaultsOf(tasks, COLLECTIONS)).toMatchObject([{ pointer: '/schema/properties/list/x-ref' }])
  const lists = collectionOf({ name: 'lists', schema: { type: 'object' } })
  expect(relationFaultsOf(tasks, [...COLLECTIONS, lists])).toEqual([])
  const toItems = collectionOf(
    definitionWith({ item: { type: 'integer', 'x-ref': 'items' }, next: { type: 'integer', 'x-ref': 'tasks' } }),
  )
  expect(relationFaultsOf(toItems, COLLECTIONS)).toEqual([])
})

const anyJson = fc.oneof(
  fc.jsonValue({ maxDepth: 3 }) as fc.Arbitrary<Json>,
  fc.constantFrom<Json>('string', 'object', null, -1, 0, 1.5, [], {}, 'users', ['f'], '(', { type: 'string' }),
)

test('every fault of any definition points to a part of it', () => {
  fc.assert(
    fc.property(definitions, fc.nat(), anyJson, (definition, position, value) => {
      const places = placesIn(definition)
      const changed = replacedAt(definition, places[position % places.length] ?? '', value)
      const input =
        typeof changed === 'object' && changed !== null && !Array.isArray(changed) ? (changed as JsonObject) : {}
      for (const { pointer } of faultsOf(input)) expect(valueAt(input, pointer)).toBeDefined()
    }),
    { numRuns: 500 },
  )
})

test('any definition without faults is shown as it was defined', () => {
  fc.assert(
    fc.property(definitions, (definition) => {
      const shown = definitionOf(collectionOf(definition))
      expect(isEqualJson(definitionOf(collectionOf(shown)), shown)).toBe(true)
    }),
  )
})
