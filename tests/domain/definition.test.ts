import { expect, test } from 'bun:test'
import fc from 'fast-check'
import { compilePattern } from '../../src/adapters/json-schema/patterns.ts'
import { isAlwaysPresent, sortsOf, titleOf } from '../../src/domain/collection.ts'
import { COLLECTIONS } from '../../src/domain/collections/index.ts'
import { ITEMS } from '../../src/domain/collections/items.ts'
import { definitionOf, formatDefinition, parseDefinition, relationFaultsOf } from '../../src/domain/definition.ts'
import type { Fault } from '../../src/domain/errors.ts'
import { pointerTo } from '../../src/domain/field-checks.ts'
import { isEqualJson, type Json, type JsonObject } from '../../src/domain/merge-patch.ts'
import {
  collectionOf,
  collections,
  definitions,
  definitionWith,
  placesIn,
  replacedAt,
  valueAt,
} from '../support/definitions.ts'
import { document, operations } from '../support/openapi.ts'

const faultsOf = (definition: JsonObject): readonly Fault[] => {
  const parsed = parseDefinition(definition, compilePattern)
  return 'faults' in parsed ? parsed.faults : []
}

const pointersOf = (definition: JsonObject): readonly string[] => faultsOf(definition).map(({ pointer }) => pointer)

const inField = (field: Json, rest: JsonObject = {}, schema: JsonObject = {}): readonly string[] =>
  pointersOf(definitionWith({ f: field }, rest, schema)).map((pointer) => pointer.replace('/schema/properties/f', 'f'))

