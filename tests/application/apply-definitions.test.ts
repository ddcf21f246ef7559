import { expect, test } from 'bun:test'
import { definitionOf } from '../../src/domain/definition.ts'
import type { JsonObject } from '../../src/domain/merge-patch.ts'
import { openCollections } from '../support/collections.ts'
import { readEvents } from '../support/events.ts'
import { appErrorOf, list, TITLE, task } from '../support/lists.ts'

const open = async (options: { managed?: boolean } = {}) => {
  const opened = openCollections(options)
  const { collections, store, outside } = opened
  const admin = await opened.anAdmin()
  return {
    store,
    collections,
    put: (definition: JsonObject) => collections.put(admin, String(definition.name), definition, { expected: null }),
    async create(name: string, ...drafts: readonly JsonObject[]) {
      const ids: number[] = []
      for (const draft of drafts) ids.push((await opened.create(admin, name, draft)).id)
      return ids
    },
    get: (name: string) => collections.get(admin, name),
    pending: () => outside('SELECT name FROM collections WHERE pending IS NOT NULL'),
    apply: (definitions: readonly JsonObject[], { prune = false, check = false } = {}) =>
      collections.apply(
        definitions.map((definition) => ({ name: String(definition.name), definition, transform: null })),
        { prune, check },
      ),
  }
}

test('creates, changes and deletes, all at once and in any order of references', async () => {
  const { apply, put, get, collections } = await open()
  await put({ ...list(), name: 'old' })
  await put(list())
  expect(await apply([task(), list(TITLE, { owner: 'keep' })], { prune: true })).toEqual({
    created: ['tasks'],
    changed: ['lists'],
    deleted: ['old'],
  })
  expect(await get('lists')).toMatchObject({ version: 2 })
  expect((await collections.all()).map(({ name }) => name)).toEqual(['items', 'lists', 'tasks'])
  expect(await apply([task(), list(TITLE, { owner: 'keep' })], { prune: true })).toEqual({
    created: [],
    changed: [],
    deleted: [],
  })
})

test('creates and deletes collections that reference each other', async () => {
  const { apply } = await open()
  const other = { type: ['integer', 'null'], 'x-ref': 'tasks' }
  expect(await apply([task(), list({ ...TITLE, main: other })])).toMatchObject({ created: ['tasks', 'lists'] })
  expect(await apply([], { prune: true })).toMatchObject({ created: [], deleted: ['lists', 'tasks'] })
})

test('with check only reports what it would do', async () => {
  const { apply, put, collections, store } = await open()
  await put(list())
  const before = await readEvents(store)
  expect(await apply([task(), list(TITLE, { owner: 'keep' })], { check: true })).toEqual({
    created: ['tasks'],
    changed: ['lists'],
    deleted: [],
  })
  expect((await collections.all()).map(({ name }) => name)).toEqual(['items', 'lists'])
  expect(await readEvents(store)).toEqual(before)
})

test('changes nothing if the records of one collection do not fit', async () => {
  const { apply, put, create, get, collections, pending } = await open()
  await put(list())
  await put({ ...list(), name: 'notes' })
  const [id] = await create('notes', { title: 'long title' })
  await create('lists', { title: 'a' })
  const shorter = { title: { type: 'string', maxLength: 5 } }
  const error = await appErrorOf(apply([task(), list(shorter), { ...list(shorter), name: 'notes' }]))
  expect(error.code).toBe('records_do_not_fit')
  expect(error.misfits).toMatchObject({ count: 1, first: [{ id, collection: 'notes' }] })
  expect((await get('lists')).version).toBe(1)
  expect((await collections.all()).map(({ name }) => name)).toEqual(['items', 'lists', 'notes'])
  expect(pending()).toEqual([])
})

