import { expect, test } from 'bun:test'
import { join } from 'node:path'
import { openWriter } from '../../../src/adapters/sqlite/database.ts'
import { MIGRATIONS, migrate, pendingMigrations } from '../../../src/adapters/sqlite/migrate.ts'
import { openSqliteStore } from '../../../src/adapters/sqlite/unit-of-work.ts'
import { readEvents } from '../../support/events.ts'
import { temporaryFolder } from '../../support/skep.ts'

const fresh = () => openWriter(join(temporaryFolder(), 'skep.db')).database

const first = { name: '0001_a', sql: 'CREATE TABLE a (x INTEGER); CREATE TABLE b (x INTEGER);' }
const second = { name: '0002_c', sql: 'CREATE TABLE c (x INTEGER);' }

test('applies pending migrations in order, and none twice', () => {
  const database = fresh()
  expect(migrate(database, [first])).toEqual(['0001_a'])
  expect(pendingMigrations(database, [first, second])).toEqual([second])
  expect(migrate(database, [first, second])).toEqual(['0002_c'])
  expect(migrate(database, [first, second])).toEqual([])
})

test('records a checksum and refuses a migration that was changed since', () => {
  const database = fresh()
  migrate(database, [first])
  expect(() => migrate(database, [{ ...first, sql: 'CREATE TABLE other (x INTEGER)' }])).toThrow(
    '0001_a is not the one',
  )
})

test('refuses a database newer than the program', () => {
  const database = fresh()
  migrate(database, [first, second])
  expect(() => pendingMigrations(database, [first])).toThrow('newer than this program: it has 0002_c')
})

test('a migration that fails leaves nothing behind', () => {
  const database = fresh()
  const broken = { name: '0002_broken', sql: 'CREATE TABLE d (x INTEGER); CREATE TABLE d (x INTEGER);' }
  expect(() => migrate(database, [first, broken])).toThrow('already exists')
  expect(database.query("SELECT name FROM sqlite_schema WHERE name IN ('a', 'd')").all()).toEqual([])
})

test('the built-in migrations create a valid database', () => {
  const database = fresh()
  migrate(database)
  expect(database.query('PRAGMA integrity_check').get()).toEqual({ integrity_check: 'ok' })
  expect(new Set(MIGRATIONS.map(({ name }) => name)).size).toBe(MIGRATIONS.length)
})

test('a table of records gets the missing columns and indexes of its definition', () => {
  const database = fresh()
  migrate(database)
  database.run(
    "INSERT INTO items (owner_id, title, data, version, epoch, created_at, updated_at) VALUES (1, 'x', '{}', 1, 'e', 1, 1)",
  )
  database.run('DROP INDEX items_by_title')
  database.run('ALTER TABLE items DROP COLUMN data')
  database.run('ALTER TABLE items DROP COLUMN description')
  expect(pendingMigrations(database).map(({ name }) => name)).toEqual(['items'])
  expect(migrate(database)).toEqual(['items'])
  expect(database.query('SELECT title, description, data FROM items INDEXED BY items_by_title').all()).toEqual([
    { title: 'x', description: null, data: '' },
  ])
  expect(migrate(database)).toEqual([])
})

test('events from before they had a kind are those of items and jobs', async () => {
  const path = join(temporaryFolder(), 'skep.db')
  const { database, close } = openWriter(path)
  migrate(database, MIGRATIONS.slice(0, 11))
  const item = {
    id: 7,
    ownerId: 1,
    title: 'x',
    description: null,
    data: {},
    version: 1,
    epoch: 'e',
    createdAt: 1,
    updatedAt: 1,
  }
  const job = { id: 3, kind: 'mail', state: 'done', attempts: 1, runAt: 1, lastError: null, createdAt: 1, updatedAt: 1 }
  const insert = database.query(
    'INSERT INTO events (event, item_id, owner_id, data, actor_id, request_id, created_at) VALUES (?, ?, ?, ?, ?, ?, 5)',
  )
  insert.run('item.created', 7, 1, JSON.stringify(item), 1, 'r')
  insert.run('job.done', null, null, JSON.stringify(job), null, null)
  expect(migrate(database)).toContain('0012_events_of_any_kind')
  close()
  const store = openSqliteStore({ path })
  const common = { position: 1, actorId: 1, requestId: 'r', sessionId: null, createdAt: 5 }
  expect(await readEvents(store)).toEqual([
    { ...common, kind: 'items', event: 'item.created', subjectId: 7, ownerId: 1, data: item },
    {
      position: 2,
      kind: 'jobs',
      event: 'job.done',
      subjectId: 3,
      ownerId: null,
      data: job,
      actorId: null,
      requestId: null,
      sessionId: null,
      createdAt: 5,
    },
  ])
  await store.close()
})

test('a database of the previous version gains collections, and knows how many items it has', async () => {
  const path = join(temporaryFolder(), 'skep.db')
  const before = openWriter(path)
  migrate(
    before.database,
    MIGRATIONS.filter(({ name }) => name < '0013'),
  )
  before.run(
    "INSERT INTO items (owner_id, title, data, version, epoch, created_at, updated_at) VALUES (1, 'x', '{}', 1, 'e', 1, 1)",
  )
  migrate(before.database)
  before.close()
  const store = openSqliteStore({ path })
  expect(await store.read((tx) => tx.collections.countRecords('items'))).toBe(1)
  expect(await store.read((tx) => tx.collections.all())).toEqual([])
  await store.close()
})
