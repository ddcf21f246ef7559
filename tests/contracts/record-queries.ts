import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import { compileExpression } from '../../src/adapters/cel/compile.ts'
import type { RecordStorage } from '../../src/application/ports/collections.ts'
import type { Store } from '../../src/application/ports/persistence.ts'
import type { RecordQuery } from '../../src/application/ports/records.ts'
import type { Collection, IndexDefinition } from '../../src/domain/collection.ts'
import { ITEMS } from '../../src/domain/collections/items.ts'
import { type AuthValue, type Expression, TRUE } from '../../src/domain/expression.ts'
import { bind } from '../../src/domain/expression-binding.ts'
import { type FindReferenced, isTrue } from '../../src/domain/expression-evaluation.ts'
import { conjunctionOf } from '../../src/domain/expression-parts.ts'
import { parseTimestamp } from '../../src/domain/expression-time.ts'
import { compareText } from '../../src/domain/expression-values.ts'
import type { Json, JsonObject } from '../../src/domain/merge-patch.ts'
import type { Page, RowPosition } from '../../src/domain/page.ts'
import { type NewRecord, newRecord, type StoredRecord } from '../../src/domain/record.ts'
import { matchesWords, queryWordsOf } from '../../src/domain/words.ts'
import { callers, collectionNamed, collections, conditionsOf, fieldsOf, LISTS, NOW } from '../support/expressions.ts'
import { runsOf } from '../support/runs.ts'
import { userNamed } from '../support/store.ts'

/** Ids that exist, of users and of lists. Values of references go up to 3. */
const EXISTING_COUNT = 2

const LIST_INDEXES: readonly IndexDefinition[] = [{ fields: ['rank'] }, { fields: ['open', 'rank'] }]

interface Situation {
  readonly collection: Collection
  readonly lists: readonly JsonObject[]
  readonly drafts: readonly NewRecord[]
  readonly rule: string
  readonly filter: string | null
  readonly auth: AuthValue | null
  readonly text: string | null
  readonly ownerId: number | null
  readonly createdAfter: number | null
  readonly size: number
}

const draftsOf = (collection: Collection): fc.Arbitrary<NewRecord> =>
  fc
    .tuple(
      fieldsOf(collection),
      fc.option(fc.constantFrom(1, 2, 3)),
      fc.constantFrom(NOW - 1, NOW, NOW + 1),
      fc.constantFrom(NOW - 1, NOW, NOW + 1),
    )
    .map(([fields, ownerId, createdAt, updatedAt]) => ({
      ...Object.fromEntries(Object.keys(collection.fields).map((name) => [name, fields[name] ?? null])),
      ...{ ownerId, version: 1, createdAt, updatedAt },
    }))

const SCALARS = ['name', 'note', 'count', 'price', 'done', 'due_at', 'list'] as const
const TEXTS = ['name', 'note'] as const

const withIndexes = (collection: Collection): fc.Arbitrary<Collection> => {
  const has = (field: string) => collection.fields[field] !== undefined
  const scalars = SCALARS.filter(has)
  if (scalars.length === 0) return fc.constant(collection)
  const index = fc
    .uniqueArray(fc.constantFrom(...scalars), { minLength: 1, maxLength: 3 })
    .map((fields): IndexDefinition => ({ fields }))
  return fc
    .tuple(fc.uniqueArray(index, { maxLength: 4, selector: ({ fields }) => fields.join() }), fc.subarray([...TEXTS]))
    .map(([indexes, search]) => ({ ...collection, indexes, search: search.filter(has) }))
}

const PLANNED = {
  name: ['record.name == "a"', 'record.name.startsWith("a")', 'record.name in ["a", "B", "é"]', 'record.name < "b"'],
  note: ['record.note == null', '"ab" <= record.note', 'record.note > "a"'],
  count: ['record.count == 1', 'record.count > 0', 'record.count <= 2', 'record.count in [0, 3]', 'record.count < 1.5'],
  price: ['record.price == 1.5', '1 < record.price', 'record.price >= -1'],
  done: ['record.done', '!record.done', 'record.done == false'],
  due_at: ['record.due_at < now', 'record.due_at == timestamp("2026-01-31T12:00:00Z")', 'record.due_at == null'],
  list: [
    'record.list == 1',
    'record.list in [1, 2, 3]',
    'record.list.open',
    'record.list.owner == auth.id',
    'auth.id in record.list.members',
    'record.list.members.exists(x, x == 2)',
    'record.list.owner_id == 1',
    'record.list.rank > 0',
    'record.list.owner.name == "user-0"',
    '[1, 2].exists(x, x == 1 || record.list.open)',
  ],
} as const

