import { expect, test } from 'bun:test'
import fc from 'fast-check'
import { compileExpression } from '../../src/adapters/cel/compile.ts'
import type { Collection } from '../../src/domain/collection.ts'
import { type Expression, FALSE, TRUE } from '../../src/domain/expression.ts'
import { bind } from '../../src/domain/expression-binding.ts'
import { isTrue } from '../../src/domain/expression-evaluation.ts'
import { guard } from '../../src/domain/expression-guard.ts'
import type { StoredRecord } from '../../src/domain/record.ts'
import {
  callers,
  collectionNamed,
  collections,
  conditionsOf,
  LISTS,
  NOW,
  recordsOf,
  references,
} from '../support/expressions.ts'
import { condition, environmentOf } from '../support/tasks.ts'

const filter = (text: string): Expression => condition(text, 'filter')

const compiled = (text: string, collection: Collection, use: 'read' | 'filter'): Expression => {
  const result = compileExpression(text, { collection, use, collectionNamed })
  if ('faults' in result) throw new Error(`${text}: ${JSON.stringify(result.faults)}`)
  return result.expression
}

const guarded = (text: string, listRule: Expression): Expression =>
  bind(
    guard(filter(text), (target) => (target === 'lists' ? listRule : TRUE)),
    { auth: null, now: NOW },
  )

test('a filter sees a referenced record that may be read', () => {
  expect(guarded('list.title == "Home"', TRUE)).toEqual(filter('list.title == "Home"'))
})

test('a filter finds nothing by a referenced record that may not be read', () => {
  for (const text of ['list.title == "Home"', 'list.title != "Home"', '!(list.title == "Home")', 'has(list.title)']) {
    expect(guarded(text, FALSE)).toBe(FALSE)
  }
})

test('a filter finds nothing by a record that such a record references', () => {
  expect(guarded('list.owner.name == "Ada"', FALSE)).toBe(FALSE)
})

test('the reference itself is a field of the record', () => {
  expect(guarded('list == 7', FALSE)).toEqual(filter('list == 7'))
})

test('the rule is that of the referenced record', () => {
  const rule = bind(compiled('record.owner_id == auth.id', LISTS, 'read'), {
    auth: { id: 1, role: 'user', email: '', emailVerified: true },
    now: NOW,
  })
  expect(guarded('list.title == "Home"', rule)).toEqual(filter('list.owner_id == 1 && list.title == "Home"'))
  expect(isTrue(guarded('list.title == "Home"', rule), environmentOf({ list: 7 }))).toBe(true)
})

test('to a filter, records that may not be read are the same as missing ones', () => {
  const situations = collections.chain((collection) =>
    fc.record({
      collection: fc.constant(collection),
      text: conditionsOf(collection, { use: 'filter' }),
      rule: conditionsOf(LISTS, { use: 'read' }),
      record: recordsOf(collection),
      auth: callers,
      referenced: references,
    }),
  )
  fc.assert(
    fc.property(situations, ({ collection, text, rule, record, auth, referenced }) => {
      const expression = compiled(text, collection, 'filter')
      const listRule = bind(compiled(rule, LISTS, 'read'), { auth, now: NOW })
      const readable = (target: string, id: number) => {
        const found = referenced(target, id)
        if (target !== 'lists' || !found) return found
        return isTrue(listRule, { record: found as StoredRecord, referenced }) ? found : null
      }
      const bound = bind(expression, { auth: null, now: NOW })
      const safe = bind(
        guard(expression, (target) => (target === 'lists' ? listRule : TRUE)),
        { auth: null, now: NOW },
      )
      expect(isTrue(safe, { record, referenced })).toBe(isTrue(bound, { record, referenced: readable }))
    }),
    { numRuns: 1_000 },
  )
})
