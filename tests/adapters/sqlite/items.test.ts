import { expect, test } from 'bun:test'
import fc from 'fast-check'
import { openReader } from '../../../src/adapters/sqlite/database.ts'
import { createItemList } from '../../../src/adapters/sqlite/items-list.ts'
import type { ItemQuery, ItemSortField } from '../../../src/application/ports/persistence.ts'
import { newItem } from '../../../src/domain/item.ts'
import type { Position } from '../../../src/domain/page.ts'
import { openTestStore } from '../../support/store.ts'

const SORTS: readonly ItemSortField[] = ['created_at', 'updated_at', 'title']
const start = { page: 1 } as const
const position: { after: Position } = { after: { key: 1, id: 1 } }

const queries: ItemQuery[] = SORTS.flatMap((field) =>
  [true, false].flatMap((descending) =>
    [1, null].flatMap((ownerId) =>
      [null, 'word'].flatMap((text) =>
        [null, 5].flatMap((time) =>
          [start, position].map((from) => ({
            size: 20,
            sort: { field, descending },
            from,
            ownerId,
            text,
            createdAfter: time,
            createdBefore: time,
          })),
        ),
      ),
    ),
  ),
)

test('no list reads a whole table or sorts for itself', async () => {
  const { store, path } = openTestStore()
  // More matches than are sorted after they were found.
  await store.write(async (tx) => {
    for (let n = 0; n < 1_100; n++) await tx.items.insert(newItem({ title: 'word' }, 1, n))
  })
  const reader = openReader(path)
  const asked = new Set<string>()
  const list = createItemList({
    ...reader,
    prepare(sql) {
      asked.add(sql)
      return reader.prepare(sql)
    },
  })
  for (const query of queries) await list(query)
  expect(asked.size).toBeGreaterThan(40)
  for (const sql of asked) {
    const steps = reader.database.query<{ detail: string }, []>(`EXPLAIN QUERY PLAN ${sql}`).all()
    for (const { detail } of steps) {
      expect({ sql, detail }).not.toMatchObject({ detail: expect.stringMatching(/TEMP B-TREE|^SCAN items$/) })
    }
  }
  reader.close()
})

test('a small number of matches is sorted after it was found, and gives the same order', async () => {
  const { store } = openTestStore()
  for (const title of ['word b', 'word c', 'word a']) {
    await store.write((tx) => tx.items.insert(newItem({ title }, 1, 1)))
  }
  const query = {
    size: 20,
    sort: { field: 'title', descending: false },
    from: start,
    ownerId: 1,
    text: 'word',
  } as const
  const { items } = await store.read((tx) => tx.items.list({ ...query, createdAfter: null, createdBefore: null }))
  expect(items.map(({ title }) => title)).toEqual(['word a', 'word b', 'word c'])
})

type Step = { readonly insert: string } | { readonly remove: number } | 'read'

test('read by cursor, each item that stays is seen once, whatever comes and goes meanwhile', async () => {
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
  await fc.assert(
    fc.asyncProperty(setting, async ({ size, field, descending, text, before, steps }) => {
      const { store } = openTestStore()
      let clock = 0
      const insert = (title: string) =>
        store.write((tx) => tx.items.insert(newItem({ title: `${title} word` }, 1, ++clock)))
      const stays = new Set<number>()
      for (const title of before) stays.add((await insert(title)).id)

      const query = { size, sort: { field, descending }, ownerId: 1, text, createdAfter: null, createdBefore: null }
      const seen: number[] = []
      let from: ItemQuery['from'] | null = start
      const read = async () => {
        if (from === null) return
        const at: ItemQuery['from'] = from
        const { items, next } = await store.read((tx) => tx.items.list({ ...query, from: at }))
        seen.push(...items.map(({ id }) => id))
        from = next === null ? null : { after: next }
      }
      for (const each of steps) {
        if (each === 'read') await read()
        else if ('insert' in each) await insert(each.insert)
        else {
          stays.delete(each.remove)
          await store.write((tx) => tx.items.delete(each.remove))
        }
      }
      while (from !== null) await read()
      await store.close()
      expect(new Set(seen).size).toBe(seen.length)
      expect([...stays].filter((id) => !seen.includes(id))).toEqual([])
    }),
    { numRuns: 40 },
  )
})

test('the words of a unit that fails are not found, those of its neighbours are', async () => {
  const { store } = openTestStore()
  const insert = (title: string, fails = false) =>
    store.write(async (tx) => {
      await tx.items.insert(newItem({ title }, 1, 1))
      if (fails) throw new Error('on purpose')
    })
  await Promise.allSettled([insert('word one'), insert('word two', true), insert('word three')])
  const query = { size: 20, sort: { field: 'created_at', descending: false }, from: start, ownerId: 1 } as const
  const found = await store.read((tx) =>
    tx.items.list({ ...query, text: 'word', createdAfter: null, createdBefore: null }),
  )
  expect([found.total, found.items.map(({ title }) => title)]).toEqual([2, ['word one', 'word three']])
})
