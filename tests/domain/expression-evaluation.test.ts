import { expect, test } from 'bun:test'
import { evaluate, isTrue, MAX_EVALUATION_STEPS_COUNT } from '../../src/domain/expression-evaluation.ts'
import type { JsonObject } from '../../src/domain/merge-patch.ts'
import { condition, environmentOf } from '../support/tasks.ts'

/** True, false, or undefined for a failure. */
const result = (text: string, fields: JsonObject = {}) => evaluate(condition(text), environmentOf(fields))

test.each<[string, JsonObject]>([
  ['record.id == 3 && record.owner_id == 1 && record.version == 1', {}],
  ['record.created_at == now - duration("1h") && record.updated_at == now', {}],
  ['record.title == "Oak" && record.place.city == "Berlin"', { title: 'Oak', place: { city: 'Berlin' } }],
  ['record.data.a.b == 3 && record.data.tags.exists(x, x == "t")', { data: { a: { b: 3 }, tags: ['t', 4] } }],
  ['auth.id == 1 && auth.role == "user" && auth.email == "ada@example.com" && auth.email_verified', {}],
])('%s reads members', (text, fields) => {
  expect(result(text, fields)).toBe(true)
})

test('a missing member is null', () => {
  expect(result('record.title == null && record.place.city == null', { place: {} })).toBe(true)
})

test('an inherited member of JavaScript objects is missing too', () => {
  expect(result('record.data.constructor == null && !has(record.data.toString)', { data: {} })).toBe(true)
})

test('has is true for a member that is not null', () => {
  const fields = { title: '', note: null }
  expect(result('has(record.title) && !has(record.note) && !has(record.done)', fields)).toBe(true)
})

test('a nested member keeps its name, even if every record has one of this name', () => {
  expect(result('record.data.owner_id == 9', { data: { owner_id: 9, ownerId: 8 } })).toBe(true)
})

test('next is the record after an update', () => {
  const next = { ...environmentOf({ count: 2 }).record }
  expect(isTrue(condition('next.count == 2 && record.count == 1'), environmentOf({ count: 1 }, { next }))).toBe(true)
})

test.each([
  'record.list.title == "Home"',
  'record.list.owner_id == auth.id && record.list.version == 2',
  'record.list.owner.name == "Ada"',
  'auth.id in record.list.members',
  'record.list.created_at == now',
  'record.photo.content_type == "image/png" && record.photo.owner_id == 2 && record.photo.created_at == now',
  'has(record.list.title) && !has(record.list.rank)',
])('%s follows references', (text) => {
  expect(result(text, { list: 7, photo: 5 })).toBe(true)
})

test('a reference that is null or leads nowhere fails', () => {
  expect(result('record.list.title == "Home"', { list: null })).toBeUndefined()
  expect(result('record.list.title == "Home"', { list: 8 })).toBeUndefined()
  expect(result('has(record.list.title)', { list: 8 })).toBeUndefined()
})

test('a record that is not loaded is requested, and the expression fails', () => {
  const asked: string[] = []
  const environment = environmentOf(
    { list: 7 },
    {
      referenced(target, id) {
        asked.push(`${target}/${id}`)
        return undefined
      },
    },
  )
  expect(evaluate(condition('record.list.owner.name == "Ada"'), environment)).toBeUndefined()
  expect(asked).toEqual(['lists/7'])
})

test.each<[string, boolean]>([
  ['1 == 1.0', true],
  ['-0.0 == 0', true],
  ['1e3 == 1000', true],
  ['"a" != "A"', true],
  ['record.data.a == record.data.b', false],
  ['record.data.a == 1', false],
  ['record.data.b == "1"', false],
  ['record.data.a == null', false],
  ['record.data.o == record.data.p', true],
  ['record.data.o == record.data.l', false],
  ['record.data.l == record.data.m', true],
  ['record.tags == ["a", "b"]', true],
  ['record.tags == ["b", "a"]', false],
])('%s is %p: values of the same type are equal, others are not', (text, expected) => {
  const data = { a: '1', b: 1, o: { x: [1, { y: null }], z: 2 }, p: { z: 2, x: [1, { y: null }] }, l: [{}], m: [{}] }
  expect(result(text, { data, tags: ['a', 'b'] })).toBe(expected)
})

test.each<[string, boolean]>([
  ['"a" < "b"', true],
  ['"B" < "a"', true],
  ['"" < "a"', true],
  ['"a" <= "a"', true],
  ['"\uffee" < "\u{1f600}"', true],
  ['"\u{1f600}" < "\u{1f601}"', true],
  ['1.5 > 1', true],
  ['now < now + duration("1ms")', true],
  ['duration("90m") > duration("1h")', true],
])('%s is %p: strings are ordered by code points', (text, expected) => {
  expect(result(text)).toBe(expected)
})

test.each([
  'record.price > 1',
  'record.data.a < 1',
  'record.data.t < record.data.f',
  '!record.done',
  'record.done && true',
  'record.note.startsWith("a")',
  'record.tags.exists(x, x == "a")',
  '"a" in record.tags',
  'size(record.note) > 0',
  'timestamp(record.title) < now',
  'duration(record.title) > duration("1s")',
  'timestamp("9999-12-31T23:59:59Z") + duration("1h") > now',
  'record.place.city == "Berlin"',
  'record.done ? true : true',
])('%s fails: a value is null, out of range or of another type', (text) => {
  expect(result(text, { title: 'x', data: { a: '1', t: true, f: false } })).toBeUndefined()
})

