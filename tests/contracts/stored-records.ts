import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import type { Store, Tx } from '../../src/application/ports/persistence.ts'
import type { JsonObject } from '../../src/domain/merge-patch.ts'
import type { StoredRecord } from '../../src/domain/record.ts'
import { userNamed } from '../support/store.ts'
import { draft, faultOf, openPages, PAGES, query } from '../support/stored-pages.ts'

const idsOf = (records: readonly StoredRecord[]) => records.map(({ id }) => id)

/** What every engine promises of the records of collections that are defined at run time. */
export const storedRecordsContract = (engine: string, open: () => Promise<Store>) => {
  describe(`records defined at run time, of ${engine}`, () => {
    const openWith = (collection = PAGES) => openPages(open, collection)

    test('are returned as stored, however they are read', async () => {
      const { store, stored, insert, inTx, find, list } = await openWith()
      const text = fc.string({ unit: 'grapheme' }).filter((each) => each.isWellFormed() && !each.includes('\0'))
      const fields = fc
        .record({
          title: text,
          slug: fc.option(fc.uuid()),
          parent: fc.option(fc.maxSafeInteger()),
          related: fc.array(fc.nat(5)),
          data: fc.dictionary(text, fc.oneof(fc.boolean(), fc.integer(), text)).map((value) => ({ ...value })),
        })
        .map((value): JsonObject => JSON.parse(JSON.stringify(value)))
      await fc.assert(
        fc.asyncProperty(fields, fields, fc.option(fc.constant(3)), async (before, after, ownerId) => {
          const made = await insert(before, ownerId, 7)
          expect(await find(made.id)).toEqual(made)
          const updated = await inTx((records) => records.update({ ...made, ...after, version: 2, updatedAt: 8 }))
          expect(await find(made.id)).toEqual(updated)
          expect(await store.read((tx) => tx.records(stored).findAll([made.id, 999_999]))).toEqual([updated])
          for (const field of ['id', 'created_at', 'updated_at', 'title', 'slug']) {
            const { items } = await list({ sort: { field, descending: true } })
            expect(items).toEqual([updated])
          }
          await inTx((records) => records.delete(made.id))
          expect(await find(made.id)).toBeNull()
          expect((await list({})).items).toEqual([])
        }),
        { numRuns: 25 },
      )
    })

    test('inserted together are as if each had been inserted, in their order', async () => {
      const { store, inTx, find, list } = await openWith()
      const text = fc.string({ unit: 'grapheme' }).filter((each) => each.isWellFormed() && !each.includes('\0'))
      const fields = fc.record({ title: text, slug: fc.option(fc.uuid()), data: fc.dictionary(text, text) })
      const each = fc.record({ fields, ownerId: fc.option(fc.constant(1)), createdAt: fc.nat() })
      await store.write((tx) => tx.users.insert(userNamed('ann')))
      await fc.assert(
        fc.asyncProperty(fc.array(each, { maxLength: 8 }), async (given) => {
          const drafts = given.map(({ fields, ownerId, createdAt }) =>
            draft(JSON.parse(JSON.stringify(fields)), ownerId, createdAt),
          )
          const usage = () => store.read((tx) => tx.usage.bytesOf(1))
          const before = await usage()
          const together = await inTx((records) => records.insertAll(drafts))
          const used = (await usage()) - before
          expect(together.map(({ id, epoch, ...fields }) => fields)).toEqual(drafts)
          expect(idsOf(together)).toEqual(idsOf(together).toSorted((one, other) => one - other))
          for (const sort of ['id', 'title']) {
            const { items } = await list({ sort: { field: sort, descending: false } })
            expect(new Set(idsOf(items))).toEqual(new Set(idsOf(together)))
          }
          for (const record of together) expect(await find(record.id)).toEqual(record)
          const removeAll = (ids: readonly number[]) =>
            inTx(async (records) => {
              for (const id of ids) await records.delete(id)
            })
          await removeAll(idsOf(together))
          expect(await usage()).toBe(before)
          const alone = await inTx(async (records) => {
            const inserted: StoredRecord[] = []
            for (const record of drafts) inserted.push(await records.insert(record))
            return inserted
          })
          expect((await usage()) - before).toBe(used)
          await removeAll(idsOf(alone))
        }),
        { numRuns: 6 },
      )
    })

    test('inserted together are all refused if one has the unique values of another', async () => {
      const { insert, inTx, list } = await openWith()
      const { id } = await insert({ slug: 'a' })
      for (const slugs of [
        ['b', 'a'],
        ['c', 'c'],
      ]) {
        const inserting = inTx((records) => records.insertAll(slugs.map((slug) => draft({ slug }))))
        expect(await faultOf(inserting)).toMatchObject({ code: 'not_unique' })
      }
      expect(idsOf((await list({})).items)).toEqual([id])
    })

    test('are found as the same transaction has changed them, and as they were after a unit that failed', async () => {
      const { store, stored, insert, inTx, find } = await openWith()
      await store.write((tx) => tx.users.insert(userNamed('ann')))
      const { id } = await insert({ title: 'first' })
      const change = async (records: ReturnType<Tx['records']>, title: string): Promise<StoredRecord> => {
        const before = await records.findById(id)
        if (before === null) throw new Error('it is not there')
        return records.update({ ...before, title, version: before.version + 1 })
      }
      const changed = await inTx(async (records) => {
        const second = await change(records, 'second')
        expect(await records.findById(id)).toEqual(second)
        const [released] = await records.releaseOwned(1, 10, 9)
        expect(await records.findAll([id])).toEqual(released === undefined ? [] : [released])
        return change(records, 'third')
      })
      expect(changed).toMatchObject({ title: 'third', version: 4, ownerId: null })
      const failing = inTx(async (records) => {
        await change(records, 'fourth')
        throw new Error('this unit fails')
      })
      const following = inTx(async (records) => records.findById(id))
      await Promise.allSettled([failing, following])
      expect(await following).toEqual(changed)
      await inTx(async (records) => {
        await records.delete(id)
        expect(await records.findById(id)).toBeNull()
      })
      expect(await find(id, stored)).toBeNull()
    })

    test('of one collection are not found in another', async () => {
      const { store, insert, find, list } = await openWith()
      const other = await store.write((tx) => tx.collections.insert({ ...PAGES, name: 'others' }, 1))
      const { id } = await insert({ title: 'word', slug: 'a' })
      expect(await find(id, other)).toBeNull()
      expect(await store.read((tx) => tx.records(other).findAll([id]))).toEqual([])
      expect((await list({}, other)).items).toEqual([])
      expect((await list({ text: 'word' }, other)).items).toEqual([])
      expect((await list({ text: 'word' })).items).toHaveLength(1)
      // Unique within its collection.
      await store.write((tx) => tx.records(other).insert(draft({ slug: 'a' })))
    })

    test('are read in chunks, in the order of their ids', async () => {
      const { store, stored, insert } = await openWith()
      const made: StoredRecord[] = []
      for (let n = 0; n < 5; n++) made.push(await insert({ title: 'x'.repeat(100) }, 1, 10 - n))
      const chunk = (after: number, maxCount: number, maxBytes: number) =>
        store.read((tx) => tx.records(stored).chunk({ after, maxCount, maxBytes }))
      expect(await chunk(0, 3, 1e6)).toEqual({ records: made.slice(0, 3), complete: false })
      expect(await chunk(made[2]?.id ?? 0, 3, 1e6)).toEqual({ records: made.slice(3), complete: true })
      expect(await chunk(0, 5, 1)).toEqual({ records: made.slice(0, 1), complete: false })
    })

    test('are refused if another record has the same values in a unique index, without the values', async () => {
      const { insert, inTx } = await openWith()
      const first = await insert({ slug: 'secret' })
      const second = await insert({ slug: 'b' })
      await insert({ slug: null })
      await insert({ slug: null })
      const refused = {
        code: 'not_unique',
        faults: [{ pointer: '/slug', detail: 'Another record has this value' }],
      }
      expect(await faultOf(insert({ slug: 'secret' }))).toEqual(refused)
      expect(await faultOf(inTx((records) => records.update({ ...second, slug: 'secret' })))).toEqual(refused)
      await inTx((records) => records.update({ ...first, title: 'other' }))
      await inTx(async (records) => {
        await records.delete(first.id)
        await records.update({ ...second, slug: 'secret' })
      })
    })

    test('racing for a unique value leave one of them', async () => {
      const { insert, list } = await openWith()
      const racing = await Promise.allSettled(Array.from({ length: 8 }, () => insert({ slug: 'same' })))
      expect(racing.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
      expect((await list({})).total).toBe(1)
    })

    test('are found by what they reference now', async () => {
      const { store, stored, insert, inTx } = await openWith()
      const referencing = (field: string, id: number, limit = 10) =>
        store.write(async (tx) => idsOf(await tx.records(stored).referencing(field, id, limit)))
      const [one, two, three] = [
        await insert({ parent: 5, related: [5, 6, 5] }),
        await insert({ parent: 6, related: [5] }, 1, 0),
        await insert({ parent: 5 }),
      ]
      expect(await referencing('parent', 5)).toEqual([one.id, three.id])
      expect(await referencing('related', 5)).toEqual([one.id, two.id])
      expect(await referencing('parent', 5, 1)).toHaveLength(1)
      await inTx((records) => records.update({ ...one, parent: null, related: [6] }))
      await inTx((records) => records.delete(two.id))
      expect(await referencing('parent', 5)).toEqual([three.id])
      expect(await referencing('related', 5)).toEqual([])
      expect(await referencing('related', 6)).toEqual([one.id])
      const inside = await store.write(async (tx) => {
        const made = await tx.records(stored).insert(draft({ parent: 77 }))
        return [made.id, ...idsOf(await tx.records(stored).referencing('parent', 77, 10))]
      })
      expect(inside[1]).toBe(inside[0])
    })

    test('of failed units have left no entries, whatever they have read', async () => {
      const { store, stored, insert, list } = await openWith()
      const kept = await insert({ title: 'kept' })
      const unit = (title: string, fails: boolean) =>
        store.write(async (tx) => {
          await tx.records(stored).insert(draft({ title }))
          await tx.records(stored).list({ ...query, sort: { field: 'title', descending: false } })
          if (fails) throw new Error('on purpose')
        })
      await Promise.allSettled([unit('a', false), unit('b', true), unit('c', false), unit('d', true)])
      const { items } = await list({ sort: { field: 'title', descending: false } })
      expect(items.map(({ title }) => title)).toEqual(['a', 'c', 'kept'])
      expect(await list({ text: 'kept' })).toMatchObject({ items: [kept], total: 1 })
    })

    test('are deleted with their owner, or left without one', async () => {
      const { store, insert, inTx, find, list } = await openWith()
      const mine = [await insert({ title: 'one', slug: 'a' }), await insert({ title: 'two' }), await insert({})]
      await insert({ title: 'one' }, 2)
      expect(await inTx((records) => records.releaseOwned(1, 2, 9))).toHaveLength(2)
      const [rest, ...more] = await inTx((records) => records.releaseOwned(1, 2, 9))
      expect(more).toEqual([])
      const before = mine.find(({ id }) => id === rest?.id)
      expect(rest).toMatchObject({ ...before, ownerId: null, version: 2, updatedAt: 9, epoch: expect.any(String) })
      expect(await find(rest?.id ?? 0)).toEqual(rest ?? null)
      expect((await list({ ownerId: 1 })).items).toEqual([])
      expect((await list({ text: 'one' })).items).toHaveLength(2)
      expect(await store.read((tx) => tx.usage.bytesOf(1))).toBe(0)
      expect(await inTx((records) => records.deleteOwned(2, 10))).toHaveLength(1)
      expect((await list({})).total).toBe(3)
    })

    test('count towards the quota of their owner until they are gone', async () => {
      const { store, stored, inTx } = await openWith()
      const { id: owner } = await store.write((tx) => tx.users.insert(userNamed('owner')))
      const used = () => store.read((tx) => tx.usage.bytesOf(owner))
      const title = 'x'.repeat(100)
      const made = await inTx((records) => records.insert(draft({ title }, owner)))
      const first = await used()
      expect(first).toBeGreaterThan(700)
      const updated = await inTx((records) => records.update({ ...made, title: 'x'.repeat(200) }))
      expect((await used()) - first).toBeGreaterThanOrEqual(200)
      await store.write((tx) => tx.collections.prepare(stored, { collection: PAGES, transform: null }))
      await inTx((records) => records.update({ ...updated, title }))
      expect(await used()).toBe(first)
      await inTx((records) => records.delete(made.id))
      expect(await used()).toBe(0)
    })
  })
}
