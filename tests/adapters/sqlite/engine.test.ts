import { expect, test } from 'bun:test'
import { join } from 'node:path'
import { openWriter } from '../../../src/adapters/sqlite/database.ts'
import { createSqliteEngine } from '../../../src/adapters/sqlite/engine.ts'
import { MIGRATIONS, migrate } from '../../../src/adapters/sqlite/migrate.ts'
import { temporaryFolder } from '../../support/skep.ts'

/** A database that an older version has migrated. */
const olderDatabase = (): string => {
  const path = join(temporaryFolder(), 'skep.db')
  const { database, close } = openWriter(path)
  migrate(database, MIGRATIONS.slice(0, 5))
  close()
  return path
}

const engineAt = (path: string) => createSqliteEngine({ path, makeFolder: () => {} })

test('a database that a server of an older version has open is not migrated by another process', async () => {
  const path = olderDatabase()
  const command = engineAt(path)
  const pending = await command.pending()
  const unlock = engineAt(path).lock()
  await expect(command.ensureMigrated()).rejects.toThrow(
    `the database lacks ${pending[0]}, but a server has ${path} open: stop it first`,
  )
  expect(await command.pending()).toEqual(pending)
  unlock()
  expect(await command.ensureMigrated()).toEqual(pending)
})

test('a server migrates the database that it has locked, and keeps the lock', async () => {
  const path = olderDatabase()
  const server = engineAt(path)
  const unlock = server.lock()
  expect(await server.ensureMigrated()).not.toEqual([])
  expect(() => engineAt(path).lock()).toThrow(`another server has ${path} open`)
  unlock()
})

test('commands use a database that is up to date while a server has it open', async () => {
  const path = olderDatabase()
  const server = engineAt(path)
  const unlock = server.lock()
  await server.ensureMigrated()
  expect(await engineAt(path).ensureMigrated()).toEqual([])
  unlock()
})
