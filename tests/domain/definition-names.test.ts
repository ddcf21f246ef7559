import { expect, test } from 'bun:test'
import { titleOf } from '../../src/domain/collection.ts'
import { COLLECTIONS } from '../../src/domain/collections/index.ts'
import { relationFaultsOf } from '../../src/domain/definition.ts'
import { pointerTo } from '../../src/domain/field-checks.ts'
import { faultsOf, pointersOf, TASKS } from '../support/definition-faults.ts'
import { collectionOf, definitionWith } from '../support/definitions.ts'
import { document, operations } from '../support/openapi.ts'

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
