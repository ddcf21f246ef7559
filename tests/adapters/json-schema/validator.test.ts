import { expect, test } from 'bun:test'
import Ajv from 'ajv/dist/2020'
import fc from 'fast-check'
import { compileValidator } from '../../../src/adapters/json-schema/validator.ts'
import { ITEMS } from '../../../src/domain/collections/items.ts'
import { definitionOf } from '../../../src/domain/definition.ts'
import { MAX_PATTERN_STEPS, MAX_VALUE_FAULTS_COUNT, pointerTo } from '../../../src/domain/field-checks.ts'
import { isJsonObject, type Json, type JsonObject } from '../../../src/domain/merge-patch.ts'
import {
  collectionOf,
  collections,
  definitionWith,
  draftsOf,
  placesIn,
  replacedAt,
  valueAt,
} from '../../support/definitions.ts'
import { runsOf } from '../../support/runs.ts'

const validatorOf = (properties: JsonObject, required: readonly string[] = []) =>
  compileValidator(collectionOf(definitionWith(properties, {}, { required })))

/** The faults of one field with this value. */
const faultsOf = (field: JsonObject, value: Json) => validatorOf({ f: field }).faultsOf({ f: value })

const detailOf = (field: JsonObject, value: Json) => faultsOf(field, value)[0]?.detail

test.each<[JsonObject, Json, string]>([
  [{ type: 'string', maxLength: 200 }, 5, 'Expected a string of at most 200 characters'],
  [{ type: 'string', minLength: 1, maxLength: 3 }, '', 'Expected a string of 1 to 3 characters'],
  [{ type: 'string', minLength: 1 }, '', 'Expected a string of at least 1 character'],
  [{ type: 'string' }, null, 'Expected a string'],
  [{ type: ['string', 'null'] }, 5, 'Expected a string, or null'],
  [{ type: 'string' }, 'a\0b', 'Expected text without NUL and without unpaired surrogates'],
  [{ type: 'string' }, '\ud800', 'Expected text without NUL and without unpaired surrogates'],
  [{ type: 'string', pattern: '^a+$' }, 'b', 'Expected text that matches the pattern ^a+$'],
  [{ type: 'string', format: 'email' }, 'b', 'Expected an email address'],
  [{ type: 'integer', minimum: 1, maximum: 5 }, 6, 'Expected an integer of at least 1 and at most 5'],
  [{ type: 'integer' }, 1.5, 'Expected an integer'],
  [{ type: 'integer' }, 2 ** 53, 'Expected an integer'],
  [{ type: 'integer', multipleOf: 5 }, 6, 'Expected a multiple of 5'],
  [{ type: 'number', exclusiveMinimum: 0 }, 0, 'Expected a number of more than 0'],
  [{ type: 'number' }, '1', 'Expected a number'],
  [{ type: 'boolean' }, 1, 'Expected true or false'],
  [{ type: 'array', minItems: 2, maxItems: 2 }, [1], 'Expected an array of exactly 2 elements'],
  [
    { type: 'array', uniqueItems: true },
    [
      { a: 1, b: 2 },
      { b: 2, a: 1 },
    ],
    'Expected elements that all differ',
  ],
  [{ type: 'object' }, [], 'Expected an object'],
  [{ type: 'string', enum: ['a', 'b'] }, 'c', 'Expected one of "a", "b"'],
  [{ type: 'integer', const: 5 }, 6, 'Expected 5'],
])('%j: %j is answered: %s', (field, value, detail) => {
  expect(detailOf(field, value)).toBe(detail)
})

test('a long list of values is not repeated in a message', () => {
  const choices = Array.from({ length: 100 }, (_, index) => `choice ${index}`)
  expect(detailOf({ type: 'string', enum: choices }, 'x')).toBe('Expected one of the 100 values that the schema lists')
})

test('all faults are listed with their pointers, and nothing of the value', () => {
  const validator = validatorOf(
    {
      title: { type: 'string' },
      place: {
        type: 'object',
        required: ['a/b', 'c'],
        properties: { 'a/b': { type: 'integer' }, c: { type: 'integer' } },
      },
      list: { type: 'array', items: { type: 'integer' } },
    },
    ['title'],
  )
  expect(validator.faultsOf({ place: { 'a/b': 'SECRET', 'd~': 1 }, list: [1, 'SECRET', 3, null], more: 1 })).toEqual([
    { pointer: '/title', detail: 'Expected required property' },
    { pointer: '/place/a~1b', detail: 'Expected an integer' },
    { pointer: '/place/c', detail: 'Expected required property' },
    { pointer: '/place/d~0', detail: 'Unexpected property' },
    { pointer: '/list/1', detail: 'Expected an integer' },
    { pointer: '/list/3', detail: 'Expected an integer' },
    { pointer: '/more', detail: 'Unexpected property' },
  ])
})

