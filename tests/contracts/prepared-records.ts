import { describe, expect, test } from 'bun:test'
import type { StoredCollection } from '../../src/application/ports/collections.ts'
import type { Store } from '../../src/application/ports/persistence.ts'
import type { RecordQuery } from '../../src/application/ports/records.ts'
import type { Collection } from '../../src/domain/collection.ts'
import type { JsonObject } from '../../src/domain/merge-patch.ts'
import type { NewRecord, StoredRecord } from '../../src/domain/record.ts'
import { draft, faultOf, openPages, PAGES } from '../support/stored-pages.ts'

/** What every engine promises of records while another definition of their collection is prepared. */
export const preparedRecordsContract = (engine: string, open: () => Promise<Store>) => {
  describe(`records defined at run time, of ${engine}`, () => {
    describe('while another definition is prepared', () => {
      const NAMES: Collection = {
        ...PAGES,
        fields: { name: { type: 'string', maxLength: 100 }, size: { type: 'integer' } },
        required: [],
        search: ['name'],
        indexes: [{ fields: ['name'], unique: true }, { fields: ['size'] }],
      }
      const transform = [{ op: 'move', from: '/title', path: '/name' }]
      const nextOf = ({ title }: NewRecord | StoredRecord): JsonObject => ({
        name: String(title),
        size: String(title).length,
      })

      const prepared = async () => {
        const opened = await openPages(open)
        const old = await opened.insert({ title: 'old word', slug: 's' })
        const { store, stored } = opened
        const pending = await store.write((tx) => tx.collections.prepare(stored, { collection: NAMES, transform }))
        const put = (title: string, as: StoredCollection = pending) =>
          store.write((tx) => tx.records(as).insert(draft({ title }), nextOf(draft({ title }))))
        return { ...opened, old, pending, put }
      }

      test('are shown in their old form, and in the new one once it has effect', async () => {
        const { store, old, pending, put, find, list } = await prepared()
        const added = await put('new')
        const changed = await put('changed')
        const later = { ...changed, title: 'later', version: 2 }
        await store.write((tx) => tx.records(pending).update(later, nextOf(later)))
        await store.write((tx) => tx.records(pending).prepare(old, nextOf(old)))
        expect(await find(old.id, pending)).toEqual(old)
        expect((await list({ text: 'later' }, pending)).items).toMatchObject([{ title: 'later' }])
        const active = await store.write((tx) => tx.collections.activate(pending, 2))
        const { id, ownerId, version, createdAt, updatedAt, epoch } = old
        expect(await find(old.id, active)).toEqual({
          ...{ id, ownerId, version, createdAt, updatedAt, epoch },
          ...{ name: 'old word', size: 8 },
        })
        const names = async (part: Partial<RecordQuery>) => (await list(part, active)).items.map(({ name }) => name)
        expect(await names({})).toEqual(['old word', 'new', 'later'])
        expect(await names({ sort: { field: 'size', descending: false } })).toEqual(['new', 'later', 'old word'])
        expect(await names({ text: 'word' })).toEqual(['old word'])
        const shown = await find(added.id, active)
        if (shown === null) throw new Error('it is gone')
        await store.write((tx) => tx.records(active).update({ ...shown, name: 'newer' }))
        expect(await names({ text: 'newer' })).toEqual(['newer'])
        while (await store.write((tx) => tx.collections.cleanUp(10))) {}
        expect(await names({ sort: { field: 'name', descending: false } })).toEqual(['later', 'newer', 'old word'])
      })

      test('are not prepared if they have changed meanwhile, or were deleted', async () => {
        const { store, old, pending, find } = await prepared()
        const changed = { ...old, title: 'changed', version: 2 }
        const updated = await store.write((tx) => tx.records(pending).update(changed, nextOf(changed)))
        await store.write((tx) => tx.records(pending).prepare(old, nextOf(old)))
        const active = await store.write((tx) => tx.collections.activate(pending, 2))
        expect(await find(updated.id, active)).toMatchObject({ name: 'changed', version: 2 })
        await store.write((tx) => tx.records(active).delete(updated.id))
        const again = await store.write((tx) => tx.collections.prepare(active, { collection: NAMES, transform: [] }))
        await store.write((tx) => tx.records(again).prepare(updated, nextOf(updated)))
        expect(await find(updated.id, again)).toBeNull()
      })

      test('are refused if they would not be unique in the new form', async () => {
        const { store, old, pending, put } = await prepared()
        await put('old word')
        expect(await faultOf(store.write((tx) => tx.records(pending).prepare(old, nextOf(old))))).toMatchObject({
          code: 'not_unique',
          faults: [{ pointer: '/name' }],
        })
      })

      test('get the indexes of a definition that does not transform them', async () => {
        const { store, stored, insert, list, find } = await openPages(open)
        const made: StoredRecord[] = []
        for (const parent of [3, 1, 2]) made.push(await insert({ title: 'x', parent }))
        const collection = {
          ...PAGES,
          search: [],
          indexes: [...(PAGES.indexes ?? []), { fields: ['parent', 'title'] }],
        }
        const pending = await store.write((tx) => tx.collections.prepare(stored, { collection, transform: null }))
        await store.write((tx) => tx.records(pending).insert(draft({ title: 'x', parent: 0 })))
        for (const record of made) await store.write((tx) => tx.records(pending).prepare(record, record))
        const active = await store.write((tx) => tx.collections.activate(pending, 2))
        const { items } = await list({ sort: { field: 'parent', descending: false } }, active)
        expect(items.map(({ parent }) => parent)).toEqual([0, 1, 2, 3])
        const [first] = made
        expect(await find(first?.id ?? 0, active)).toEqual(first ?? null)
      })

      test('keep nothing of a definition that is abandoned', async () => {
        const { store, pending, put, find } = await prepared()
        const made = await put('same')
        const stored = await store.write((tx) => tx.collections.abandon(pending))
        const [one, other] = [draft({ title: 'same' }), draft({ title: 'same' })]
        for (const each of [one, other]) await store.write((tx) => tx.records(stored).insert(each))
        while (await store.write((tx) => tx.collections.cleanUp(10))) {}
        expect(await find(made.id, stored)).toEqual(made)
        await store.write((tx) => tx.records(stored).delete(made.id))
        expect(await store.read((tx) => tx.collections.countRecords(stored))).toBe(3)
      })
    })
  })
}