const TASKS: JsonObject = {
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

test.each(['', 'Tasks', '1st', '_x', 'a-b', 'a'.repeat(64), 'users', 'files', 'items', 'jobs', 'constructor', 7, null])(
  'a collection cannot be named %j',
  (name) => {
    expect(pointersOf({ ...TASKS, name })).toEqual(['/name'])
  },
)

test.each(['user', 'item', 'file_link', 'collection', 'problem', 'token_pair', 'user_create', 'T', '', null])(
  'a record cannot be called %j',
  (singular) => {
    expect(pointersOf({ ...TASKS, singular })).toEqual(['/singular'])
  },
)

test('the singular is the name without its final s, and must be available', () => {
  expect(collectionOf({ ...TASKS, name: 'glass' }).singular).toBe('glas')
  expect(collectionOf({ ...TASKS, name: 'data' }).singular).toBe('data')
  expect(pointersOf({ ...TASKS, name: 's' })).toEqual(['/name'])
  expect(pointersOf({ ...TASKS, name: 'problems' })).toEqual(['/name'])
  expect(pointersOf({ ...TASKS, name: 'problems', singular: 'riddle' })).toEqual([])
})

test('no collection has the type or the operation of another', () => {
  const ofCollections = (name: string) => COLLECTIONS.some((collection) => name.startsWith(titleOf(collection)))
  const snake = (name: string) => name.replace(/(?<!^)[A-Z]/g, '_$&').toLowerCase()
  const types = Object.keys((document.components as { schemas: object }).schemas).filter((name) => !ofCollections(name))
  expect(types.length).toBeGreaterThan(10)
  const allowed = types.filter((type) => !pointersOf({ ...TASKS, singular: snake(type) }).includes('/singular'))
  expect(allowed).toEqual([])
  const owned = operations.flatMap(({ id, path }) => {
    const [, verb, noun = ''] = /^(create|get|update|delete|list|batch)(.+)$/.exec(id) ?? []
    if (verb === undefined || path.includes('/items')) return []
    return [verb === 'list' || verb === 'batch' ? { ...TASKS, name: snake(noun) } : { ...TASKS, singular: snake(noun) }]
  })
  expect(owned.filter((definition) => faultsOf(definition).length === 0)).toEqual([])
})

test.each<[JsonObject, string]>([
  [{ type: 'array' }, '/schema/type'],
  [{}, '/schema'],
  [{ type: 'object', minLength: 1 }, '/schema/minLength'],
  [{ type: 'object', default: {} }, '/schema/default'],
  [{ type: 'object', $schema: 'https://json-schema.org/draft/2020-12/schema' }, '/schema/$schema'],
  [{ type: 'object', additionalProperties: true }, '/schema/additionalProperties'],
  [{ type: 'object', properties: [] }, '/schema/properties'],
  [{ type: 'object', required: 'title' }, '/schema/required'],
])('the schema of a record cannot be %j', (schema, pointer) => {
  expect(pointersOf({ name: 'tasks', schema })).toEqual([pointer])
})

test.each([
  'id',
  'owner_id',
  'version',
  'epoch',
  'created_at',
  'updated_at',
  'expanded',
  'op',
  'collection',
  'auth',
  'now',
])('a field cannot be named %s', (name) => {
  expect(pointersOf(definitionWith({ [name]: { type: 'integer' } }))).toEqual([`/schema/properties/${name}`])
})

test.each(['__proto__', 'toString', 'constructor', 'a b', '1', '', 'x'.repeat(64)])('nor %j', (name) => {
  const definition = JSON.parse(
    `{"name":"tasks","schema":{"type":"object","properties":{${JSON.stringify(name)}:{"type":"integer"}}}}`,
  )
  expect(pointersOf(definition)).toEqual([pointerTo('/schema/properties', name)])
})

test.each<[Json, ...string[]]>([
  [true, 'f'],
  [{}, 'f'],
  [{ type: 'null' }, 'f/type'],
  [{ type: ['string', 'integer'] }, 'f/type'],
  [{ type: ['string', 'null', 'null'] }, 'f/type'],
  [{ type: [] }, 'f/type'],
  [{ type: 'string', oneOf: [] }, 'f/oneOf'],
  [{ type: 'string', 'x-line': true }, 'f/x-line'],
  [{ type: 'string', examples: ['a'] }, 'f/examples'],
  [{ type: 'string', 'a/b': 1 }, 'f/a~1b'],
  [{ type: 'nope', $ref: '#' }, 'f/type', 'f/$ref'],
  [{ type: 'integer', minLength: 1 }, 'f/minLength'],
  [{ type: 'integer', format: 'date-time' }, 'f/format'],
  [{ type: 'string', minimum: 1 }, 'f/minimum'],
  [{ type: 'string', properties: {} }, 'f/properties'],
  [{ type: 'string', minLength: -1 }, 'f/minLength'],
  [{ type: 'string', maxLength: 1.5 }, 'f/maxLength'],
  [{ type: 'string', maxLength: '5' }, 'f/maxLength'],
  [{ type: 'string', format: 'ipv4' }, 'f/format'],
  [{ type: 'string', pattern: 5 }, 'f/pattern'],
  [{ type: 'string', pattern: '(' }, 'f/pattern'],
  [{ type: 'string', pattern: '(?=a)' }, 'f/pattern'],
  [{ type: 'string', pattern: '(a)\\1' }, 'f/pattern'],
  [{ type: 'string', description: 5 }, 'f/description'],
  [{ type: 'string', title: 'a\0' }, 'f/title'],
  [{ type: 'integer', multipleOf: 0 }, 'f/multipleOf'],
  [{ type: 'array', items: true }, 'f/items'],
  [{ type: 'array', items: {} }, 'f/items'],
  [{ type: 'array', items: { type: 'array', items: { type: 'x' } } }, 'f/items/items/type'],
  [{ type: 'array', uniqueItems: 'yes' }, 'f/uniqueItems'],
  [{ type: 'object', additionalProperties: { type: 'string' } }, 'f/additionalProperties'],
  [{ type: 'object', properties: { 'a/b': { type: 'x' } } }, 'f/properties/a~1b/type'],
  [{ type: 'object', properties: { constructor: { type: 'string' } } }, 'f/properties/constructor'],
  [{ type: 'object', properties: { '': { type: 'string' } } }, 'f/properties/'],
  [{ type: 'object', required: ['a'] }, 'f/required/0'],
  [
    { type: 'object', properties: { a: { type: 'string' } }, required: ['a', 'a', 'b'] },
    'f/required/1',
    'f/required/2',
  ],
  [{ type: 'string', minLength: 2, maxLength: 1 }, 'f/minLength'],
  [{ type: 'array', minItems: 2, maxItems: 1 }, 'f/minItems'],
  [{ type: 'number', minimum: 2, maximum: 1 }, 'f/minimum'],
  [{ type: 'number', exclusiveMinimum: 1, maximum: 1 }, 'f/exclusiveMinimum'],
  [{ type: 'number', minimum: 1, exclusiveMaximum: 1 }, 'f/minimum'],
  [{ type: 'string', enum: [] }, 'f/enum'],
  [{ type: 'string', enum: ['a', 1, null] }, 'f/enum/1', 'f/enum/2'],
  [{ type: 'string', maxLength: 1, enum: ['a', 'bb'] }, 'f/enum/1'],
  [{ type: ['string', 'null'], enum: ['a'] }, 'f/enum'],
  [{ type: 'integer', const: 'a' }, 'f/const'],
  [{ type: ['integer', 'null'], const: 1 }, 'f/const'],
  [{ type: 'string', default: null }, 'f/default'],
  [{ type: 'string', enum: ['a'], default: 'b' }, 'f/default'],
  [{ type: 'string', pattern: '^a$', default: 'b' }, 'f/default'],
  [{ type: 'string', default: 'a\0' }, 'f/default'],
  [{ type: 'object', properties: { a: { type: 'string' } }, default: { b: 1 } }, 'f/default'],
  [{ type: 'string', 'x-ref': 'users' }, 'f/x-ref'],
  [{ type: 'number', 'x-ref': 'users' }, 'f/x-ref'],
  [{ type: 'array', 'x-ref': 'users' }, 'f/x-ref'],
  [{ type: 'array', items: { type: 'string' }, 'x-ref': 'users' }, 'f/x-ref'],
  [{ type: 'array', items: { type: 'integer', 'x-ref': 'users' } }, 'f/items/x-ref'],
  [{ type: 'object', properties: { a: { type: 'integer', 'x-ref': 'users' } } }, 'f/properties/a/x-ref'],
  [{ type: 'integer', 'x-ref': 5 }, 'f/x-ref'],
  [{ type: 'integer', 'x-on-delete': 'cascade' }, 'f/x-on-delete'],
  [{ type: 'integer', 'x-ref': 'users', 'x-on-delete': 'forget' }, 'f/x-on-delete'],
  [
    { type: 'array', items: { type: 'integer' }, minItems: 1, 'x-ref': 'users', 'x-on-delete': 'clear' },
    'f/x-on-delete',
  ],
])('a field cannot be %j', (field, ...pointers) => {
  expect(inField(field)).toEqual(pointers)
})

test.each<[JsonObject]>([
  [{ type: 'integer', 'x-ref': 'users' }],
  [{ type: ['integer', 'null'], 'x-ref': 'tasks', 'x-on-delete': 'clear' }],
  [{ type: 'array', items: { type: 'integer' }, 'x-ref': 'users', 'x-on-delete': 'clear' }],
  [{ type: 'array' }],
  [{ type: 'object', properties: {} }],
  [{ type: ['string', 'null'], enum: ['a', null], default: null }],
  [{ type: 'object', properties: { id: { type: 'integer' } }, required: ['id'], default: { id: 1 } }],
])('a field can be %j', (field) => {
  expect(inField(field)).toEqual([])
})

test('a required reference that is never null cannot be cleared', () => {
  const reference = { type: 'integer', 'x-ref': 'users', 'x-on-delete': 'clear' }
  expect(inField(reference, {}, { required: ['f'] })).toEqual(['f/x-on-delete'])
  expect(inField(reference)).toEqual([])
  expect(inField({ ...reference, type: ['integer', 'null'] }, {}, { required: ['f'] })).toEqual([])
})

const INDEXED = {
  text: { type: 'string', maxLength: 200 },
  long: { type: 'string', maxLength: 201 },
  free: { type: 'string' },
  kind: { type: 'string', enum: ['a', 'b'] },
  wide: { type: 'string', enum: ['a'.repeat(201)] },
  day: { type: ['string', 'null'], format: 'date' },
  link: { type: 'string', format: 'uri' },
  flag: { type: 'boolean' },
  list: { type: 'array' },
  tree: { type: 'object' },
} as const

test.each<[Json, ...string[]]>([
  [{}, '/indexes'],
  [[{}], '/indexes/0'],
  [['text'], '/indexes/0'],
  [[{ fields: [] }], '/indexes/0/fields'],
  [[{ fields: ['text', 'kind', 'day', 'flag'] }], '/indexes/0/fields'],
  [[{ fields: ['text', 'text'] }], '/indexes/0/fields/1'],
  [[{ fields: ['nope', 7] }], '/indexes/0/fields/0', '/indexes/0/fields/1'],
  [[{ fields: ['list'] }, { fields: ['tree'] }], '/indexes/0/fields/0', '/indexes/1/fields/0'],
  [[{ fields: ['long'] }, { fields: ['free'] }], '/indexes/0/fields/0', '/indexes/1/fields/0'],
  [[{ fields: ['wide'] }, { fields: ['link'] }], '/indexes/0/fields/0', '/indexes/1/fields/0'],
  [[{ fields: ['id'] }, { fields: ['toString'] }], '/indexes/0/fields/0', '/indexes/1/fields/0'],
  [[{ fields: ['text'], unique: 1 }], '/indexes/0/unique'],
  [[{ fields: ['text'], where: 'x' }], '/indexes/0/where'],
  [[{ fields: ['text', 'day'] }, { fields: ['text', 'day'], unique: true }], '/indexes/1'],
])('indexes %j have faults at %s', (indexes, ...pointers) => {
  expect(pointersOf(definitionWith(INDEXED, { indexes }))).toEqual(pointers)
})

test('a collection has at most 16 indexes', () => {
  const fields = Object.fromEntries(Array.from({ length: 17 }, (_, index) => [`f${index}`, { type: 'integer' }]))
  const indexes = Object.keys(fields).map((name) => ({ fields: [name] }))
  expect(pointersOf(definitionWith(fields, { indexes: indexes.slice(1) }))).toEqual([])
  expect(pointersOf(definitionWith(fields, { indexes }))).toEqual(['/indexes'])
})

test('fields of bounded length and in any order can be indexed', () => {
  const indexes = [
    { fields: ['text', 'kind', 'day'] },
    { fields: ['kind', 'text'] },
    { fields: ['flag'], unique: true },
  ]
  expect(pointersOf(definitionWith(INDEXED, { indexes }))).toEqual([])
})

test.each<[Json, ...string[]]>([
  ['text', '/search'],
  [['flag', 'nope', 'text', 'text', 1], '/search/0', '/search/1', '/search/3', '/search/4'],
])('searched fields %j have faults', (search, ...pointers) => {
  expect(pointersOf(definitionWith(INDEXED, { search }))).toEqual(pointers)
})

test.each<[Json, ...string[]]>([
  [[], '/rules'],
  [{ read: '', update: ' ', delete: 5, list: 'true' }, '/rules/read', '/rules/update', '/rules/delete', '/rules/list'],
  [null, '/rules'],
  [{ read: 'x'.repeat(10_001) }, '/rules/read'],
])('rules %j have faults', (rules, ...pointers) => {
  expect(pointersOf({ ...TASKS, rules })).toEqual(pointers)
})

test('a schema has at most 200 fields in total', () => {
  const members = Object.fromEntries(Array.from({ length: 99 }, (_, index) => [`m${index}`, { type: 'integer' }]))
  const fields = { a: { type: 'object', properties: members }, b: { type: 'object', properties: members } }
  expect(pointersOf(definitionWith(fields))).toEqual([])
  expect(pointersOf(definitionWith({ ...fields, c: { type: 'integer' }, d: { type: 'integer' } }))).toEqual([
    '/schema/properties/c',
  ])
})

test('a schema has at most 8 levels', () => {
  const nested = (levels: number): JsonObject =>
    levels === 1 ? { type: 'string' } : { type: 'object', properties: { a: nested(levels - 1) } }
  expect(inField(nested(8))).toEqual([])
  expect(inField(nested(9))).toEqual([`f${'/properties/a'.repeat(8)}`])
  const list = (levels: number): JsonObject =>
    levels === 1 ? { type: 'string' } : { type: 'array', items: list(levels - 1) }
  expect(inField(list(9))).toEqual([`f${'/items'.repeat(8)}`])
})

test('a schema has at most 64 kB, and limits how deep values are nested', () => {
  expect(pointersOf(definitionWith({ f: { type: 'string', enum: ['x'.repeat(66_000)] } }))).toEqual(['/schema'])
  const deep = JSON.parse(`${'['.repeat(20_000)}${']'.repeat(20_000)}`)
  expect(pointersOf(definitionWith({ f: { type: 'array', default: deep } }))).toEqual(['/schema'])
  const fortyDeep = JSON.parse(`${'['.repeat(40)}${']'.repeat(40)}`)
  expect(inField({ type: 'array', default: fortyDeep })).toEqual(['f/default'])
})

test('the patterns of a schema are limited in total, even if they are refused', () => {
  const patterns = Array.from({ length: 100 }, (_, n) => `${'\\p{L}'.repeat(35)}${n}(?=x)`)
  const properties = Object.fromEntries(patterns.map((pattern, n) => [`f${n}`, { type: 'string', pattern }]))
  let compiledCount = 0
  const parsed = parseDefinition(definitionWith(properties), (source) => {
    compiledCount++
    return compilePattern(source)
  })
  expect(compiledCount).toBeLessThan(10)
  expect('faults' in parsed ? parsed.faults.length : 0).toBe(100)
})

test('the patterns of a schema are limited in total', () => {
  const fields = Object.fromEntries(
    Array.from({ length: 30 }, (_, index) => [`f${index}`, { type: 'string', pattern: `^[a-z]{40}${index}$` }]),
  )
  const pointers = pointersOf(definitionWith(fields))
  expect(pointers[0]).toMatch(/^\/schema\/properties\/f[12]\d\/pattern$/)
  expect(pointers.at(-1)).toBe('/schema/properties/f29/pattern')
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

test.each([
  ['todos', 'task'],
  ['task_creates', 'task_create'],
  ['task_batches', 'task_batch'],
])('records of %s cannot be called %s beside tasks', (name, singular) => {
  const other = collectionOf({ name, singular, schema: { type: 'object' } })
  const tasks = collectionOf({ name: 'tasks', schema: { type: 'object' } })
  expect(relationFaultsOf(other, [tasks])).toMatchObject([{ pointer: '/singular' }])
  expect(relationFaultsOf(tasks, [other])).toMatchObject([{ pointer: '/singular' }])
  expect(relationFaultsOf(tasks, [tasks])).toEqual([])
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
