import { expect, setDefaultTimeout, test } from 'bun:test'
import { storedLayout } from '../../../src/adapters/sql/record-layout.ts'
import { createRecordQuery } from '../../../src/adapters/sql/record-query.ts'
import { runAtOnce } from '../../../src/adapters/sql/step-queue.ts'
import { openReader } from '../../../src/adapters/sqlite/database.ts'
import { createDefinitions } from '../../../src/adapters/sqlite/definitions.ts'
import { createQueryDatabase } from '../../../src/adapters/sqlite/query-database.ts'
import { withoutCache } from '../../../src/adapters/sqlite/row-cache.ts'
import type { RecordQuery } from '../../../src/application/ports/records.ts'
import type { Collection } from '../../../src/domain/collection.ts'
import { bind } from '../../../src/domain/expression-binding.ts'
import type { RowPosition } from '../../../src/domain/page.ts'
import type { NewRecord } from '../../../src/domain/record.ts'
import { recordQueriesContract } from '../../contracts/record-queries.ts'
import { LISTS, NOW } from '../../support/expressions.ts'
import { openTestStore } from '../../support/store.ts'
import { ADA, condition, TASKS } from '../../support/tasks.ts'

// Properties are tried many times, each with commits that wait for the disk.
setDefaultTimeout(60_000)

recordQueriesContract('sqlite', async () => openTestStore().store)

const INDEXED: Collection = {
  ...TASKS,
  search: ['title'],
  indexes: [{ fields: ['title'] }, { fields: ['count', 'due_at'] }, { fields: ['done'] }],
}

const NOTHING = { ownerId: null, text: null, createdAfter: null, createdBefore: null } as const

const draft = (fields: object, n: number): NewRecord => ({
  ...Object.fromEntries(Object.keys(TASKS.fields).map((name) => [name, null])),
  ...{ title: 'word', ownerId: 1, version: 1, createdAt: n, updatedAt: n },
  ...fields,
})

const openTasks = async (drafts: readonly NewRecord[]) => {
  const opened = openTestStore()
  const stored = await opened.store.write(async (tx) => {
    const lists = await tx.collections.insert(LISTS, 1)
    await tx.records(lists).insert({ title: 'list', ownerId: 1, version: 1, createdAt: 1, updatedAt: 1 })
    return tx.collections.insert(INDEXED, 1)
  })
  await opened.store.write(async (tx) => {
    for (const each of drafts) await tx.records(stored).insert(each)
  })
  return { ...opened, stored }
}

const bound = (text: string) => bind(condition(text, 'read'), { auth: ADA, now: NOW })

const CONDITIONS = [
  'true',
  'record.title == "word"',
  'record.title.startsWith("w") && record.count > 1',
  'record.count == 1 && record.due_at < now',
  'record.count in [1, 2] || record.done',
  'record.owner_id == auth.id || auth.id in record.watchers',
  'record.list == 1',
  'auth.id == record.list.owner_id || auth.id in record.list.members',
  'record.created_at < now && record.note != null',
]

test('no list reads a whole table or sorts for itself', async () => {
  const { path, stored } = await openTasks([draft({ list: 1, count: 1, watchers: [1] }, 1), draft({}, 2)])
  const reader = openReader(path)
  const asked = new Set<string>()
  const connection = {
    ...reader,
    prepare(sql: string) {
      asked.add(sql)
      return reader.prepare(sql)
    },
  } as typeof reader
  const database = createQueryDatabase(connection, createDefinitions(connection, withoutCache))
  const list = createRecordQuery(storedLayout(stored), database, runAtOnce)
  for (const field of ['id', 'created_at', 'updated_at', 'title', 'count', 'done']) {
    for (const descending of [true, false]) {
      for (const text of [null, 'word']) {
        for (const each of CONDITIONS) {
          const query: RecordQuery = { ...NOTHING, text, size: 1, sort: { field, descending }, from: { page: 1 } }
          for (const dates of [NOTHING, { createdAfter: 0, createdBefore: 9 }, { ownerId: 1 }]) {
            const { next } = await list({ ...query, ...dates, condition: bound(each) })
            if (next !== null) await list({ ...query, ...dates, condition: bound(each), from: { after: next } })
          }
        }
      }
    }
  }
  expect(asked.size).toBeGreaterThan(30)
  for (const sql of asked) {
    const steps = reader.database.query<{ detail: string }, []>(`EXPLAIN QUERY PLAN ${sql}`).all()
    for (const { detail } of steps) {
      const ordered = { detail: expect.stringMatching(/TEMP B-TREE|^SCAN (records|record_keys|users|files)$/) }
      expect({ sql, detail }).not.toMatchObject(ordered)
    }
  }
  reader.close()
})

test('more candidates than are sorted are read in the order of the sort, and matches are counted to 10,000', async () => {
  const count = 10_300
  const drafts = Array.from({ length: count }, (_, n) =>
    draft({ title: `${(n * 7919) % count}`.padStart(5, '0'), count: 1, done: n % 5_000 === 0 }, n),
  )
  const { store, stored } = await openTasks(drafts)
  const list = (query: Partial<RecordQuery>) =>
    store.read((tx) =>
      tx.records(stored).list({
        ...{ ...NOTHING, size: 3, sort: { field: 'title', descending: false }, from: { page: 1 } },
        ...query,
      }),
    )
  const titles = async (query: Partial<RecordQuery>) => (await list(query)).items.map(({ title }) => title)
  const many = bound('record.count == 1')
  expect(await titles({ condition: many })).toEqual(['00000', '00001', '00002'])
  expect(await list({ condition: many, sort: { field: 'created_at', descending: true } })).toMatchObject({
    total: null,
    totalAtLeast: 10_000,
  })
  const few = bound('record.count == 1 && record.done')
  expect(await list({ condition: few })).toMatchObject({ total: 3, next: null })
  // Each page ends where the work of one request does.
  const rare = bound('record.count == 1 && record.title.endsWith("77")')
  const expected = drafts
    .map(({ title }) => String(title))
    .filter((title) => title.endsWith('77'))
    .sort()
  const found: unknown[] = []
  for (let from: RecordQuery['from'] = { page: 1 }, pages = 0; pages < 1_000; pages++) {
    const page = await list({ condition: rare, from, size: 50 })
    found.push(...page.items.map(({ title }) => title))
    const after: RowPosition | null = page.next
    if (after === null) break
    from = { after }
  }
  expect(found).toEqual(expected)
})
