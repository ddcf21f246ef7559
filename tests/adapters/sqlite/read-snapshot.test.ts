import { Database } from 'bun:sqlite'
import { afterAll, expect, test } from 'bun:test'
import { type Connection, openReader } from '../../../src/adapters/sqlite/database.ts'
import { createReadSnapshot } from '../../../src/adapters/sqlite/read-snapshot.ts'
import { openTestStore, userNamed } from '../../support/store.ts'

const openWithUser = async () => {
  const opened = openTestStore()
  const ann = await opened.store.write((tx) => tx.users.insert(userNamed('ann')))
  return { ...opened, ann, find: () => opened.store.read((tx) => tx.users.findById(ann.id)) }
}

const nextTurn = () => new Promise<void>((resolve) => setImmediate(resolve))

/** A look-up that counts how often it was made, behind a memory. */
const counting = <Row extends object>(find: (id: number) => Row | null) => {
  const reader = openReader(openTestStore().path)
  const snapshot = createReadSnapshot(reader)
  afterAll(() => {
    snapshot.end()
    reader.close()
  })
  let calls = 0
  const rowOf = snapshot.cacheLookUp(
    (id) => {
      calls++
      return find(id)
    },
    (row) => row,
  )
  const ask = (id = 1) => {
    snapshot.begin()
    return rowOf(id)
  }
  return { ask, calls: () => calls }
}

test('a row is read once while nothing is committed, in later turns too', async () => {
  const { ask, calls } = counting((id) => ({ id }))
  const first = ask()
  expect(ask()).toBe(first)
  await nextTurn()
  expect(ask()).toBe(first)
  expect(calls()).toBe(1)
})

test('a row with much text is read again each time, and so is one that is not there', () => {
  for (const row of [{ title: 'x'.repeat(2_000), description: 'x'.repeat(2_000) }, null]) {
    const { ask, calls } = counting(() => row)
    expect([ask(), ask()]).toEqual([row, row])
    expect(calls()).toBe(2)
  }
})

test('a full cache keeps the latest rows and drops the first', () => {
  const { ask, calls } = counting((id) => ({ id }))
  for (let id = 1; id <= 1_500; id++) ask(id)
  ask(1_500)
  expect(calls()).toBe(1_500)
  ask(1)
  expect(calls()).toBe(1_501)
})

test('a large count is run once while nothing is committed, a small one each time', async () => {
  const reader = openReader(openTestStore().path)
  using other = new Database(reader.database.filename)
  const snapshot = createReadSnapshot(reader)
  const asked: string[] = []
  const ask = (key: string, result: number) => {
    snapshot.begin()
    return snapshot.cacheCount(key, () => {
      asked.push(key)
      return result
    })
  }
  expect([ask('many', 500), ask('many', 500), ask('few', 3), ask('few', 3)]).toEqual([500, 500, 3, 3])
  expect(asked).toEqual(['many', 'few', 'few'])
  other.run('CREATE TABLE pages (id)')
  await nextTurn()
  expect(ask('many', 501)).toBe(501)
  snapshot.end()
  reader.close()
})

test('a failed look-up is retried', () => {
  let failing = true
  const { ask } = counting((id) => {
    if (failing) throw new Error('disk I/O error')
    return { id }
  })
  expect(ask).toThrow('disk I/O error')
  failing = false
  expect(ask()).toEqual({ id: 1 })
})

test('a changed row is read again after the commit, even in the same turn', async () => {
  const { store, ann, find } = await openWithUser()
  await find()
  await store.write((tx) => tx.users.update({ ...ann, name: 'Anna' }))
  expect((await find())?.name).toBe('Anna')
})

test('a row that another process has changed or removed is read again in the next turn', async () => {
  const { path, find } = await openWithUser()
  await find()
  using other = new Database(path)
  other.run("UPDATE users SET name = 'Anna'")
  await nextTurn()
  expect((await find())?.name).toBe('Anna')
  other.run('DELETE FROM users')
  await nextTurn()
  expect(await find()).toBeNull()
})

test('a row missing before is found once it exists', async () => {
  const { store, ann } = await openWithUser()
  const find = () => store.read((tx) => tx.users.findById(ann.id + 1))
  expect(await find()).toBeNull()
  await store.write((tx) => tx.users.insert(userNamed('bob')))
  expect((await find())?.name).toBe('bob')
})

test('a unit that goes on in a later turn reads what was committed meanwhile', async () => {
  const { store, ann } = await openWithUser()
  const names = store.read(async (tx) => {
    const before = await tx.users.findById(ann.id)
    await nextTurn()
    await store.write((writing) => writing.users.update({ ...ann, name: 'Anna' }))
    return [before?.name, (await tx.users.findById(ann.id))?.name]
  })
  expect(await names).toEqual(['ann', 'Anna'])
})

/** What SQLite does at some I/O errors. */
const endTransaction = (reader: Connection) => reader.run('ROLLBACK')

const pinning = () => {
  const { path } = openTestStore()
  const reader = openReader(path)
  const snapshot = createReadSnapshot(reader)
  const other = new Database(path)
  afterAll(() => {
    snapshot.end()
    reader.close()
    other.close()
  })
  const version = () => {
    snapshot.begin()
    return reader.database.query('SELECT version FROM pages').get()
  }
  other.run('CREATE TABLE pages AS SELECT 1 AS version')
  return { reader, snapshot, version, change: () => other.run('UPDATE pages SET version = 2') }
}

test('a snapshot that an I/O error has ended before it is pinned is taken again', () => {
  const { reader, snapshot, version, change } = pinning()
  version()
  endTransaction(reader)
  const unpin = snapshot.pin()
  change()
  expect(version()).toEqual({ version: 1 })
  unpin()
  expect(version()).toEqual({ version: 2 })
})

test('while a snapshot ended by an I/O error is pinned, reads are refused instead of showing newer data', () => {
  const { reader, snapshot, version, change } = pinning()
  const unpin = snapshot.pin()
  change()
  endTransaction(reader)
  expect(version).toThrow(expect.objectContaining({ code: 'unavailable', retryAfterSeconds: 1 }))
  unpin()
  expect(version()).toEqual({ version: 2 })
})
