import { expect, test } from 'bun:test'
import type { Json } from '../../src/domain/merge-patch.ts'
import { pointersOf } from '../support/definition-faults.ts'
import { definitionWith } from '../support/definitions.ts'

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
