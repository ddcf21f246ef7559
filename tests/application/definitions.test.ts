import { describe, expect, test } from 'bun:test'
import type { PutOptions } from '../../src/application/collections.ts'
import type { UnitOfWork } from '../../src/application/ports/persistence.ts'
import { definitionOf } from '../../src/domain/definition.ts'
import { AppError } from '../../src/domain/errors.ts'
import type { JsonObject } from '../../src/domain/merge-patch.ts'
import { definitionWith } from '../support/definitions.ts'
import { readEvents } from '../support/events.ts'
import { openTestStore } from '../support/store.ts'
import { newActor, useCasesOn } from '../support/use-cases.ts'

const TITLE = { title: { type: 'string', maxLength: 200 } }

const list = (fields: JsonObject = TITLE, rest: JsonObject = {}): JsonObject => ({
  ...definitionWith(fields, rest),
  name: 'lists',
})
const task = (rest: JsonObject = {}, fields: JsonObject = {}): JsonObject =>
  definitionWith({ list: { type: 'integer', 'x-ref': 'lists' }, ...fields }, rest)

const errorOf = async (work: Promise<unknown>): Promise<AppError> => {
  const error = await work.then(
    () => null,
    (thrown: unknown) => thrown,
  )
  if (error instanceof AppError) return error
  throw new Error('expected a refusal', { cause: error })
}

const open = async ({ managed = false } = {}) => {
  const { store, outside } = openTestStore()
  await store.beginEpoch()
  let beforeWrite = async () => {}
  const unitOfWork: UnitOfWork = {
    read: store.read,
    async write(work) {
      await beforeWrite()
      return store.write(work)
    },
  }
  const { collections, records } = useCasesOn(unitOfWork, { managed })
  const admin = await newActor(store, 'admin')
  const put = (definition: JsonObject, options: Partial<PutOptions> = {}) =>
    collections.put(admin, String(definition.name), definition, { expected: null, ...options })
  const create = async (name: string, ...drafts: readonly JsonObject[]) => {
    const ids: number[] = []
    for (const draft of drafts) {
      const created = await records.create(admin, name, draft, { idempotency: null })
      if ('result' in created) ids.push(created.result.record.id)
    }
    return ids
  }
  const get = (name: string) => collections.get(admin, name)
  const fieldsOf = async (name: string, id: number): Promise<JsonObject> => {
    const { record } = await records.get(admin, name, id)
    const { id: _, ownerId, version, epoch, createdAt, updatedAt, ...fields } = record
    return fields
  }
  const pending = () => outside('SELECT name FROM collections WHERE pending IS NOT NULL')
  const apply = (definitions: readonly JsonObject[], options: { prune?: boolean; check?: boolean } = {}) =>
    collections.apply(
      definitions.map((definition) => ({ name: String(definition.name), definition, transform: null })),
      { prune: false, check: false, ...options },
    )
  return {
    store,
    collections,
    records,
    admin,
    put,
    create,
    get,
    fieldsOf,
    pending,
    apply,
    /** Runs before each further unit that writes. */
    beforeWrite: (hook: () => Promise<void>) => {
      beforeWrite = hook
    },
  }
}

