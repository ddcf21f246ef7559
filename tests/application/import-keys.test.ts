import { expect, test } from 'bun:test'
import { createImportKeys } from '../../src/application/import-keys.ts'
import { collectionOf, definitionWith } from '../support/definitions.ts'

const TASKS = collectionOf(
  definitionWith(
    {
      title: { type: 'string', maxLength: 20 },
      list: { type: 'integer' },
      due: { type: 'string', format: 'date-time' },
    },
    {
      indexes: [{ fields: ['list', 'title'], unique: true }, { fields: ['due'], unique: true }, { fields: ['title'] }],
    },
  ),
)

test('a record is refused if an earlier one has the same values in a unique index', () => {
  const keys = createImportKeys()
  keys.add(TASKS, { title: 'a', list: 1 })
  expect(keys.refusalOf(TASKS, { title: 'a', list: 1 })).toMatchObject({
    code: 'not_unique',
    message: 'An earlier line has the same list, title',
    faults: [{ pointer: '/list' }, { pointer: '/title' }],
  })
  expect(keys.refusalOf(TASKS, { title: 'a', list: 2 })).toBeNull()
})

test('equal times are the same value, however they are written, and null is not compared', () => {
  const keys = createImportKeys()
  keys.add(TASKS, { title: 'a', due: '2026-01-31T09:30:00Z' })
  expect(keys.refusalOf(TASKS, { due: '2026-01-31T10:30:00.000+01:00' })?.code).toBe('not_unique')
  expect(keys.refusalOf(TASKS, { title: 'a' })).toBeNull()
})

test('beyond the limits, no more values are remembered, and earlier ones are kept', () => {
  for (const limits of [
    { keysCount: 1, characters: 1_000 },
    { keysCount: 100, characters: 30 },
  ]) {
    const keys = createImportKeys(limits)
    keys.add(TASKS, { title: 'a', list: 1 })
    keys.add(TASKS, { title: 'b', list: 1 })
    expect(keys.refusalOf(TASKS, { title: 'a', list: 1 })?.code).toBe('not_unique')
    expect(keys.refusalOf(TASKS, { title: 'b', list: 1 })).toBeNull()
  }
})
