import { Database } from 'bun:sqlite'
import { expect, test } from 'bun:test'
import { type Connection, openReader } from '../../../src/adapters/sqlite/database.ts'
import { createSnapshots } from '../../../src/adapters/sqlite/snapshots.ts'
import { openTestStore, userNamed } from '../../support/store.ts'

const holding = async () => {
  const opened = openTestStore()
  const ann = await opened.store.write((tx) => tx.users.insert(userNamed('ann')))
  return { ...opened, ann, find: () => opened.store.read((tx) => tx.users.findById(ann.id)) }
}

const nextTurn = () => new Promise<void>((resolve) => setImmediate(resolve))

test('a row is read once for all who ask for it while nothing is committed', async () => {
  const { find } = await holding()
  const first = await find()
  expect(first).not.toBeNull()
  await nextTurn()
  expect(await find()).toBe(first)
})

test('a row that was changed is read again by whoever asks after the commit, in the same turn too', async () => {
  const { store, ann, find } = await holding()
  await find()
  await store.write((tx) => tx.users.update({ ...ann, name: 'Anna' }))
  expect((await find())?.name).toBe('Anna')
})

test('a row that another process has changed or removed is read again in the next turn', async () => {
  const { path, find } = await holding()
  await find()
  using other = new Database(path)
  other.run("UPDATE users SET name = 'Anna'")
  await nextTurn()
  expect((await find())?.name).toBe('Anna')
  other.run('DELETE FROM users')
  await nextTurn()
  expect(await find()).toBeNull()
})

test('what was not there is found once it is', async () => {
  const { store, ann } = await holding()
  const find = () => store.read((tx) => tx.users.findById(ann.id + 1))
  expect(await find()).toBeNull()
  await store.write((tx) => tx.users.insert(userNamed('bob')))
  expect((await find())?.name).toBe('bob')
})

test('a unit that goes on in a later turn reads what was committed meanwhile', async () => {
  const { store, ann } = await holding()
  const names = store.read(async (tx) => {
    const before = await tx.users.findById(ann.id)
    await nextTurn()
    await store.write((writing) => writing.users.update({ ...ann, name: 'Anna' }))
    return [before?.name, (await tx.users.findById(ann.id))?.name]
  })
  expect(await names).toEqual(['ann', 'Anna'])
})

test('a look-up that failed is made again', async () => {
  const { path } = openTestStore()
  const reader: Connection = openReader(path)
  const snapshots = createSnapshots(reader)
  let calls = 0
  const find = snapshots.remember(async () => {
    if (++calls === 1) throw new Error('disk I/O error')
    return 'found'
  })
  snapshots.hold()
  expect((await Promise.allSettled([find(1)]))[0]?.status).toBe('rejected')
  expect(await find(1)).toBe('found')
  expect(await find(1)).toBe('found')
  expect(calls).toBe(2)
  snapshots.release()
  reader.close()
})
