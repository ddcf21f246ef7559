import { expect, test } from 'bun:test'
import { compilePattern } from '../../src/adapters/json-schema/patterns.ts'
import { parseDefinition } from '../../src/domain/definition.ts'
import type { Json, JsonObject } from '../../src/domain/merge-patch.ts'
import { inField, pointersOf } from '../support/definition-faults.ts'
import { definitionWith } from '../support/definitions.ts'

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
