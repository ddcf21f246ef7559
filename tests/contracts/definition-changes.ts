import { describe, expect, test } from 'bun:test'
import { type Database, openOn } from '../support/changing-definitions.ts'
import { codeOf } from '../support/collections.ts'
import { definitionWith } from '../support/definitions.ts'
import { appErrorOf, list, TITLE, task } from '../support/lists.ts'

/** Every engine checks a change of a definition against the records that it has, and against other definitions. */
export const definitionChangesContract = (engine: string, openDatabase: () => Database | Promise<Database>) => {
  const open = async () => openOn(await openDatabase())

  describe(`changing a definition, on ${engine}`, () => {
    test('refuses a transform that some records cannot go through', async () => {
      const { put, create, fieldsOf } = await open()
      await put(list())
      const [id = 0, empty] = await create('lists', { title: 'Home' }, {})
      const transform = [{ op: 'move', from: '/title', path: '/name' }]
      const error = await appErrorOf(put(list({ name: { type: 'string' } }), { transform }))
      expect(error.misfits).toMatchObject({ count: 1, first: [{ id: empty }] })
      expect(await fieldsOf('lists', id)).toEqual({ title: 'Home' })
    })

    test('refuses a transform that would make a record larger than records may be', async () => {
      const { put, create, fieldsOf, get } = await open()
      const text = { type: 'string' }
      await put(list({ title: text, note: text }))
      const [small = 0, large = 0] = await create('lists', { title: 'a' }, { title: 'x'.repeat(40_000) })
      const doubling = [{ op: 'copy', from: '/title', path: '/note' }]
      const error = await appErrorOf(put(list({ title: text, note: text }), { transform: doubling }))
      expect(error).toMatchObject({ code: 'records_do_not_fit', misfits: { count: 1, first: [{ id: large }] } })
      expect(await fieldsOf('lists', small)).toEqual({ title: 'a', note: null })
      expect(await get('lists')).toMatchObject({ version: 1 })
      const renaming = [{ op: 'move', from: '/title', path: '/note' }]
      await put(list({ note: text }), { transform: renaming })
      expect(await fieldsOf('lists', small)).toEqual({ note: 'a' })
    })

    test('refuses to drop a field that records have values in, unless a transform removes it', async () => {
      const { put, create, fieldsOf } = await open()
      const text = { type: 'string' }
      await put(list({ ...TITLE, note: text }))
      const [id = 0] = await create('lists', { title: 'a', note: 'b' })
      const error = await appErrorOf(put(list()))
      expect(error.misfits).toMatchObject({ count: 1, first: [{ id, faults: [{ pointer: '/note' }] }] })
      await put(list(), { transform: [{ op: 'remove', path: '/note' }] })
      expect(await fieldsOf('lists', id)).toEqual({ title: 'a' })
    })

    test('removes a field that no record has a value in', async () => {
      const { put, create, fieldsOf } = await open()
      await put(list({ ...TITLE, note: { type: 'string' } }))
      const [id = 0] = await create('lists', { title: 'a' })
      await put(list())
      expect(await fieldsOf('lists', id)).toEqual({ title: 'a' })
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
      expect(await pending()).toEqual([])
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
      expect(await pending()).toEqual([])
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
  })
}