test('keeps a collection with records from being pruned', async () => {
  const { apply, put, create, get, collections } = await open()
  await put(list())
  await put({ ...list(), name: 'notes' })
  await create('lists', { title: 'a' })
  await create('notes', { title: 'a' }, { title: 'b' })
  const { code, faults } = await appErrorOf(apply([], { prune: true }))
  expect(code).toBe('not_empty')
  expect(faults).toMatchObject([{ name: 'lists' }, { name: 'notes' }])
  expect(await get('notes')).toMatchObject({ records: 2 })
  expect((await collections.all()).map(({ name }) => name)).toEqual(['items', 'lists', 'notes'])
})

test('lists the faults of all definitions', async () => {
  const { apply } = await open()
  const faulty = { ...list({ title: { type: 'string', maxLength: 'x' } }), owner: 'nobody' }
  const other = task({ rules: { read: 'record.list.title == 1', delete: 'record.' } }, { note: { type: 'x-none' } })
  const { faults } = await appErrorOf(
    apply([faulty, { ...task({ rules: { read: 'nothing' } }), name: 'notes', singular: 'note' }, other]),
  )
  expect(faults).toMatchObject([
    { name: 'lists', pointer: '/schema/properties/title/maxLength' },
    { name: 'lists', pointer: '/owner' },
    { name: 'tasks', pointer: '/schema/properties/note/type' },
  ])
})

test('does not report a reference to a faulty definition', async () => {
  const { apply } = await open()
  const { faults } = await appErrorOf(
    apply([{ ...list(), owner: 'nobody' }, task({}, { other: { type: 'integer', 'x-ref': 'nowhere' } })]),
  )
  expect(faults).toMatchObject([
    { name: 'lists', pointer: '/owner' },
    { name: 'tasks', pointer: '/schema/properties/other/x-ref' },
  ])
})

test('accepts a built-in collection as it is exported, and refuses another definition of it', async () => {
  const { apply, collections } = await open()
  const [items] = await collections.all()
  if (items === undefined) throw new Error('there is no built-in collection')
  const exported: JsonObject = JSON.parse(JSON.stringify(definitionOf(items)))
  expect(await apply([exported, list()])).toEqual({ created: ['lists'], changed: [], deleted: [] })
  const { code, faults } = await appErrorOf(apply([{ ...exported, owner: 'keep' }]))
  expect(code).toBe('collection_built_in')
  expect(faults).toMatchObject([{ name: 'items', pointer: '' }])
})

test('refuses the collection after the five hundredth', async () => {
  const { apply, put, collections } = await open()
  const many = Array.from({ length: 500 }, (_, n) => ({ ...list(), name: `many${n}x`, singular: `one${n}x` }))
  expect((await apply(many)).created).toHaveLength(500)
  const { code, message } = await appErrorOf(put(list()))
  expect({ code, message }).toEqual({ code: 'validation_failed', message: expect.stringContaining('500') })
  expect(await collections.all()).toHaveLength(501)
})

test('refuses more than five hundred collections at once, and then has none of them', async () => {
  const { apply, collections } = await open()
  const many = Array.from({ length: 501 }, (_, n) => ({ ...list(), name: `many${n}x`, singular: `one${n}x` }))
  expect((await appErrorOf(apply(many))).code).toBe('validation_failed')
  expect((await collections.all()).map(({ name }) => name)).toEqual(['items'])
})

test('logs its changes without an author', async () => {
  const { apply, store } = await open()
  await apply([task(), list()])
  await apply([task(), list(TITLE, { owner: 'keep' })])
  const bySystem = { actorId: null, requestId: null }
  expect(await readEvents(store, { scope: { kind: 'collections' } })).toMatchObject([
    { event: 'collection.created', data: { name: 'tasks', version: 1 }, ...bySystem },
    { event: 'collection.created', data: { name: 'lists', version: 1 }, ...bySystem },
    { event: 'collection.updated', data: { name: 'lists', version: 2 }, ...bySystem },
  ])
})

test('is not refused where files manage the definitions', async () => {
  const { apply } = await open({ managed: true })
  expect(await apply([list()])).toMatchObject({ created: ['lists'] })
})
