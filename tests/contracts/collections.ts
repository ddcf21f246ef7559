import { describe, expect, test } from 'bun:test'
import type { StoredCollection } from '../../src/application/ports/collections.ts'
import type { Store } from '../../src/application/ports/persistence.ts'
import type { Collection } from '../../src/domain/collection.ts'
import { ITEMS } from '../../src/domain/collections/items.ts'
import { newRecord } from '../../src/domain/record.ts'

export const NOTES: Collection = {
  name: 'notes',
  singular: 'note',
  description: 'Notes',
  fields: {
    title: { type: 'string', maxLength: 100 },
    rank: { type: ['integer', 'null'] },
    list: { type: ['integer', 'null'], 'x-ref': 'lists' },
  },
  required: ['title'],
  sorts: [],
  search: ['title'],
  indexes: [{ fields: ['title'] }, { fields: ['list', 'rank'], unique: true }],
}

const find = (store: Store, name = 'notes') => store.read((tx) => tx.collections.find(name))

const insertNote = (store: Store, stored: StoredCollection, title: string) =>
  store.write((tx) =>
    tx.records(stored).insert({
      ...{ title, rank: null, list: null, ownerId: 1, version: 1, createdAt: 1, updatedAt: 1 },
    }),
  )

const fieldsOf = ({ indexes }: StoredCollection) => indexes.map(({ fields }) => fields.join())