describe('put', () => {
  test('creates a collection with version 1, and keeps the version of a definition that stays the same', async () => {
    const { put } = await open()
    expect(await put(list())).toMatchObject({ isNew: true, details: { version: 1, records: 0, isBuiltIn: false } })
    expect(await put(list())).toMatchObject({ isNew: false, details: { version: 1 } })
    expect(await put(list(TITLE, { owner: 'delete' }))).toMatchObject({ details: { version: 1 } })
    expect(await put(list(TITLE, { owner: 'keep' }))).toMatchObject({ isNew: false, details: { version: 2 } })
  })

  test('honours the version that is expected', async () => {
    const { put } = await open()
    const { details } = await put(list())
    const { version, epoch } = details
    expect((await errorOf(put(list(), { mustNotExist: true }))).code).toBe('version_mismatch')
    const stale = { expected: [{ version: version + 1, epoch }] }
    expect((await errorOf(put(list(TITLE, { owner: 'keep' }), stale))).code).toBe('version_mismatch')
    expect((await errorOf(put(task(), { expected: [{ version: 1, epoch: null }] }))).code).toBe('version_mismatch')
    expect(await put(list(TITLE, { owner: 'keep' }), { expected: [{ version, epoch }] })).toMatchObject({
      details: { version: 2 },
    })
  })

  test('counts the records that do not fit, lists the first ten with their pointers, and changes nothing', async () => {
    const { put, create, get, pending } = await open()
    await put(list())
    const long = await create('lists', ...Array.from({ length: 12 }, () => ({ title: 'long title' })))
    await create('lists', { title: 'ok' })
    const error = await errorOf(put(list({ title: { type: 'string', maxLength: 5 } })))
    expect(error.code).toBe('records_do_not_fit')
    expect(error.misfits?.count).toBe(12)
    expect(error.misfits?.first.map(({ id }) => id)).toEqual(long.slice(0, 10))
    for (const { faults } of error.misfits?.first ?? []) expect(faults).toMatchObject([{ pointer: '/title' }])
    const { version, collection } = await get('lists')
    expect(version).toBe(1)
    expect(definitionOf(collection)).toMatchObject({ schema: { properties: TITLE } })
    expect(pending()).toEqual([])
  })

  test('counts values that are to be unique and are not', async () => {
    const { put, create, pending } = await open()
    await put(list())
    const [, second, , fourth] = await create('lists', { title: 'a' }, { title: 'a' }, { title: 'b' }, { title: 'a' })
    const unique = list(TITLE, { indexes: [{ fields: ['title'], unique: true }] })
    const { code, misfits } = await errorOf(put(unique))
    expect(code).toBe('records_do_not_fit')
    expect(misfits).toMatchObject({ count: 2, first: [{ id: second }, { id: fourth }] })
    expect(misfits?.first[0]?.faults).toMatchObject([{ pointer: '/title' }])
    expect(pending()).toEqual([])
    // The index that was given up refuses nothing.
    await create('lists', { title: 'a' })
  })

  test('adds a unique index to records that differ, and it refuses duplicates from then on', async () => {
    const { put, create } = await open()
    await put(list())
    await create('lists', { title: 'a' }, { title: 'b' }, {}, {})
    await put(list(TITLE, { indexes: [{ fields: ['title'], unique: true }] }))
    expect((await errorOf(create('lists', { title: 'b' }))).code).toBe('not_unique')
  })

  test('renames a field by a transform: records have the new form at once', async () => {
    const { put, create, fieldsOf } = await open()
    await put(list(TITLE, { search: ['title'], indexes: [{ fields: ['title'] }] }))
    const [id = 0] = await create('lists', { title: 'Home' })
    const name = { name: { type: 'string', maxLength: 200 } }
    const renamed = list(name, { search: ['name'], indexes: [{ fields: ['name'], unique: true }] })
    expect((await errorOf(put(renamed))).code).toBe('records_do_not_fit')
    const transform = [{ op: 'move', from: '/title', path: '/name' }]
    expect(await put(renamed, { transform })).toMatchObject({ details: { version: 2, records: 1 } })
    expect(await fieldsOf('lists', id)).toEqual({ name: 'Home' })
    expect((await errorOf(create('lists', { name: 'Home' }))).code).toBe('not_unique')
    expect((await errorOf(create('lists', { title: 'Home' }))).code).toBe('validation_failed')
  })

  test('refuses a transform that some records cannot go through', async () => {
    const { put, create, fieldsOf } = await open()
    await put(list())
    const [id = 0, empty] = await create('lists', { title: 'Home' }, {})
    const transform = [{ op: 'move', from: '/title', path: '/name' }]
    const error = await errorOf(put(list({ name: { type: 'string' } }), { transform }))
    expect(error.misfits).toMatchObject({ count: 1, first: [{ id: empty }] })
    expect(await fieldsOf('lists', id)).toEqual({ title: 'Home' })
  })

  test('removes a field that no record has a value in', async () => {
    const { put, create, fieldsOf } = await open()
    await put(list({ ...TITLE, note: { type: 'string' } }))
    const [id = 0] = await create('lists', { title: 'a' })
    await put(list())
    expect(await fieldsOf('lists', id)).toEqual({ title: 'a' })
  })

  test('loses nothing that is written meanwhile', async () => {
    const { put, create, records, admin, fieldsOf, get } = await open()
    await put(list())
    const before = await create('lists', ...Array.from({ length: 250 }, (_, n) => ({ title: `before ${n}` })))
    const written = new Map<number, string>()
    let isDone = false
    const creating = async () => {
      for (let n = 0; !isDone; n++) {
        const [id = 0] = await create('lists', { title: `created ${n}` })
        written.set(id, `created ${n}`)
      }
    }
    const updating = async () => {
      for (let n = 0; !isDone; n++) {
        const id = before[(n * 37) % before.length] ?? 0
        await records.update(admin, 'lists', id, { title: `updated ${n}` }, { expected: null })
        written.set(id, `updated ${n}`)
      }
    }
    const deleted = new Set<number>()
    const deleting = async () => {
      for (const id of before.filter((_, n) => n % 10 === 0)) {
        if (isDone) return
        await records.remove(admin, 'lists', id, null).catch((error: unknown) => {
          if (!(error instanceof AppError) || error.code !== 'not_found') throw error
        })
        deleted.add(id)
      }
    }
    const isGone = (error: unknown) => {
      if (!(error instanceof AppError) || error.code !== 'not_found') throw error
    }
    const writers = [creating(), deleting(), updating().catch(isGone)]
    const indexes = [{ fields: ['title'] }]
    await put(list({ ...TITLE, done: { type: 'boolean', default: false } }, { indexes }))
    isDone = true
    await Promise.all(writers)
    for (const id of before.filter((one) => !deleted.has(one) && !written.has(one))) {
      expect(await fieldsOf('lists', id)).toEqual({ title: `before ${before.indexOf(id)}` })
    }
    for (const [id, title] of written) {
      if (deleted.has(id)) continue
      expect(await fieldsOf('lists', id)).toMatchObject({ title })
      const query = { ownerId: null, text: null, createdAfter: null, createdBefore: null, size: 5 } as const
      const sort = { field: 'id', descending: false }
      const { page } = await records.list(
        admin,
        'lists',
        { ...query, sort, from: { page: 1 } },
        { filter: `title == "${title}"` },
      )
      expect(page.items.map((record) => record.id)).toContain(id)
    }
    expect((await get('lists')).version).toBe(2)
  })

  test.each([
    [
      'with another index each',
      [{ indexes: [{ fields: ['title'] }] }, { indexes: [{ fields: ['title'], unique: true }] }],
    ],
    ['with the same indexes', [{}, {}]],
  ] as const)('lets one of two changes at once win, %s, and leaves nothing pending', async (_, rests) => {
    const { put, create, get, pending } = await open()
    await put(list())
    await create('lists', { title: 'long title' }, { title: 'another' })
    const one = list({ title: { type: 'string', maxLength: 150 } }, rests[0])
    const other = list({ title: { type: 'string', maxLength: 100 } }, rests[1])
    const results = await Promise.allSettled([put(one), put(other)])
    const refused = results.flatMap((result) => (result.status === 'rejected' ? [result.reason.code] : []))
    expect(refused).toEqual(['version_mismatch'])
    const { version, collection } = await get('lists')
    const winner = results[0]?.status === 'fulfilled' ? 150 : 100
    expect(version).toBe(2)
    expect(definitionOf(collection)).toMatchObject({ schema: { properties: { title: { maxLength: winner } } } })
    expect(pending()).toEqual([])
  })

  test('never gives a definition effect that another change has put in the place of the one that was checked', async () => {
    const { put, create, get, pending } = await open()
    await put(list())
    await create('lists', { title: 'long title' })
    const fitting = list({ title: { type: 'string', maxLength: 150 } })
    const unfit = list({ title: { type: 'string', maxLength: 1 } })
    await Promise.allSettled([put(fitting), put(unfit)])
    expect(definitionOf((await get('lists')).collection)).not.toMatchObject({
      schema: { properties: { title: { maxLength: 1 } } },
    })
    expect(pending()).toEqual([])
  })

  test('checks again what other changes have made invalid meanwhile', async () => {
    const { put, create, collections, admin, beforeWrite, pending } = await open()
    await put(list())
    await put(definitionWith(TITLE))
    await create('tasks', { title: 'a' })
    let count = 0
    // The first unit prepares the change; before the second, the collection that it refers to goes.
    beforeWrite(async () => {
      if (++count !== 2) return
      beforeWrite(async () => {})
      await collections.remove(admin, 'lists', { expected: null })
    })
    const changing = put(task({}, TITLE))
    const error = await errorOf(changing)
    expect(['validation_failed', 'referenced']).toContain(error.code)
    expect(pending()).toEqual([])
  })

  test('names every fault of a definition', async () => {
    const { put } = await open()
    const { code, faults } = await errorOf(
      put({ name: 'tasks', schema: { type: 'object', properties: { a: { type: 'no' } } }, owner: 'x', more: 1 }),
    )
    expect(code).toBe('validation_failed')
    expect(faults?.map(({ pointer }) => pointer).sort()).toEqual(['/more', '/owner', '/schema/properties/a/type'])
  })

  test('refuses rules that do not compile, with their position', async () => {
    const { put } = await open()
    const { faults } = await errorOf(put(list(TITLE, { rules: { read: 'record.nothing == 1', create: 'auth ==' } })))
    expect(faults?.map(({ pointer }) => pointer)).toEqual(['/rules/read', '/rules/create'])
    for (const { detail } of faults ?? []) expect(detail).toContain('at position')
  })

  test('refuses a change by which rules of another collection would no longer be valid', async () => {
    const { put, get } = await open()
    await put(list())
    await put(task({ rules: { read: 'record.list.title == "Home"' } }))
    const { code, faults } = await errorOf(put(list({ name: { type: 'string' } })))
    expect(code).toBe('validation_failed')
    expect(faults).toMatchObject([{ detail: expect.stringContaining('tasks') }])
    expect((await get('lists')).version).toBe(1)
  })

  test('refuses a change by which rules two references away would no longer be valid', async () => {
    const { put } = await open()
    await put(list())
    await put(task())
    const through = { type: 'integer', 'x-ref': 'tasks' }
    await put({
      ...definitionWith({ task: through }, { rules: { read: 'record.task.list.title == "a"' } }),
      name: 'notes',
    })
    const { code, faults } = await errorOf(put(list({ name: { type: 'string' } })))
    expect(code).toBe('validation_failed')
    expect(faults).toMatchObject([{ detail: expect.stringContaining('notes') }])
  })

  test('refuses to change what is built in, what comes from files, and anything for someone who is no admin', async () => {
    const { collections, admin, store } = await open()
    const items = { ...list(), name: 'items' }
    const options = { expected: null }
    expect((await errorOf(collections.put(admin, 'items', items, options))).code).toBe('collection_built_in')
    expect((await errorOf(collections.remove(admin, 'items', options))).code).toBe('collection_built_in')
    const user = await newActor(store)
    expect((await errorOf(collections.put(user, 'lists', list(), options))).code).toBe('forbidden')
    const managed = await open({ managed: true })
    expect((await errorOf(managed.put(list()))).code).toBe('managed_by_files')
    await managed.apply([list()])
    const removing = managed.collections.remove(managed.admin, 'lists', options)
    expect((await errorOf(removing)).code).toBe('managed_by_files')
  })

  test('refuses an admin who has been demoted meanwhile', async () => {
    const { collections, admin, store } = await open()
    await store.write(async (tx) => {
      const user = await tx.users.findById(admin.userId)
      if (user !== null) await tx.users.update({ ...user, role: 'user' })
    })
    expect((await errorOf(collections.put(admin, 'lists', list(), { expected: null }))).code).toBe('forbidden')
  })

  test('refuses the collection after the five hundredth', async () => {
    const { apply, put, collections } = await open()
    const many = Array.from({ length: 500 }, (_, n) => ({ ...list(), name: `many${n}x`, singular: `one${n}x` }))
    expect((await apply(many)).created).toHaveLength(500)
    const { code, message } = await errorOf(put(list()))
    expect({ code, message }).toEqual({ code: 'validation_failed', message: expect.stringContaining('500') })
    expect(await collections.all()).toHaveLength(501)
  })
})

