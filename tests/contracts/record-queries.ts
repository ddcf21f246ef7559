import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import type { Store } from '../../src/application/ports/persistence.ts'
import type { RecordQuery } from '../../src/application/ports/records.ts'
import type { Collection, IndexDefinition } from '../../src/domain/collection.ts'
import { ITEMS } from '../../src/domain/collections/items.ts'
import { TRUE } from '../../src/domain/expression.ts'
import { bind } from '../../src/domain/expression-binding.ts'
import { type FindReferenced, isTrue } from '../../src/domain/expression-evaluation.ts'
import { conjunctionOf } from '../../src/domain/expression-parts.ts'
import type { JsonObject } from '../../src/domain/merge-patch.ts'
import { newRecord, type StoredRecord } from '../../src/domain/record.ts'
import { matchesWords, queryWordsOf } from '../../src/domain/words.ts'
import { LISTS, NOW } from '../support/expressions.ts'
import { allPages, compareScalars, compiled, sorted } from '../support/record-order.ts'
import { EXISTING_COUNT, type Situation, situations } from '../support/record-situations.ts'
import { runsOf } from '../support/runs.ts'
import { userNamed } from '../support/store.ts'

const LIST_INDEXES: readonly IndexDefinition[] = [{ fields: ['rank'] }, { fields: ['open', 'rank'] }]

/**
 * What every engine promises of lists with conditions: they are what testing every record in memory gives, in every order
 * and paged in any way.
 */
