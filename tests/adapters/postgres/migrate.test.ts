import { describe, expect, test } from 'bun:test'
import { MIGRATIONS, migrate, pendingMigrations } from '../../../src/adapters/postgres/migrate.ts'
import { MIGRATIONS as EMBEDDED } from '../../../src/adapters/sqlite/migrate.ts'
import { missing, outsideOfPostgres, testDatabase } from '../../support/postgres.ts'

const first = { name: '0001_a', sql: 'CREATE TABLE a (x integer); CREATE TABLE b (x integer);' }
const second = { name: '0002_c', sql: 'CREATE TABLE c (x integer);' }

describe.skipIf(missing)('with SKEP_TEST_POSTGRES_URL', () => {
  test('applies what is pending, in order, and nothing twice', async () => {
    const url = await testDatabase('empty')
    expect(await migrate(url, [first])).toEqual(['0001_a'])
    expect(await pendingMigrations(url, [first, second])).toEqual([second])
    expect(await migrate(url, [first, second])).toEqual(['0002_c'])
    expect(await migrate(url, [first, second])).toEqual([])
  })

  test('looking for what is pending makes nothing', async () => {
    const url = await testDatabase('empty')
    expect(await pendingMigrations(url)).toEqual(MIGRATIONS)
    expect(await outsideOfPostgres(url, "SELECT FROM pg_tables WHERE schemaname = 'public'")).toHaveLength(0)
  })

  test('processes that start at once apply each migration once', async () => {
    const url = await testDatabase('empty')
    const applied = await Promise.all(Array.from({ length: 5 }, () => migrate(url)))
    expect(applied.flat().sort()).toEqual(MIGRATIONS.map(({ name }) => name))
  })

  test('a migration that fails leaves those before it and nothing of its own', async () => {
    const url = await testDatabase('empty')
    const broken = { name: '0002_broken', sql: 'CREATE TABLE d (x integer); CREATE TABLE d (x integer);' }
    await expect(migrate(url, [first, broken])).rejects.toThrow('already exists')
    const tables = await outsideOfPostgres<{ name: string }>(
      url,
      "SELECT tablename AS name FROM pg_tables WHERE schemaname = 'public' ORDER BY 1",
    )
    expect(tables.map(({ name }) => name)).toEqual(['a', 'b', 'migrations'])
  })

  test('refuses a migration that was changed since, and bears with one it does not know', async () => {
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
