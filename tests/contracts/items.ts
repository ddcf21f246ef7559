import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import type { Store } from '../../src/application/ports/persistence.ts'
import type { RecordQuery } from '../../src/application/ports/records.ts'
import { ITEMS } from '../../src/domain/collections/items.ts'
import { newRecord } from '../../src/domain/record.ts'
import { runsOf } from '../support/runs.ts'
import { insert, list, titles } from '../support/stored-items.ts'

const SORTS: readonly string[] = ['created_at', 'updated_at', 'title']

type Step = { readonly insert: string } | { readonly remove: number } | 'read'

/** What every engine's items promise: they come back as they were, in one order, and are counted. */
export const itemsContract = (engine: string, open: () => Promise<Store>) => {
  describe(`the items of ${engine}`, () => {
    test('return data with the order of members and every number unchanged', async () => {
      const store = await open()
      const data = JSON.parse(
        '{"b":1,"a":{"z":[],"10":1e21,"2":-0.1},"":"","\\u0000":"\\u0000 \\ud800 \\ud83d\\ude00","big":9007199254740993,"t":1e-7}',
      )
      const { id } = await insert(store, { title: 'x', description: 'ünïcödé ✓\n\t', data })
      const item = await store.read((tx) => tx.records('items').findById(id))
      expect(JSON.stringify(item?.data)).toBe(JSON.stringify(data))
      expect(item?.description).toBe('ünïcödé ✓\n\t')
    })

    test('keep the largest times and numbers of JavaScript', async () => {
      const store = await open()
      const most = 8_640_000_000_000_000
      const { id } = await insert(store, { title: 'x' }, Number.MAX_SAFE_INTEGER, most)
      const item = await store.read((tx) => tx.records('items').findById(id))
      expect(item).toMatchObject({ ownerId: Number.MAX_SAFE_INTEGER, createdAt: most, updatedAt: most })
      expect(await store.read((tx) => tx.records('items').findById(Number.MAX_SAFE_INTEGER))).toBeNull()
    })

    test('are looked up concurrently, and each caller gets its own item', async () => {
      const store = await open()
      const made = await store.write(async (tx) => {
        const items = []
        for (let n = 0; n < 50; n++)
          items.push(await tx.records('items').insert(newRecord(ITEMS, { title: `${n}` }, 1, 1)))
        return items
      })
      const missing = Number.MAX_SAFE_INTEGER
      const ids = Array.from({ length: 200 }, (_, n) => made[(n * 7) % 60]?.id ?? missing)
      const found = await Promise.all(ids.map((id) => store.read((tx) => tx.records('items').findById(id))))
      expect(found).toEqual(ids.map((id) => made.find((item) => item.id === id) ?? null))
    })

    test('are looked up in their current state, whoever else looks them up meanwhile', async () => {
      const store = await open()
      let latest = await insert(store, { title: 'x' })
      const find = () => store.read((tx) => tx.records('items').findById(latest.id))
      let writing = true
      const others = Array.from({ length: 32 }, async () => {
        while (writing) {
          await find()
          // An engine may answer at once, for ever.
          await new Promise((resolve) => setImmediate(resolve))
        }
      })
      for (let version = 2; version <= 50; version++) {
        latest = { ...latest, version }
        await store.write((tx) => tx.records('items').update(latest))
        expect((await find())?.version).toBe(version)
      }
      writing = false
      await Promise.all(others)
    })

    test('are sorted by title in the order of code points, whatever language that is', async () => {
      const store = await open()
      const order = ['-', '1', 'A', 'B', 'Z', 'a', 'a b', 'a-b', 'ab', 'b', 'Ä', 'ß', 'é', 'я', '日', '\uffee', '😀']
      for (const title of order.toReversed()) await insert(store, { title })
      expect(await titles(store, { sort: { field: 'title', descending: false } })).toEqual(order)
      expect(await titles(store, { sort: { field: 'title', descending: true } })).toEqual(order.toReversed())
    })

    test('are counted exactly after each change, also of a unit that fails', async () => {
      const store = await open()
      const counts = async () => {
        const [own, anothers] = [await list(store, { ownerId: 1 }), await list(store, { ownerId: 2 })]
        return [own.total, anothers.total]
      }
      const item = await insert(store, { title: 'first' })
      await store.write(async (tx) => {
        for (let n = 0; n < 199; n++) await tx.records('items').insert(newRecord(ITEMS, { title: `${n}` }, 1, n))
      })
      expect([await counts(), await counts()]).toEqual([
        [200, 0],
        [200, 0],
      ])
      await insert(store, { title: 'one more' })
      await insert(store, { title: 'another’s' }, 2)
      expect(await counts()).toEqual([201, 1])
      const failing = store.write(async (tx) => {
        await tx.records('items').delete(item.id)
        throw new Error('refused')
      })
      await expect(failing).rejects.toThrow('refused')
      expect(await counts()).toEqual([201, 1])
      await store.write((tx) => tx.records('items').delete(item.id))
      expect(await counts()).toEqual([200, 1])
      await store.write((tx) => tx.records('items').deleteOwned(1, 50))
      expect(await counts()).toEqual([150, 1])
    })

    test('are counted and found between two times', async () => {
      const store = await open()
      for (let now = 1; now <= 5; now++) await insert(store, { title: `${now} word` }, 1, now)
      await insert(store, { title: 'another’s word' }, 2, 3)
      expect(await list(store, { createdAfter: 1, createdBefore: 5, size: 2 })).toMatchObject({ total: 3 })
      expect(await titles(store, { createdAfter: 1, createdBefore: 5 })).toEqual(['2 word', '3 word', '4 word'])
      expect(await titles(store, { createdAfter: 3, text: 'word' })).toEqual(['4 word', '5 word'])
      expect(await titles(store, { ownerId: null, createdAfter: 2, createdBefore: 4 })).toHaveLength(2)
    })

    test('are counted unless the count is not wanted', async () => {
      const store = await open()
      for (const title of ['word a', 'word b', 'word c']) await insert(store, { title })
      for (const text of [null, 'word', '…']) {
        const page = await list(store, { text, size: 2, from: { page: 1, total: false } })
        expect([page.total, page.next === null]).toEqual([null, text === '…'])
      }
    })

    test('paged by cursor appear exactly once, whatever is created or deleted meanwhile', async () => {
      const word = fc.constantFrom('a', 'b', 'c', 'd')
      const step: fc.Arbitrary<Step> = fc.oneof(
        { weight: 3, arbitrary: fc.constant('read' as const) },
        { weight: 2, arbitrary: fc.record({ insert: word }) },
        { weight: 1, arbitrary: fc.record({ remove: fc.nat(30) }) },
      )
      const setting = fc.record({
        size: fc.integer({ min: 1, max: 4 }),
        field: fc.constantFrom(...SORTS),
        descending: fc.boolean(),
        text: fc.constantFrom(null, 'word'),
        before: fc.array(word, { maxLength: 15 }),
        steps: fc.array(step, { maxLength: 25 }),
      })
      const store = await open()
      let owner = 0
      await fc.assert(
        fc.asyncProperty(setting, async ({ size, field, descending, text, before, steps }) => {
          const ownerId = ++owner
          let clock = 0
          const ids: number[] = []
          const stays = new Set<number>()
          const add = async (title: string) => {
            const { id } = await insert(store, { title: `${title} word` }, ownerId, ++clock)
            ids.push(id)
            return id
          }
          for (const title of before) stays.add(await add(title))

          const seen: number[] = []
          let from: RecordQuery['from'] | null = { page: 1 }
          const read = async () => {
            if (from === null) return
            const { items, next } = await list(store, { size, sort: { field, descending }, ownerId, text, from })
            seen.push(...items.map(({ id }) => id))
            from = next === null ? null : { after: next }
          }
          for (const each of steps) {
            if (each === 'read') await read()
            else if ('insert' in each) await add(each.insert)
            else {
              const id = ids[each.remove] ?? 0
              stays.delete(id)
              await store.write((tx) => tx.records('items').delete(id))
            }
          }
          while (from !== null) await read()
          expect(new Set(seen).size).toBe(seen.length)
          expect([...stays].filter((id) => !seen.includes(id))).toEqual([])
        }),
        { numRuns: runsOf(15, 40) },
      )
    })
  })
}