export const recordQueriesContract = (
  engine: string,
  open: () => Promise<Store>,
  { numRuns = runsOf(60, 200) } = {},
) => {
  describe(`lists by conditions of ${engine}`, () => {
    let names = 0
    const define = (store: Store, collection: Collection) =>
      store.write((tx) => tx.collections.insert({ ...collection, name: `tasks_${++names}` }, 1))

    /** A store with the lists and users that records reference. */
    const openWithLists = async () => {
      const store = await open()
      for (let n = 0; n < EXISTING_COUNT; n++) await store.write((tx) => tx.users.insert(userNamed(`user-${n}`)))
      const lists = await store.write((tx) => tx.collections.insert({ ...LISTS, indexes: LIST_INDEXES }, 1))
      const first = { title: '', ownerId: null, version: 1, createdAt: NOW, updatedAt: NOW }
      for (let n = 0; n < EXISTING_COUNT; n++) await store.write((tx) => tx.records(lists).insert(first))
      return { store, lists }
    }

    test('are what testing every record in memory gives, in every order, paged in any way', async () => {
      const { store, lists } = await openWithLists()
      const run = async (situation: Situation): Promise<void> => {
        const { collection, drafts, auth, text, ownerId, createdAfter, size } = situation
        const stored = await define(store, collection)
        const { records, referenced } = await store.write(async (tx) => {
          const changed: StoredRecord[] = []
          for (const [n, fields] of situation.lists.entries()) {
            const before = await tx.records(lists).findById(n + 1)
            if (before === null) throw new Error('the lists are not there')
            const values = Object.fromEntries(Object.keys(LISTS.fields).map((name) => [name, fields[name] ?? null]))
            changed.push(await tx.records(lists).update({ ...before, ...values, ownerId: n + 1 }))
          }
          const users = await Promise.all([1, 2].map((id) => tx.users.findById(id)))
          const made: StoredRecord[] = []
          for (const draft of drafts) made.push(await tx.records(stored).insert(draft))
          const found: Readonly<Record<string, readonly JsonObject[]>> = {
            lists: changed,
            users: users.flatMap((user) => (user === null ? [] : [{ id: user.id, name: user.name }])),
          }
          const find: FindReferenced = (target, id) => found[target]?.find((each) => each.id === id) ?? null
          return { records: made, referenced: find }
        })
        const rule = bind(compiled(situation.rule, collection, 'read'), { auth, now: NOW })
        const filter =
          situation.filter === null ? TRUE : bind(compiled(situation.filter, collection, 'filter'), { auth, now: NOW })
        const condition = conjunctionOf([rule, filter])
        const words = text === null ? [] : queryWordsOf(text)
        const isSearched = collection.search.length > 0
        const expected = records.filter(
          (record) =>
            isTrue(condition, { record, referenced }) &&
            (ownerId === null || record.ownerId === ownerId) &&
            (createdAfter === null || record.createdAt > createdAfter) &&
            (text === null ||
              (isSearched && matchesWords(collection.search.map((name) => record[name] ?? '').join('\n'), words))),
        )
        const sorts = new Set(['id', 'created_at', 'updated_at', ...(collection.indexes ?? []).map((i) => i.fields[0])])
        for (const field of sorts) {
          for (const descending of [true, false]) {
            const sort = { field: field ?? 'id', descending }
            const query = { size, sort, ownerId, text, createdAfter, createdBefore: null, condition, from: { page: 1 } }
            const ids = sorted(expected, collection, sort.field, descending)
            expect(await allPages(store, stored, query)).toEqual(ids)
            const second = await store.read((tx) => tx.records(stored).list({ ...query, from: { page: 2 } }))
            expect(second.items.map(({ id }) => id)).toEqual(ids.slice(size, 2 * size))
            expect(second.total).toBe(ids.length)
          }
        }
        await store.write((tx) => tx.collections.delete(stored))
      }
      await fc.assert(fc.asyncProperty(situations, run), { numRuns })
    })

    test('by a field that several indexes of one length begin with are in the order of the first of them', async () => {
      const store = await open()
      const fields = { list: { type: 'integer' }, rank: { type: 'integer' }, place: { type: 'integer' } } as const
      const collection: Collection = {
        ...{ name: 'ranked', singular: 'rank', description: '', fields, required: [], sorts: [], search: [] },
        indexes: [{ fields: ['list', 'rank'] }, { fields: ['list', 'place'] }],
      }
      const stored = await define(store, collection)
      const made = await store.write(async (tx) => {
        const records: StoredRecord[] = []
        for (let n = 0; n < 6; n++) {
          const own = { list: 1, rank: n, place: -n, ownerId: 1, version: 1, createdAt: NOW, updatedAt: NOW }
          records.push(await tx.records(stored).insert(own))
        }
        return records.map(({ id }) => id)
      })
      const bounds = { ownerId: null, text: null, createdAfter: null, createdBefore: null, condition: TRUE }
      const sort = { field: 'list', descending: false }
      expect(await allPages(store, stored, { ...bounds, sort, size: 4, from: { page: 1 } })).toEqual(made)
    })

    test('by a field behind others that the condition fixes are in its order, page by page', async () => {
      const store = await open()
      const fields = {
        list: { type: 'integer' },
        rank: { type: ['integer', 'null'] },
        done: { type: 'boolean' },
      } as const
      const collection: Collection = {
        ...{ name: 'ranked', singular: 'rank', description: '', fields, required: [], sorts: [], search: [] },
        indexes: [{ fields: ['list', 'rank'] }, { fields: ['rank'] }],
      }
      const stored = await define(store, collection)
      const made = await store.write(async (tx) => {
        const records: StoredRecord[] = []
        for (let n = 0; n < 60; n++) {
          const own = { list: n % 3, rank: n % 7 === 0 ? null : (n * 5) % 11, done: n % 2 === 0 }
          const record = { ...own, ownerId: 1, version: 1, createdAt: NOW + (n % 4), updatedAt: NOW }
          records.push(await tx.records(stored).insert(record))
        }
        return records
      })
      const filters = [
        'list == 1',
        'list in [0, 2]',
        'list == 1 && rank > 2',
        'list in [0, 2] && done',
        'list == 1 && !done',
      ]
      for (const filter of filters) {
        const condition = bind(compiled(filter, collection, 'filter'), { auth: null, now: NOW })
        const expected = made.filter((record) => isTrue(condition, { record, referenced: () => undefined }))
        expect(expected.length).toBeGreaterThan(5)
        for (const descending of [true, false]) {
          const bounds = { ownerId: null, text: null, createdAfter: null, createdBefore: null }
          const query = {
            ...bounds,
            size: 4,
            sort: { field: 'rank', descending },
            condition,
            from: { page: 1 },
          } as const
          expect(await allPages(store, stored, query)).toEqual(sorted(expected, collection, 'rank', descending))
        }
      }
    })

    test('of many records of one value are in the order of another field, wherever they lie in it', async () => {
      const store = await open()
      const collection: Collection = {
        ...{ name: 'placed', singular: 'place', description: '', required: [], sorts: [], search: [] },
        fields: { place: { type: 'integer' }, late: { type: 'boolean' }, rank: { type: 'integer' } },
        indexes: [{ fields: ['place'] }, { fields: ['late'] }, { fields: ['rank'] }],
      }
      const stored = await define(store, collection)
      const count = 2_400
      const made = await store.write(async (tx) => {
        const records: StoredRecord[] = []
        for (let n = 0; n < count; n++) {
          const rank = ((n * 7919) % count) >> 1
          const record = {
            place: n % 4,
            late: rank >= 900,
            rank,
            ownerId: 1,
            version: 1,
            createdAt: NOW,
            updatedAt: NOW,
          }
          records.push(await tx.records(stored).insert(record))
        }
        return records
      })
      for (const filter of ['place == 0', 'late']) {
        const condition = bind(compiled(filter, collection, 'filter'), { auth: null, now: NOW })
        const expected = made.filter((record) => isTrue(condition, { record, referenced: () => undefined }))
        for (const descending of [true, false]) {
          const ids = sorted(expected, collection, 'rank', descending)
          const sort = { field: 'rank', descending }
          const query = { ...{ ownerId: null, text: null, createdAfter: null, createdBefore: null, condition }, sort }
          const list = (size: number, from: RecordQuery['from']) =>
            store.read((tx) => tx.records(stored).list({ ...query, size, from }))
          for (const page of [1, 12, 24, 25]) {
            const { items, total } = await list(25, { page })
            expect(items.map(({ id }) => id)).toEqual(ids.slice(25 * (page - 1), 25 * page))
            expect(total).toBe(ids.length)
          }
          const { items, next } = await list(100, { page: 1 })
          const rest = next && (await list(100, { after: next }))
          expect([...items, ...(rest?.items ?? [])].map(({ id }) => id)).toEqual(ids.slice(0, 200))
        }
      }
    })

    test('of a collection defined in code are what testing every record in memory gives', async () => {
      const store = await open()
      const made = await store.write(async (tx) => {
        const items: StoredRecord[] = []
        for (let n = 0; n < 30; n++) {
          const fields = { title: `${'ab'.charAt(n % 2)}${(n * 7) % 10}`, data: { n } }
          items.push(await tx.records('items').insert(newRecord(ITEMS, fields, 1 + (n % 3), NOW + (n % 4))))
        }
        return items
      })
      const rules = [
        'record.owner_id == 2',
        'record.owner_id in [1, 3] && record.title.startsWith("a")',
        'record.data.n > 7 || record.owner_id == null',
        'record.id == 3 || record.created_at > now',
        'record.title.contains("zz")',
      ]
      for (const rule of rules) {
        const condition = bind(compiled(rule, ITEMS, 'read'), { auth: null, now: NOW })
        for (const text of [null, 'a']) {
          const expected = made.filter(
            (record) =>
              isTrue(condition, { record, referenced: () => null }) &&
              (text === null || matchesWords(String(record.title), queryWordsOf(text))),
          )
          for (const [field, column] of [
            ['created_at', 'createdAt'],
            ['title', 'title'],
          ] as const) {
            const order = (one: StoredRecord, other: StoredRecord) =>
              compareScalars(one[column] ?? null, other[column] ?? null) || one.id - other.id
            const query = { ...{ ownerId: null, text, createdAfter: null, createdBefore: null, condition }, size: 4 }
            const sort = { field, descending: false }
            expect(await allPages(store, 'items', { ...query, sort, from: { page: 1 } })).toEqual(
              expected.toSorted(order).map(({ id }) => id),
            )
          }
        }
      }
    })
  })
}
