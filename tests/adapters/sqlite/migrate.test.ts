import { expect, test } from 'bun:test'
import { join } from 'node:path'
import { openWriter } from '../../../src/adapters/sqlite/database.ts'
import { MIGRATIONS, migrate, pendingMigrations } from '../../../src/adapters/sqlite/migrate.ts'
import { temporaryFolder } from '../../support/skep.ts'

const fresh = () => openWriter(join(temporaryFolder(), 'skep.db')).database

const first = { name: '0001_a', sql: 'CREATE TABLE a (x INTEGER); CREATE TABLE b (x INTEGER);' }
const second = { name: '0002_c', sql: 'CREATE TABLE c (x INTEGER);' }

test('applies what is pending, in order, and nothing twice', () => {
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

test('the built-in migrations make a database without problems', () => {
  const database = fresh()
  migrate(database)
  expect(database.query('PRAGMA integrity_check').get()).toEqual({ integrity_check: 'ok' })
  expect(new Set(MIGRATIONS.map(({ name }) => name)).size).toBe(MIGRATIONS.length)
})