test('faults beyond a limit are not looked for', () => {
  const wrong = Array.from({ length: 9_000 }, () => 'x')
  expect(faultsOf({ type: 'array', items: { type: 'integer' }, uniqueItems: true }, wrong)).toHaveLength(
    MAX_VALUE_FAULTS_COUNT,
  )
  const unknown = Object.fromEntries(Array.from({ length: 9_000 }, (_, index) => [`x${index}`, 1]))
  expect(validatorOf({}).faultsOf(unknown)).toHaveLength(MAX_VALUE_FAULTS_COUNT)
})

test('the patterns for one record share a number of steps', () => {
  const field = { type: 'array', items: { type: 'string', pattern: '^[a-z]{20}' } }
  const texts = (count: number) => Array.from({ length: count }, () => 'a'.repeat(1_000))
  expect(faultsOf(field, texts(1))).toEqual([])
  const count = Math.ceil(MAX_PATTERN_STEPS / 1_000 / 20)
  expect(faultsOf(field, texts(count))[0]).toMatchObject({ detail: expect.stringContaining('less text') })
})

test('lengths count characters, not UTF-16 code units', () => {
  expect(faultsOf({ type: 'string', minLength: 2, maxLength: 2 }, '🐝🐝')).toEqual([])
  expect(faultsOf({ type: 'string', minLength: 3 }, '🐝🐝')).toHaveLength(1)
})

test.each<[string, readonly string[], readonly string[]]>([
  [
    'date-time',
    [
      '2026-01-31T09:30:00Z',
      '2024-02-29t23:59:59.123456+05:30',
      '2016-12-31T23:59:60Z',
      '2016-12-31T15:59:60.5-08:00',
      '1969-01-01T05:29:60+05:30',
    ],
    [
      '2026-01-01T12:30:60Z',
      '2016-12-31T23:59:60+01:00',
      '2016-12-31T23:58:60.5Z',
      '2026-02-30T00:00:00Z',
      '2023-02-29T00:00:00Z',
      '2026-01-31',
      '2026-01-31T24:00:00Z',
      '2026-01-31T09:30:00',
      '0000-01-01T00:00:00Z',
    ],
  ],
  ['date', ['2024-02-29', '0001-01-01'], ['2023-02-29', '2026-13-01', '2026-1-1', '2026-01-01T00:00:00Z', '']],
  [
    'time',
    ['09:30:00Z', '23:59:59.5-08:00', '00:00:00+23:59', '00:59:60+01:00'],
    ['09:30:00', '12:30:60Z', '24:00:00Z', '9:30:00Z', '09:30Z', 'Z'],
  ],
  ['email', ['a@b', 'ada.l+x@example.com'], ['a', '@b', 'a@', ' a@b', 'a@b c', 'a@-b']],
  [
    'uri',
    ['https://example.com/a%20b?c=d#e', 'http://[::1]:80/', 'mailto:a@b', 'urn:x:y', 'http://u:p@h:1/'],
    ['example.com', '/a', 'http://a b', 'http://a/%zz', 'http://a/[', 'http://a#b#c', '', 'http://a:x/', '1http://a'],
  ],
  [
    'uuid',
    ['5f0c9a52-6f0e-4c5b-9d3a-0a7c4f1e8b26', '5F0C9A52-6F0E-4C5B-9D3A-0A7C4F1E8B26'],
    ['5f0c9a526f0e4c5b9d3a0a7c4f1e8b26', 'x', '{5f0c9a52-6f0e-4c5b-9d3a-0a7c4f1e8b26}'],
  ],
])('format %s', (format, good, bad) => {
  const accepted = (texts: readonly string[]) =>
    texts.filter((text) => faultsOf({ type: 'string', format }, text).length === 0)
  expect(accepted(good)).toEqual([...good])
  expect(accepted(bad)).toEqual([])
})

test('multiples of a fraction are decimal', () => {
  const price = { type: 'number', multipleOf: 0.01 }
  for (const value of [0, 19.99, -0.3, 1.1, 123456.78]) expect(faultsOf(price, value)).toEqual([])
  for (const value of [0.001, 19.995, 1e-9]) expect(faultsOf(price, value)).toHaveLength(1)
})

test('a new record has the defaults of omitted fields, and null where it may be null', () => {
  const validator = validatorOf(
    {
      title: { type: 'string' },
      done: { type: 'boolean', default: false },
      due: { type: ['string', 'null'] },
      note: { type: 'string' },
      state: { type: ['string', 'null'], default: 'new' },
      place: { type: 'object', properties: { unit: { type: 'string', default: 'm' }, x: { type: 'integer' } } },
      list: { type: 'array', items: { type: 'object', properties: { n: { type: 'integer', default: 1 } } } },
    },
    ['title', 'done'],
  )
  expect(validator.draft({ title: 'a', state: null, place: { x: 5 }, list: [{}, { n: 2 }] })).toEqual({
    record: {
      title: 'a',
      done: false,
      due: null,
      state: null,
      place: { x: 5, unit: 'm' },
      list: [{ n: 1 }, { n: 2 }],
    },
  })
  expect(validator.draft({})).toEqual({ faults: [{ pointer: '/title', detail: 'Expected required property' }] })
})