const ALWAYS_PLANNED = [
  'record.owner_id == auth.id',
  'record.owner_id == null',
  'record.id > 0',
  'record.created_at <= now',
  'record.created_at == now',
] as const

/** Conditions that indexes can answer, at least in part, combined with each other. */
const plannedOf = (collection: Collection): fc.Arbitrary<string> => {
  const names = Object.keys(PLANNED).filter((name): name is keyof typeof PLANNED => name in collection.fields)
  const simple = fc.constantFrom(...names.flatMap((name): readonly string[] => PLANNED[name]), ...ALWAYS_PLANNED)
  return fc
    .array(fc.tuple(simple, fc.constantFrom(' && ', ' || ', ' && (')), { minLength: 1, maxLength: 5 })
    .map((parts) => {
      const open = parts.slice(0, -1).filter(([, operator]) => operator.endsWith('(')).length
      const text = parts.map(([part, operator], n) => `${part}${n === parts.length - 1 ? '' : operator}`).join('')
      return `${text}${')'.repeat(open)}`
    })
}

const situations: fc.Arbitrary<Situation> = collections.chain(withIndexes).chain((collection) =>
  fc.record({
    collection: fc.constant(collection),
    lists: fc.array(fieldsOf(LISTS), { minLength: EXISTING_COUNT, maxLength: EXISTING_COUNT }),
    drafts: fc.array(draftsOf(collection), { maxLength: 12 }),
    rule: fc.oneof(conditionsOf(collection, { use: 'read' }), plannedOf(collection)),
    filter: fc.option(conditionsOf(collection, { use: 'filter' })),
    auth: callers,
    text: fc.option(fc.constantFrom('a', 'ab', 'abc b'), { freq: 3 }),
    ownerId: fc.option(fc.constantFrom(1, 2), { freq: 3 }),
    createdAfter: fc.option(fc.constantFrom(NOW - 1, NOW), { freq: 3 }),
    size: fc.integer({ min: 1, max: 5 }),
  }),
)

const compiled = (text: string, collection: Collection, use: 'read' | 'filter'): Expression => {
  const result = compileExpression(text, { collection, use, collectionNamed })
  if ('faults' in result) throw new Error(`${text}: ${JSON.stringify(result.faults)}`)
  return result.expression
}

const RANKS = ['object', 'boolean', 'number', 'string']

/** Null, false, true, numbers, strings; times by what they mean. */
const compareScalars = (one: Json, other: Json): number => {
  if (typeof one !== typeof other) return RANKS.indexOf(typeof one) - RANKS.indexOf(typeof other)
  if (typeof one === 'string' && typeof other === 'string') return compareText(one, other)
  return Number(one) - Number(other)
}

const COLUMNS: Readonly<Record<string, string>> = { id: 'id', created_at: 'createdAt', updated_at: 'updatedAt' }

const sortValuesOf = (collection: Collection, field: string) => {
  const column = COLUMNS[field]
  const indexes = (collection.indexes ?? []).filter(({ fields }) => fields[0] === field)
  const fewest = Math.min(...indexes.map(({ fields }) => fields.length))
  const names = indexes.find(({ fields }) => fields.length === fewest)?.fields ?? []
  return (record: StoredRecord): readonly Json[] => {
    if (column !== undefined) return [record[column] ?? null, record.id]
    const values = names.map((name) => {
      const value = record[name] ?? null
      return collection.fields[name]?.format === 'date-time' && typeof value === 'string'
        ? parseTimestamp(value)
        : value
    })
    return [...values, record.createdAt, record.id]
  }
}

const sorted = (records: readonly StoredRecord[], collection: Collection, field: string, descending: boolean) => {
  const valuesOf = sortValuesOf(collection, field)
  const compare = (one: StoredRecord, other: StoredRecord): number => {
    const [values, others] = [valuesOf(one), valuesOf(other)]
    const differing = values.findIndex((value, n) => compareScalars(value, others[n] ?? null) !== 0)
    return differing < 0 ? 0 : compareScalars(values[differing] ?? null, others[differing] ?? null)
  }
  return records.toSorted((one, other) => (descending ? -1 : 1) * compare(one, other)).map(({ id }) => id)
}

const allPages = async (store: Store, storage: RecordStorage, query: RecordQuery): Promise<readonly number[]> => {
  const ids: number[] = []
  let after: RowPosition | null = null
  for (let pages = 0; pages < 100; pages++) {
    const from: RecordQuery['from'] = after === null ? { page: 1 } : { after }
    const page: Page<StoredRecord> = await store.read((tx) => tx.records(storage).list({ ...query, from }))
    ids.push(...page.items.map(({ id }) => id))
    if (page.next === null) return ids
    after = page.next
  }
  throw new Error('the pages do not end')
}

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