test.each<[string, boolean | undefined]>([
  ['record.done || true', true],
  ['true || record.done', true],
  ['record.done && false', false],
  ['false && record.done', false],
  ['record.done || false', undefined],
  ['record.done && true', undefined],
  ['record.tags.exists(x, x == "b" || record.done)', true],
  ['["a"].exists(x, x == "b" || record.done)', undefined],
  ['["a"].exists(x, x == "b" && record.done)', false],
  ['true ? false : record.done', false],
])('%s is %p: a failure that cannot change the result is absorbed', (text, expected) => {
  expect(result(text, { tags: ['a', 'b'] })).toBe(expected)
})

test('an expression that fails is not true', () => {
  expect(isTrue(condition('record.price > 1'), environmentOf({}))).toBe(false)
})

test('fields in the format date-time are compared as points in time, to the millisecond', () => {
  const fields = {
    due_at: '2026-01-31T13:00:00.1239+01:00',
    days: ['2026-01-31T12:00:00Z'],
    place: { seen_at: '2026-01-31T12:00:00Z' },
  }
  expect(result('record.due_at == timestamp("2026-01-31T12:00:00.123Z")', fields)).toBe(true)
  expect(result('record.due_at > now && record.due_at < now + duration("1s")', fields)).toBe(true)
  expect(result('now in record.days && record.days.exists(day, day == now)', fields)).toBe(true)
  expect(result('record.place.seen_at == now', fields)).toBe(true)
})

test('a text that is not a timestamp fails if one is expected', () => {
  expect(result('record.due_at < now', { due_at: '2026-02-30T12:00:00Z' })).toBeUndefined()
})

test('a member of an object without a schema is read as a timestamp on request', () => {
  expect(result('timestamp(record.data.at) == now', { data: { at: '2026-01-31T12:00:00Z' } })).toBe(true)
})

test.each<[string, JsonObject]>([
  ['size(record.title) == 2 && record.title.size() == 2', { title: 'a😀' }],
  ['size(record.tags) == 3', { tags: ['a', 'b', 'c'] }],
  ['size(record.data) == 2', { data: { a: 1, b: 2 } }],
])('%s counts characters, elements or members', (text, fields) => {
  expect(result(text, fields)).toBe(true)
})

test.each<[string, boolean]>([
  ['record.title.startsWith("ab")', true],
  ['record.title.endsWith("cd")', true],
  ['record.title.contains("bc")', true],
  ['record.title.contains("")', true],
  ['record.title.contains("abcde")', false],
  ['record.title.startsWith("b")', false],
])('%s is %p', (text, expected) => {
  expect(result(text, { title: 'abcd' })).toBe(expected)
})

test('a long text is found in another one wherever it is', () => {
  const part = `${'ab'.repeat(40)}c`
  const texts = [part, `ab${part}`, `${'ab'.repeat(100)}c${part}`, `${'ab'.repeat(39)}c`, `${'ab'.repeat(40)}`]
  expect(texts.map((title) => result(`record.title.contains("${part}")`, { title }))).toEqual([
    true,
    true,
    true,
    false,
    false,
  ])
})

test('an inner exists may use the element of an outer one, and hide it', () => {
  const fields = { tags: ['a', 'b'] }
  expect(result('record.tags.exists(x, record.tags.exists(y, x != y))', fields)).toBe(true)
  expect(result('record.tags.exists(x, ["c"].exists(x, x == "a"))', fields)).toBe(false)
})

test('each element of the longest array in a record can be compared', () => {
  const list = Array.from({ length: 32_000 }, (_, index) => index % 10)
  const meter = { steps: 0 }
  const environment = environmentOf({ data: { list } })
  expect(evaluate(condition('record.data.list.exists(x, x == 10)'), environment, meter)).toBe(false)
  expect(meter.steps).toBeGreaterThan(list.length)
  expect(meter.steps).toBeLessThan(MAX_EVALUATION_STEPS_COUNT)
})

test.each([
  'record.data.list.exists(x, x in record.data.list && x < 0)',
  'record.data.list.exists(x, record.title.contains("aab") || x < 0)',
  'record.data.list.exists(x, size(record.title) == 1 || x < 0)',
  'record.data.list.exists(x, record.title < record.note || x < 0)',
  'record.data.list.exists(x, record.data == record.data && x < 0)',
  'record.data.list.exists(x, record.data.list.exists(y, y < 0))',
])('%s ends with a failure at the limit of steps', (text) => {
  const list = Array.from({ length: 10_000 }, (_, index) => index + 1)
  const environment = environmentOf({ data: { list }, title: 'a'.repeat(30_000), note: 'a'.repeat(30_000) })
  const meter = { steps: 0 }
  // Nothing absorbs this failure.
  expect(evaluate(condition(`(${text}) || true`), environment, meter)).toBeUndefined()
  // The last operation may exceed the limit by the size of a record.
  expect(meter.steps).toBeLessThan(MAX_EVALUATION_STEPS_COUNT + 20_000)
})