test('a default is not shared between records and does not change the input', () => {
  const input = Object.freeze({})
  const validator = validatorOf({ tags: { type: 'array', default: ['a'] } })
  expect(validator.draft(input)).toEqual({ record: { tags: ['a'] } })
  expect(input).toEqual({})
})

test('members of a prototype are neither found nor expected', () => {
  const validator = validatorOf({ a: { type: 'object', properties: { b: { type: 'string' } } } })
  expect(validator.faultsOf(JSON.parse('{"__proto__":{"a":5},"a":{"constructor":1}}'))).toMatchObject([
    { pointer: '/a/constructor' },
    { pointer: '/__proto__' },
  ])
})

test('the fields of items are checked by the same rules', () => {
  const { draft, faultsOf: check } = compileValidator(ITEMS)
  expect(draft({ title: 'Oak table', data: { any: [1, null] } })).toEqual({
    record: { title: 'Oak table', description: null, data: { any: [1, null] } },
  })
  expect(check({ title: '\u200b', description: 'x'.repeat(10_001), data: { x: 'x'.repeat(16_384) } })).toEqual([
    { pointer: '/title', detail: 'Expected 1 to 200 visible characters' },
    { pointer: '/description', detail: 'Expected a string of at most 10000 characters, or null' },
    { pointer: '/data', detail: 'Expected an object of at most 16384 bytes of JSON' },
  ])
})

test('input that fits the schema creates a record that fits it', () => {
  fc.assert(
    fc.property(
      collections.chain((collection) => fc.tuple(fc.constant(collection), draftsOf(collection))),
      ([collection, input]) => {
        const validator = compileValidator(collection)
        const result = validator.draft(input)
        expect(result).toHaveProperty('record')
        if ('record' in result) expect(validator.faultsOf(result.record)).toEqual([])
      },
    ),
    { numRuns: runsOf(100, 300) },
  )
})

const ajv = new Ajv({
  strict: false,
  allErrors: true,
  validateFormats: false,
  validateSchema: false,
  ownProperties: true,
})

/** Where the reference finds faults. */
const referencePointers = (schema: object, value: Json): ReadonlySet<string> => {
  const check = ajv.compile(schema)
  check(value)
  const pointers = (check.errors ?? []).map(({ instancePath, params }) => {
    const name = params.missingProperty ?? params.additionalProperty
    return name === undefined ? instancePath : pointerTo(instancePath, name)
  })
  ajv.removeSchema()
  return new Set(pointers)
}

const isInexact = (value: Json | undefined) => typeof value === 'number' && Math.abs(value) > Number.MAX_SAFE_INTEGER

const isFormatFault = (detail: string) => /RFC 3339|a date such|a time of day|email|URI|UUID/.test(detail)

test('any value is accepted or refused as by an independent implementation, at the same places', () => {
  const value = fc.oneof(
    fc.constantFrom<Json>(null, true, '', 'a', 'abc-1', 0, 1, 1.5, -7, 42, [], [1, 1], {}, { a: 1 }),
    fc.jsonValue({ maxDepth: 2 }) as fc.Arbitrary<Json>,
  )
  fc.assert(
    fc.property(
      collections.chain((collection) =>
        fc.tuple(fc.constant(collection), draftsOf(collection), fc.array(fc.tuple(fc.nat(), value), { maxLength: 3 })),
      ),
      ([collection, record, changes]) => {
        const changed = changes.reduce<Json>((before, [position, next]) => {
          const places = placesIn(before).slice(1)
          return places.length === 0 ? before : replacedAt(before, places[position % places.length] ?? '', next)
        }, record)
        if (!isJsonObject(changed)) throw new Error('only members are replaced')
        // The reference knows no limit of integers.
        fc.pre(placesIn(changed).every((place) => !isInexact(valueAt(changed, place))))
        const faults = compileValidator(collection)
          .faultsOf(changed)
          .filter(({ detail }) => !isFormatFault(detail))
        const schema = definitionOf(collection).schema
        if (!isJsonObject(schema)) throw new Error('a definition has a schema')
        const expected = referencePointers(schema, changed)
        for (const { pointer } of faults) expect(expected).toContain(pointer)
        expect(faults.length > 0).toBe(expected.size > 0)
      },
    ),
    { numRuns: runsOf(100, 400) },
  )
})
