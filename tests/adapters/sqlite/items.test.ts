import { expect, setDefaultTimeout, test } from 'bun:test'
import { join } from 'node:path'
import { RECORD_TABLES } from '../../../src/adapters/sql/record-table.ts'
import { runAtOnce } from '../../../src/adapters/sql/step-queue.ts'
import { openReader, openWriter } from '../../../src/adapters/sqlite/database.ts'
import { createDefinitions } from '../../../src/adapters/sqlite/definitions.ts'
import { MIGRATIONS, migrate } from '../../../src/adapters/sqlite/migrate.ts'
import { createQueryDatabase } from '../../../src/adapters/sqlite/query-database.ts'
import { createRecordList } from '../../../src/adapters/sqlite/record-list.ts'
import { withoutCache, withoutCountCache } from '../../../src/adapters/sqlite/row-cache.ts'
import { openSqliteStore } from '../../../src/adapters/sqlite/unit-of-work.ts'
import type { Store } from '../../../src/application/ports/persistence.ts'
import type { RecordQuery } from '../../../src/application/ports/records.ts'
import { ITEMS } from '../../../src/domain/collections/items.ts'
import type { RowPosition } from '../../../src/domain/page.ts'
import { newRecord } from '../../../src/domain/record.ts'
import { itemSearchContract } from '../../contracts/item-search.ts'
import { itemsContract } from '../../contracts/items.ts'
import { recordsContract } from '../../contracts/records.ts'
import { temporaryFolder } from '../../support/skep.ts'
import { openTestStore } from '../../support/store.ts'

// Properties are tried many times, each with commits that wait for the disk.
setDefaultTimeout(30_000)

itemsContract('sqlite', async () => openTestStore().store)
itemSearchContract('sqlite', async () => openTestStore().store)
recordsContract('sqlite', async () => openTestStore().store)

const SORTS: readonly string[] = ['created_at', 'updated_at', 'title']
const start = { page: 1 } as const
const position: { after: RowPosition } = { after: { key: 1, id: 1 } }

const queries: RecordQuery[] = SORTS.flatMap((field) =>
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
    for (let n = 0; n < 1_100; n++) await tx.records('items').insert(newRecord(ITEMS, { title: 'word' }, 1, n))
  })
  const reader = openReader(path)
  const asked = new Set<string>()
  const connection = {
    ...reader,
    prepare(sql: string) {
      asked.add(sql)
      return reader.prepare(sql)
    },
  } as typeof reader
  const [table] = RECORD_TABLES
  if (table === undefined) throw new Error('nothing is registered')
  const database = createQueryDatabase(connection, createDefinitions(connection, withoutCache))
  const list = createRecordList(connection, table, { database, runStep: runAtOnce, cacheCount: withoutCountCache })
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

test('words of a failed unit are not found, those of other units are', async () => {
  const { store } = openTestStore()
  const insert = (title: string, fails = false) =>
    store.write(async (tx) => {
      await tx.records('items').insert(newRecord(ITEMS, { title }, 1, 1))
      if (fails) throw new Error('on purpose')
    })
  await Promise.allSettled([insert('word one'), insert('word two', true), insert('word three')])
  const query = { size: 20, sort: { field: 'created_at', descending: false }, from: start, ownerId: 1 } as const
  const found = await store.read((tx) =>
    tx.records('items').list({ ...query, text: 'word', createdAfter: null, createdBefore: null }),
  )
  expect([found.total, found.items.map(({ title }) => title)]).toEqual([2, ['word one', 'word three']])
})

test('after a migration existing items are indexed in the background, also after an interruption', async () => {
  const path = join(temporaryFolder(), 'skep.db')
  const before = openWriter(path)
  migrate(
    before.database,
    MIGRATIONS.filter(({ name }) => name < '0007'),
  )
  before.run(`WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 1000)
    INSERT INTO items (owner_id, title, data, version, created_at, updated_at)
    SELECT 1, 'Ёлка ' || n || printf(' %.*c', 100, 'x'), '{}', 1, n, n FROM n`)
  before.close()
  const after = openWriter(path)
  migrate(after.database)
  after.close()
  const query = { size: 20, sort: { field: 'created_at', descending: true }, from: start, ownerId: 1 } as const
  const found = (store: Store) =>
    store.read((tx) => tx.records('items').list({ ...query, text: 'ёлка', createdAfter: null, createdBefore: null }))
  /** Opens the store until so many items are found, and looks after each commit. */
  const openUntil = async (isEnough: (total: number | null) => boolean) => {
    let next = Promise.withResolvers<void>()
    const committed = () => {
      next.resolve()
      next = Promise.withResolvers()
    }
    const store = openSqliteStore({ path, metrics: { databaseWaited() {}, committed } })
    for (;;) {
      const { promise: hasCommitted } = next
      if (isEnough((await found(store)).total)) break
      await hasCommitted
    }
    await store.close()
  }

  await openUntil((total) => total !== 0)
  await openUntil((total) => total === 1_000)
})
