import { Database } from 'bun:sqlite'
import { afterAll, expect, test } from 'bun:test'
import { closeSync, openSync, rmSync, statSync, symlinkSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { openSqliteStore } from '../../../src/adapters/sqlite/unit-of-work.ts'
import { openWal, type Wal } from '../../../src/adapters/sqlite/wal-sync.ts'
import { createMigratedDatabase } from '../../support/migrated.ts'
import { temporaryFolder } from '../../support/skep.ts'
import { openTestStore, userNamed } from '../../support/store.ts'

/** A disk that is as slow as the test sets it: `begun` resolves at each sync, which `go` lets happen. */
const slowDisk = () => {
  const syncs: { readonly begun: () => void; readonly go: Promise<void> }[] = []
  const next = () => {
    const [begun, go] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
    syncs.push({ begun: begun.resolve, go: go.promise })
    return { begun: begun.promise, go: go.resolve, fail: go.reject }
  }
  const over = (path: string): Wal => {
    const wal = openWal(path)
    return {
      ...wal,
      async sync() {
        const sync = syncs.shift()
        sync?.begun()
        await sync?.go
        return wal.sync()
      },
    }
  }
  return { next, over }
}

/** Overwrites what the rows of users that need more than a page have beyond it. */
const spoilLongRows = (path: string): void => {
  const database = new Database(path)
  const pages = database
    .query<{ at: number; size: number }, []>(
      "SELECT pgoffset AS at, pgsize AS size FROM dbstat WHERE name = 'users' AND pagetype = 'overflow'",
    )
    .all()
  database.close()
  const file = openSync(path, 'r+')
  for (const { at, size } of pages) writeSync(file, Buffer.alloc(size, 0xff), 0, size, at)
  closeSync(file)
}

const settled = async (promise: Promise<unknown>): Promise<boolean> => {
  const nextTurn = new Promise<false>((resolve) => setImmediate(resolve, false))
  return Promise.race([promise.then(() => true), nextTurn])
}

test('a commit is neither acknowledged nor visible before it is on the disk, and reads continue meanwhile', async () => {
  const disk = slowDisk()
  const { store } = openTestStore({ wal: disk.over })
  await store.write((tx) => tx.users.insert(userNamed('ann')))
  const find = (name: string) => store.read((tx) => tx.users.findByEmail(`${name}@example.com`))

  const sync = disk.next()
  const writing = store.write((tx) => tx.users.insert(userNamed('bob')))
  await sync.begun
  expect(await settled(writing)).toBe(false)
  expect(await find('ann')).toMatchObject({ name: 'ann' })
  expect(await find('bob')).toBeNull()
  sync.go()
  const bob = await writing
  expect(await find('bob')).toEqual(bob)
})

test('units queued during a sync share the next commit', async () => {
  const disk = slowDisk()
  const batches: number[] = []
  const metrics = { databaseWaited() {}, committed: (units: number) => void batches.push(units) }
  const { store } = openTestStore({ wal: disk.over, metrics })
  const sync = disk.next()
  const first = store.write((tx) => tx.users.insert(userNamed('ann')))
  await sync.begun
  const others = ['bob', 'cid', 'dan'].map((name) => store.write((tx) => tx.users.insert(userNamed(name))))
  expect(await settled(Promise.race(others))).toBe(false)
  sync.go()
  await Promise.all([first, ...others])
  expect(batches).toEqual([1, 3])
})

test('a unit that writes nothing does not wait for the disk', async () => {
  const disk = slowDisk()
  const { store } = openTestStore({ wal: disk.over })
  await store.write((tx) => tx.users.insert(userNamed('ann')))
  const sync = disk.next()
  expect(await store.write((tx) => tx.users.findByEmail('ann@example.com'))).toMatchObject({ name: 'ann' })
  const writing = store.write((tx) => tx.users.insert(userNamed('bob')))
  await sync.begun
  sync.go()
  await writing
})

test('a failed sync is reported, and its commit is never acknowledged or visible', async () => {
  const path = join(temporaryFolder(), 'skep.db')
  createMigratedDatabase(path)
  const disk = slowDisk()
  const { promise: lost, resolve: onLost } = Promise.withResolvers<Error>()
  // Not closed: a process in which this happens ends.
  const store = openSqliteStore({ path, wal: disk.over(path), onLost })
  const sync = disk.next()
  const writing = store.write((tx) => tx.users.insert(userNamed('ann')))
  await sync.begun
  sync.fail(new Error('EIO'))
  expect(await lost).toMatchObject({ message: 'what was committed may not be on the disk', cause: new Error('EIO') })
  const another = store.write((tx) => tx.users.insert(userNamed('bob')))
  expect(await settled(Promise.race([writing, another]))).toBe(false)
  expect(await store.read((tx) => tx.users.findByEmail('ann@example.com'))).toBeNull()
})

test('the log restarts during constant reads, grows only while another process reads, and shrinks again', async () => {
  const { store, path } = openTestStore()
  // Much at a time: each write waits for the disk.
  const name = 'x'.repeat(250_000)
  let count = 0
  const megabytesAfter = async (writes: number) => {
    const until = count + writes
    while (count < until) {
      const reading = store.read((tx) => tx.users.findByEmail('ann@example.com'))
      await store.write((tx) => tx.users.insert({ ...userNamed(`person${count++}`), name }))
      await reading
    }
    return Math.round(statSync(`${path}-wal`).size / 2 ** 20)
  }
  const usual = await megabytesAfter(80)
  expect(usual).toBeLessThanOrEqual(16)

  const outside = new Database(path)
  outside.run('BEGIN')
  outside.query('SELECT 1 FROM users LIMIT 1').get()
  const grown = await megabytesAfter(80)
  expect(grown).toBeGreaterThan(16)
  outside.run('COMMIT')
  outside.close()
  // It shrinks when it restarts, soon after a checkpoint that nobody held up.
  let left = grown
  for (let writes = 0; writes < 100 && left > 16; writes++) left = await megabytesAfter(2)
  expect(left).toBeLessThanOrEqual(16)
  expect(await megabytesAfter(80)).toBeLessThanOrEqual(16)
})

test('a database behind a link is written as any other, even when the link has gone', async () => {
  const { store, path } = openTestStore()
  await store.close()
  const link = join(temporaryFolder(), 'link.db')
  symlinkSync(path, link)
  const linked = openSqliteStore({ path: link })
  rmSync(link)
  const ann = await linked.write((tx) => tx.users.insert(userNamed('ann')))
  await linked.close()
  const again = openSqliteStore({ path })
  expect(await again.read((tx) => tx.users.findById(ann.id))).toEqual(ann)
  await again.close()
})

test('a damaged row fails its readers, and not a commit in progress', async () => {
  const { store, path } = openTestStore()
  const ann = await store.write((tx) => tx.users.insert({ ...userNamed('ann'), name: 'x'.repeat(50_000) }))
  await store.close()
  spoilLongRows(path)

  const disk = slowDisk()
  const again = openSqliteStore({ path, wal: disk.over(path) })
  afterAll(() => again.close())
  const sync = disk.next()
  const writing = again.write((tx) => tx.users.insert(userNamed('bob')))
  await sync.begun
  await expect(again.read((tx) => tx.users.findById(ann.id))).rejects.toMatchObject({ code: 'unavailable' })
  sync.go()
  expect(await writing).toMatchObject({ name: 'bob' })
  await expect(again.read((tx) => tx.users.findById(ann.id))).rejects.toMatchObject({ code: 'unavailable' })
  expect(await again.read((tx) => tx.users.findByEmail('bob@example.com'))).toMatchObject({ name: 'bob' })
})