describe('remove', () => {
  test('deletes an empty collection, and one whose number of records is stated exactly', async () => {
    const { put, create, collections, admin, get } = await open()
    const remove = (records?: number) =>
      collections.remove(admin, 'lists', { expected: null, ...(records === undefined ? {} : { records }) })
    await put(list())
    await remove()
    await put(list())
    const [id = 0] = await create('lists', { title: 'a' }, { title: 'b' })
    expect((await errorOf(remove())).code).toBe('not_empty')
    expect((await errorOf(remove(1))).code).toBe('not_empty')
    expect((await errorOf(remove(3))).code).toBe('not_empty')
    await remove(2)
    expect((await errorOf(get('lists'))).code).toBe('not_found')
    expect((await errorOf(remove())).code).toBe('not_found')
    // Another collection of the same name has none of its records.
    expect(await put(list())).toMatchObject({ isNew: true, details: { version: 1, records: 0 } })
    expect((await errorOf(create('tasks', { list: id }))).code).toBe('not_found')
  })

  test('refuses to delete a collection that another one references, but not one that references itself', async () => {
    const { put, collections, admin } = await open()
    await put(list({ parent: { type: ['integer', 'null'], 'x-ref': 'lists' } }))
    await put(task())
    const removing = () => collections.remove(admin, 'lists', { expected: null })
    expect((await errorOf(removing())).code).toBe('referenced')
    await collections.remove(admin, 'tasks', { expected: null })
    await removing()
  })
})