/** What every engine promises of definitions that are made at run time. */
export const collectionsContract = (engine: string, open: () => Promise<Store>) => {
  describe(`the definitions of ${engine}`, () => {
    const define = (store: Store, collection = NOTES) => store.write((tx) => tx.collections.insert(collection, 5))

    test('are found as they were inserted, with an index for each reference', async () => {
      const store = await open()
      const made = await define(store)
      expect(made).toMatchObject({ collection: NOTES, version: 1, pending: null, createdAt: 5, updatedAt: 5 })
      expect(fieldsOf(made)).toEqual(['title', 'list,rank', 'list'])
      expect(made.indexes.map(({ unique, isReference }) => [unique, isReference])).toEqual([
        [false, false],
        [true, false],
        [false, true],
      ])
      expect(await find(store)).toEqual(made)
      expect(await find(store, 'others')).toBeNull()
    })

    test('are all in the order of their names', async () => {
      const store = await open()
      for (const name of ['notes', 'a_b', 'ab', 'z']) await define(store, { ...NOTES, name })
      const all = await store.read((tx) => tx.collections.all())
      expect(all.map(({ collection }) => collection.name)).toEqual(['a_b', 'ab', 'notes', 'z'])
    })

    test('are the same object until they change', async () => {
      const store = await open()
      const other = await define(store, { ...NOTES, name: 'others' })
      const made = await define(store)
      const first = await find(store)
      await insertNote(store, made, 'a')
      expect(await find(store)).toBe(first)
      await store.write((tx) => tx.collections.prepare(other, { collection: other.collection, transform: null }))
      expect(await find(store)).toBe(first)
      await store.write((tx) => tx.collections.prepare(made, { collection: NOTES, transform: null }))
      expect(await find(store)).not.toBe(first)
    })

    test('are as before for everyone if the unit that changes them fails', async () => {
      const store = await open()
      const made = await define(store)
      const failing = store.write(async (tx) => {
        await tx.collections.prepare(made, { collection: { ...NOTES, description: 'other' }, transform: null })
        await tx.collections.insert({ ...NOTES, name: 'others' }, 1)
        expect((await tx.collections.find('notes'))?.pending).not.toBeNull()
        throw new Error('on purpose')
      })
      await expect(failing).rejects.toThrow('on purpose')
      expect(await find(store)).toEqual(made)
      expect(await store.write(async (tx) => tx.collections.find('notes'))).toEqual(made)
      expect(await store.write(async (tx) => tx.collections.find('others'))).toBeNull()
    })

    test('keep indexes over the same fields when they change, and drop those that are no longer needed', async () => {
      const store = await open()
      const made = await define(store)
      const collection = { ...NOTES, indexes: [{ fields: ['rank'] }, { fields: ['title'] }] }
      const prepared = await store.write((tx) => tx.collections.prepare(made, { collection, transform: null }))
      expect(prepared).toMatchObject({ collection: NOTES, version: 1, indexes: made.indexes })
      expect(prepared.pending).toMatchObject({ collection, transform: null, shape: made.shape })
      const [rank, title, list] = prepared.pending?.indexes ?? []
      const known = new Set(made.indexes.map(({ id }) => id))
      expect([rank, title, list].map((index) => index !== undefined && known.has(index.id))).toEqual([
        false,
        true,
        true,
      ])
      const activated = await store.write((tx) => tx.collections.activate(prepared, 9))
      expect(activated).toMatchObject({ collection, version: 2, pending: null, createdAt: 5, updatedAt: 9 })
      expect(fieldsOf(activated)).toEqual(['rank', 'title', 'list'])
      expect(await find(store)).toEqual(activated)
    })

    test('that transform records have new indexes and a shape that was never used, even after one was abandoned', async () => {
      const store = await open()
      const made = await define(store)
      const next = { collection: NOTES, transform: [{ op: 'test', path: '/title', value: '' }] }
      const first = await store.write((tx) => tx.collections.prepare(made, next))
      expect(first.pending?.shape).toBe(made.shape + 1)
      const abandoned = await store.write((tx) => tx.collections.abandon(first))
      expect(abandoned).toEqual(made)
      const second = await store.write((tx) => tx.collections.prepare(abandoned, next))
      expect(second.pending?.shape).toBe(made.shape + 2)
      const ids = new Set([...made.indexes, ...(first.pending?.indexes ?? [])].map(({ id }) => id))
      expect(second.pending?.indexes.filter(({ id }) => ids.has(id))).toEqual([])
    })

    test('that are deleted are gone, and their records and entries are removed piece by piece', async () => {
      const store = await open()
      const made = await define(store)
      for (let n = 0; n < 5; n++) await insertNote(store, made, `note ${n}`)
      await store.write((tx) => tx.collections.delete(made))
      expect(await find(store)).toBeNull()
      const again = await define(store)
      expect(again.id).not.toBe(made.id)
      expect(await store.read((tx) => tx.collections.countRecords(again))).toBe(0)
      let rounds = 0
      while (await store.write((tx) => tx.collections.cleanUp(2))) rounds++
      expect(rounds).toBeGreaterThan(3)
      expect(await store.read((tx) => tx.collections.countRecords(made))).toBe(0)
      expect(await store.read((tx) => tx.usage.bytesOf(1))).toBe(0)
      expect(await find(store)).toEqual(again)
    })

    test('know the number of their records exactly, also when units fail', async () => {
      const store = await open()
      const made = await define(store)
      const count = () => store.read((tx) => tx.collections.countRecords(made))
      const first = await insertNote(store, made, 'a')
      const failing = store.write(async (tx) => {
        await tx.records(made).delete(first.id)
        expect(await tx.collections.countRecords(made)).toBe(0)
        throw new Error('on purpose')
      })
      await Promise.allSettled([insertNote(store, made, 'b'), failing, insertNote(store, made, 'c')])
      expect(await count()).toBe(3)
      await store.write((tx) => tx.records(made).delete(first.id))
      expect(await count()).toBe(2)
      await store.write((tx) => tx.records(made).deleteOwned(1, 10))
      expect(await count()).toBe(0)
    })

    test('of code have counted records too', async () => {
      const store = await open()
      const count = () => store.read((tx) => tx.collections.countRecords('items'))
      expect(await count()).toBe(0)
      const item = await store.write((tx) => tx.records('items').insert(newRecord(ITEMS, { title: 'x' }, 1, 1)))
      expect(await count()).toBe(1)
      await store.write((tx) => tx.records('items').delete(item.id))
      expect(await count()).toBe(0)
    })
  })
}
