import { afterAll, expect, test } from 'bun:test'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { openWriter } from '../../../src/adapters/sqlite/database.ts'
import { openWal, type Wal } from '../../../src/adapters/sqlite/wal-sync.ts'
import { temporaryFolder } from '../../support/skep.ts'

/** A database whose log holds something, and nothing but a checkpoint takes it out. */
const logged = () => {
  const path = join(temporaryFolder(), 'any.db')
  const writer = openWriter(path)
  writer.run('PRAGMA wal_autocheckpoint = 0')
  writer.run('CREATE TABLE notes (text TEXT)')
  const wal = openWal(path)
  return { path, writer, wal }
}

test('a checkpoint moves the log into the database file', async () => {
  const { writer, wal } = logged()
  const state = () => writer.database.query('PRAGMA wal_checkpoint(NOOP)').get()
  expect(state()).toEqual({ busy: 0, log: 2, checkpointed: 0 })
  await wal.checkpoint()
  expect(state()).toEqual({ busy: 0, log: 2, checkpointed: 2 })
  await wal.close()
  writer.close()
})

test('once closed it has no lock on the database: the last one to close leaves no log behind', async () => {
  const { path, writer, wal } = logged()
  await wal.sync()
  wal.begin()
  await wal.sync()
  await wal.checkpoint()
  await wal.close()
  writer.close()
  expect(existsSync(`${path}-wal`)).toBe(false)
})

test.each([
  ['in this thread', () => {}],
  ['in the other thread', (wal: Wal) => wal.begin()],
])('a sync %s rejects when there is no log, and another resolves when there is one', async (_, begin) => {
  const path = join(temporaryFolder(), 'any.db')
  const wal = openWal(path)
  afterAll(wal.close)
  begin(wal)
  expect(await wal.sync().catch((error: unknown) => error)).toMatchObject({
    message: expect.stringContaining('ENOENT'),
  })
  const writer = openWriter(path)
  writer.run('CREATE TABLE notes (text TEXT)')
  await wal.sync()
  writer.close()
})
