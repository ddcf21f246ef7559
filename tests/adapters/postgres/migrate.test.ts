import { describe, expect, test } from 'bun:test'
import { MIGRATIONS, migrate, pendingMigrations } from '../../../src/adapters/postgres/migrate.ts'
import { openPostgresStore } from '../../../src/adapters/postgres/unit-of-work.ts'
import { MIGRATIONS as EMBEDDED } from '../../../src/adapters/sqlite/migrate.ts'
import { COLLECTIONS } from '../../../src/domain/collections/index.ts'
import { itemEvent, readEvents } from '../../support/events.ts'
import { missing, outsideOfPostgres, testDatabase } from '../../support/postgres.ts'

const first = { name: '0001_a', sql: 'CREATE TABLE a (x integer); CREATE TABLE b (x integer);' }
const second = { name: '0002_c', sql: 'CREATE TABLE c (x integer);' }

describe.skipIf(missing)('with SKEP_TEST_POSTGRES_URL', () => {
  test('applies pending migrations in order, and none twice', async () => {
    const url = await testDatabase('empty')
    expect(await migrate(url, [first])).toEqual(['0001_a'])
    expect(await pendingMigrations(url, [first, second])).toEqual([second])
    expect(await migrate(url, [first, second])).toEqual(['0002_c'])
    expect(await migrate(url, [first, second])).toEqual([])
  })

  test('listing pending migrations creates nothing', async () => {
    const url = await testDatabase('empty')
    expect((await pendingMigrations(url)).slice(0, MIGRATIONS.length)).toEqual([...MIGRATIONS])
    expect(await outsideOfPostgres(url, "SELECT FROM pg_tables WHERE schemaname = 'public'")).toHaveLength(0)
  })

  test('processes that start at once apply each migration once', async () => {
    const url = await testDatabase('empty')
    const applied = await Promise.all(Array.from({ length: 5 }, () => migrate(url)))
    const newTables = COLLECTIONS.map(({ name }) => name).filter((name) => name !== 'items')
    expect(applied.flat().sort()).toEqual([...MIGRATIONS.map(({ name }) => name), ...newTables].sort())
  })

  test('events from before they had a kind are those of items and jobs, also what an older server writes beside', async () => {
    const url = await testDatabase('empty')
    await migrate(url, MIGRATIONS.slice(0, 11))
    const asBefore = (event: string, itemId: number | null, data: object) =>
      outsideOfPostgres(
        url,
        `INSERT INTO events (event, item_id, owner_id, data, created_at)
         VALUES ('${event}', ${itemId}, ${itemId === null ? null : 1}, '${JSON.stringify(data)}', 5)`,
      )
    await asBefore('item.created', 7, { id: 7, title: 'x' })
    await asBefore('job.done', null, { id: 3 })
    expect(await migrate(url)).toContain('0012_events_of_any_kind')
    await asBefore('item.updated', 8, { id: 8 })
    await asBefore('job.dead', null, { id: 4 })
    const store = openPostgresStore({ url, size: 1 })
    const item = { id: 9, ownerId: 1, version: 1, epoch: 'e', createdAt: 1, updatedAt: 1 }
    await store.write((tx) => tx.events.append(itemEvent('deleted', item)))
    const events = await readEvents(store)
    expect(events.map(({ kind, event, subjectId }) => [kind, event, subjectId])).toEqual([
      ['items', 'item.created', 7],
      ['jobs', 'job.done', 3],
      ['items', 'item.updated', 8],
      ['jobs', 'job.dead', 4],
      ['items', 'item.deleted', 9],
    ])
    await store.close()
    const shown = await outsideOfPostgres<{ item_id: string | null }>(
      url,
      'SELECT item_id FROM events ORDER BY position',
    )
    expect(shown.map(({ item_id }) => item_id)).toEqual(['7', null, '8', null, '9'])
  })

  test('a table of records gets the missing columns and indexes of its definition', async () => {
    const url = await testDatabase('empty')
    await migrate(url)
    await outsideOfPostgres(url, 'ALTER TABLE items DROP COLUMN data')
    await outsideOfPostgres(url, 'DROP INDEX items_by_title')
    expect((await pendingMigrations(url)).map(({ name }) => name)).toEqual(['items'])
    expect(await migrate(url)).toEqual(['items'])
    expect(await migrate(url)).toEqual([])
  })

  test('a failed migration keeps the earlier ones and is rolled back itself', async () => {
    const url = await testDatabase('empty')
    const broken = { name: '0002_broken', sql: 'CREATE TABLE d (x integer); CREATE TABLE d (x integer);' }
    await expect(migrate(url, [first, broken])).rejects.toThrow('already exists')
    const tables = await outsideOfPostgres<{ name: string }>(
      url,
      "SELECT tablename AS name FROM pg_tables WHERE schemaname = 'public' ORDER BY 1",
    )
    expect(tables.map(({ name }) => name)).toEqual(['a', 'b', 'migrations'])
  })

  test('refuses a migration that has changed, and accepts an unknown one', async () => {
    const url = await testDatabase('empty')
    await migrate(url, [first, second])
    const changed = { ...first, sql: 'CREATE TABLE other (x integer)' }
    await expect(migrate(url, [changed])).rejects.toThrow('0001_a is not the one')
    expect(await pendingMigrations(url, [first])).toEqual([])
  })
})

test('both engines have migrations of the same names', () => {
  expect(MIGRATIONS.map(({ name }) => name)).toEqual(EMBEDDED.map(({ name }) => name))
})
