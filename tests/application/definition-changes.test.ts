import { expect, test } from 'bun:test'
import type { PutOptions } from '../../src/application/collections.ts'
import { definitionOf } from '../../src/domain/definition.ts'
import { AppError } from '../../src/domain/errors.ts'
import type { JsonObject } from '../../src/domain/merge-patch.ts'
import { codeOf, openCollections } from '../support/collections.ts'
import { definitionWith } from '../support/definitions.ts'
import { appErrorOf, list, TITLE, task } from '../support/lists.ts'

const open = async () => {
  let beforeWrite = async () => {}
  const opened = openCollections({
    wrap: (store) => ({
      read: store.read,
      async write(work) {
        await beforeWrite()
        return store.write(work)
      },
    }),
  })
  const { collections, records, store, outside } = opened
  const admin = await opened.anAdmin()
  return {
    store,
    collections,
    records,
    admin,
    put: (definition: JsonObject, options: Partial<PutOptions> = {}) =>
      collections.put(admin, String(definition.name), definition, { expected: null, ...options }),
    async create(name: string, ...drafts: readonly JsonObject[]) {
      const ids: number[] = []
      for (const draft of drafts) ids.push((await opened.create(admin, name, draft)).id)
      return ids
    },
    get: (name: string) => collections.get(admin, name),
    async fieldsOf(name: string, id: number): Promise<JsonObject> {
      const { record } = await records.get(admin, name, id)
      const { id: _, ownerId, version, epoch, createdAt, updatedAt, ...fields } = record
      return fields
    },
    pending: () => outside('SELECT name FROM collections WHERE pending IS NOT NULL'),
    /** Runs before each further unit that writes. */
    beforeWrite: (hook: () => Promise<void>) => {
      beforeWrite = hook
    },
  }
}

test('refuses a transform that some records cannot go through', async () => {
  const { put, create, fieldsOf } = await open()
  await put(list())
  const [id = 0, empty] = await create('lists', { title: 'Home' }, {})
  const transform = [{ op: 'move', from: '/title', path: '/name' }]
  const error = await appErrorOf(put(list({ name: { type: 'string' } }), { transform }))
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
    expect(await fieldsOf('lists', id)).toMatchObject({ title: `before ${before.indexOf(id)}` })
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
  const error = await appErrorOf(changing)
  expect(['validation_failed', 'referenced']).toContain(error.code)
  expect(pending()).toEqual([])
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
  const { code, faults } = await appErrorOf(put(list({ name: { type: 'string' } })))
  expect(code).toBe('validation_failed')
  expect(faults).toMatchObject([{ detail: expect.stringContaining('notes') }])
})

test('refuses an admin who has been demoted meanwhile', async () => {
  const { collections, admin, store } = await open()
  await store.write(async (tx) => {
    const user = await tx.users.findById(admin.userId)
    if (user !== null) await tx.users.update({ ...user, role: 'user' })
  })
  expect((await appErrorOf(collections.put(admin, 'lists', list(), { expected: null }))).code).toBe('forbidden')
})

test('an index that was given up refuses nothing', async () => {
  const { put, create, pending } = await open()
  await put(list())
  await create('lists', { title: 'a' }, { title: 'a' })
  const unique = list(TITLE, { indexes: [{ fields: ['title'], unique: true }] })
  expect(await codeOf(put(unique))).toBe('records_do_not_fit')
  expect(pending()).toEqual([])
  await create('lists', { title: 'a' })
})

test('a collection has no records of an earlier one with its name', async () => {
  const { put, create, collections, admin, records } = await open()
  await put(list())
  const [id = 0] = await create('lists', { title: 'a' })
  await collections.remove(admin, 'lists', { expected: null, records: 1 })
  expect(await put(list())).toMatchObject({ isNew: true, details: { version: 1, records: 0 } })
  expect(await codeOf(records.get(admin, 'lists', id))).toBe('not_found')
})

test('a collection that references itself can be deleted', async () => {
  const { put, collections, admin } = await open()
  await put(list({ parent: { type: ['integer', 'null'], 'x-ref': 'lists' } }))
  await collections.remove(admin, 'lists', { expected: null })
  expect(await collections.all()).toHaveLength(1)
})
