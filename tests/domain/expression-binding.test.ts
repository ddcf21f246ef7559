import { expect, test } from 'bun:test'
import { type Expression, FALSE, TRUE, type Value } from '../../src/domain/expression.ts'
import { assume, bind } from '../../src/domain/expression-binding.ts'
import {
  conjunctionOf,
  conjunctsOf,
  disjunctsOf,
  equalitiesOf,
  followsReferences,
  mentions,
  referencesIn,
} from '../../src/domain/expression-parts.ts'
import { NOW } from '../support/expressions.ts'
import { ADA, condition, environmentOf } from '../support/tasks.ts'

const forAda = (text: string): Expression => bind(condition(text), { auth: ADA, now: NOW })
const forNobody = (text: string): Expression => bind(condition(text), { auth: null, now: NOW })

test.each([
  ['auth != null', TRUE, FALSE],
  ['auth == null', FALSE, TRUE],
  ['auth.id == 1', TRUE, FALSE],
  ['auth.id != 1', FALSE, FALSE],
  ['!(auth.id == 2)', TRUE, FALSE],
  ['auth != null && record.id == 0 && false', FALSE, FALSE],
  ['auth.id == record.owner_id || true', TRUE, TRUE],
  ['now < timestamp("2026-02-01T00:00:00Z")', TRUE, TRUE],
  ['["user", "editor"].exists(role, role == auth.role)', TRUE, FALSE],
  ['(auth.id == 1 ? "a" : "b") in ["a"]', TRUE, FALSE],
])('%s is decided once for a caller, whatever the record', (text, ada, nobody) => {
  expect(forAda(text)).toBe(ada)
  expect(forNobody(text)).toBe(nobody)
})

test('a failure for the caller leaves only its alternatives', () => {
  expect(forNobody('auth.id == record.owner_id || record.done')).toEqual(condition('record.done'))
})

test('a condition that the caller meets leaves only the others', () => {
  expect(forAda('auth.email_verified && (record.done || auth.role == "admin")')).toEqual(condition('record.done'))
})

test('auth and now become literals', () => {
  expect(forAda('record.owner_id == auth.id')).toEqual(condition('record.owner_id == 1'))
  expect(forAda('record.due_at < now + duration("1h")')).toEqual(
    condition('record.due_at < timestamp("2026-01-31T13:00:00Z")'),
  )
})

test('a negated failure is a failure', () => {
  expect(forNobody('!(auth.id == 1 && record.done)')).toEqual({
    kind: 'not',
    of: { kind: 'and', left: { kind: 'failure' }, right: expect.anything() },
  })
})

const assuming = (text: string, equalities: Readonly<Record<string, Value>>, isLoaded = true): Expression =>
  assume(forAda(text), new Map(Object.entries(equalities)), isLoaded ? environmentOf({}).referenced : () => undefined)

test('a rule over a referenced record is evaluated once for all records with this reference', () => {
  const rule = 'auth.id == record.list.owner_id || auth.id in record.list.members'
  expect(assuming(rule, { list: 7 })).toBe(TRUE)
  expect(assuming(rule, { list: 8 })).toBe(FALSE)
  expect(assuming(rule, { list: null })).toBe(FALSE)
  expect(assuming('record.list.owner.name == "Ada"', { list: 7 })).toBe(TRUE)
  expect(assuming('has(record.list) && has(record.list.title)', { list: 7 })).toBe(TRUE)
})

test('a reference to a record that is not loaded remains in the condition', () => {
  const assumed = assuming('record.list.owner_id == 1', { list: 7 }, false)
  expect(referencesIn(assumed)).toEqual([{ kind: 'referenced', of: { kind: 'literal', value: 7 }, target: 'lists' }])
  expect(mentions(assumed, 'record')).toBe(false)
})

test('the fields of a record are not assumed for the record after an update', () => {
  expect(assuming('next.list == record.list', { list: 7 })).toEqual(condition('next.list == 7'))
})

test('timestamps are assumed as timestamps', () => {
  expect(assuming('record.due_at == now', { due_at: { timestampMs: NOW } })).toBe(TRUE)
})

test('the equalities of a filter are true for each record that it finds', () => {
  const filter = bind(
    condition('list == 7 && "a" == title && due_at == now && !done && count > 3 && (id == 1 || id == 2)', 'filter'),
    {
      auth: null,
      now: NOW,
    },
  )
  expect(equalitiesOf(filter)).toEqual(
    new Map<string, Value>([
      ['list', 7],
      ['title', 'a'],
      ['due_at', { timestampMs: NOW }],
    ]),
  )
})

test('an equality with a list, an object, another field or a member of an object gives a field no value', () => {
  const filter = condition(
    'tags == ["a"] && data == data && count == price && place.city == "B" && list.title == "x"',
    'filter',
  )
  expect([...equalitiesOf(bind(filter, { auth: null, now: NOW })).keys()]).toEqual([])
})

test('a condition is split into conjuncts, or into alternatives', () => {
  const [done, title, count] = ['record.done', 'record.title == "a"', 'record.count > 1'].map((text) => condition(text))
  expect(conjunctsOf(condition('record.done && (record.title == "a" && record.count > 1)'))).toEqual([
    done,
    title,
    count,
  ] as Expression[])
  expect(disjunctsOf(condition('(record.done || record.title == "a") || record.count > 1'))).toEqual([
    done,
    title,
    count,
  ] as Expression[])
  expect(conjunctsOf(condition('record.done || record.count > 1'))).toHaveLength(1)
})

test('conditions are joined again; without any, the result is true', () => {
  const parts = conjunctsOf(condition('record.done && record.title == "a" && record.count > 1'))
  expect(conjunctionOf(parts)).toEqual(condition('record.done && record.title == "a" && record.count > 1'))
  expect(conjunctionOf([])).toBe(TRUE)
})

test('every reference that is followed is found', () => {
  const expression = condition('record.list.owner.name == "a" || next.parent.done')
  expect(
    referencesIn(expression)
      .map(({ target }) => target)
      .toSorted(),
  ).toEqual(['lists', 'tasks', 'users'])
  expect(followsReferences(expression)).toBe(true)
  expect(followsReferences(condition('record.list == 7'))).toBe(false)
})