describe('apply', () => {
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

  test('only says what it would do with check', async () => {
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
    const error = await errorOf(apply([task(), list(shorter), { ...list(shorter), name: 'notes' }]))
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
    const { code, faults } = await errorOf(apply([], { prune: true }))
    expect(code).toBe('not_empty')
    expect(faults).toMatchObject([{ name: 'lists' }, { name: 'notes' }])
    expect(await get('notes')).toMatchObject({ records: 2 })
    expect((await collections.all()).map(({ name }) => name)).toEqual(['items', 'lists', 'notes'])
  })

  test('names the faults of all definitions', async () => {
    const { apply } = await open()
    const faulty = { ...list({ title: { type: 'string', maxLength: 'x' } }), owner: 'nobody' }
    const other = task({ rules: { read: 'record.list.title == 1', delete: 'record.' } }, { note: { type: 'x-none' } })
    const { faults } = await errorOf(
      apply([faulty, { ...task({ rules: { read: 'nothing' } }), name: 'notes', singular: 'note' }, other]),
    )
    expect(faults).toMatchObject([
      { name: 'lists', pointer: '/schema/properties/title/maxLength' },
      { name: 'lists', pointer: '/owner' },
      { name: 'tasks', pointer: '/schema/properties/note/type' },
    ])
  })

  test('does not take a reference to a faulty definition for a fault', async () => {
    const { apply } = await open()
    const { faults } = await errorOf(
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
    const { code, faults } = await errorOf(apply([{ ...exported, owner: 'keep' }]))
    expect(code).toBe('collection_built_in')
    expect(faults).toMatchObject([{ name: 'items', pointer: '' }])
  })
})

test('every change of a definition is an event in the log, with who made it', async () => {
  const { put, apply, collections, admin, store, create } = await open()
  await put(list())
  await put(list())
  await create('lists', { title: 'a' })
  await put(list(TITLE, { indexes: [{ fields: ['title'] }] }))
  await errorOf(put(list({})))
  await collections.remove(admin, 'lists', { expected: null, records: 1 })
  await apply([task(), list()])
  const events = await readEvents(store, { scope: { kind: 'collections' } })
  const by = { actorId: admin.userId, requestId: 'r' }
  const bySystem = { actorId: null, requestId: null }
  expect(events).toMatchObject([
    { event: 'collection.created', data: { name: 'lists', version: 1 }, ...by },
    { event: 'collection.updated', data: { name: 'lists', version: 2 }, ...by },
    { event: 'collection.deleted', data: { name: 'lists', version: 2 }, ...by },
    { event: 'collection.created', data: { name: 'tasks', version: 1 }, ...bySystem },
    { event: 'collection.created', data: { name: 'lists', version: 1 }, ...bySystem },
  ])
})

test('a definition that a process was preparing when it ended is abandoned', async () => {
  const { put, create, store, collections, pending } = await open()
  await put(list())
  await create('lists', { title: 'a' })
  await store.write(async (tx) => {
    const stored = await tx.collections.findForChange('lists')
    if (stored === null) throw new Error('there is no collection')
    await tx.collections.prepare(stored, { collection: stored.collection, transform: [{ op: 'test', path: '/none' }] })
  })
  expect(pending()).toHaveLength(1)
  await collections.abandonUnfinished()
  expect(pending()).toEqual([])
  await create('lists', { title: 'b' })
})
