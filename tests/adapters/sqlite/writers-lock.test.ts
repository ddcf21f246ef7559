import { afterAll, expect, spyOn, test } from 'bun:test'
import { join } from 'node:path'
import { openSqliteStore } from '../../../src/adapters/sqlite/unit-of-work.ts'
import { openWal, type Wal } from '../../../src/adapters/sqlite/wal-sync.ts'
import { createLockMemory, isReached, openWritersLock } from '../../../src/adapters/sqlite/writers-lock.ts'
import { createMigratedDatabase } from '../../support/migrated.ts'
import { temporaryFolder } from '../../support/skep.ts'
import { userNamed } from '../../support/store.ts'

const nextTurn = () => new Promise<void>((resolve) => setImmediate(resolve))

const isSettled = async (promise: Promise<unknown>): Promise<boolean> => {
  let settled = false
  void promise.finally(() => {
    settled = true
  })
  for (let turn = 0; turn < 5; turn++) await nextTurn()
  return settled
}

const openLocks = (count: number) => {
  const memory = createLockMemory(count)
  const locks = Array.from({ length: count }, (_, thread) => openWritersLock(memory, thread))
  const lockOf = (thread: number) => {
    const lock = locks[thread]
    if (lock === undefined) throw new Error(`no thread ${thread}`)
    return lock
  }
  return { lockOf, words: new Int32Array(memory) }
}

test('one thread has the lock at a time, and those that wait get it in turn', async () => {
  const { lockOf } = openLocks(4)
  await lockOf(1).acquire()
  const order: number[] = []
  const waiting = [0, 3, 2].map(async (thread) => {
    await lockOf(thread).acquire()
    order.push(thread)
    lockOf(thread).release()
  })
  expect(await isSettled(Promise.race(waiting))).toBe(false)
  lockOf(1).release()
  await Promise.all(waiting)
  expect(order).toEqual([2, 3, 0])
  expect(lockOf(1).acquire()).toBeUndefined()
})

test('threads that write all the time have the lock equally often', async () => {
  const { lockOf } = openLocks(3)
  const counts = [0, 0, 0]
  const write = async (thread: number) => {
    while (Math.max(...counts) < 100) {
      await lockOf(thread).acquire()
      counts[thread] = (counts[thread] ?? 0) + 1
      await nextTurn()
      lockOf(thread).release()
      await nextTurn()
    }
  }
  await Promise.all([0, 1, 2].map(write))
  expect(Math.min(...counts)).toBeGreaterThanOrEqual(98)
})

test('a free lock is not given to a thread that is done with it by then', () => {
  const { lockOf, words } = openLocks(3)
  expect(lockOf(1).acquire()).toBeUndefined()
  let hasWritten = false
  const load = spyOn(Atomics, 'load').mockImplementation(((from: Int32Array, index: number) => {
    const found = from[index] ?? 0
    if (from[0] !== 0 || hasWritten) return found
    // The lock has just become free: another thread begins to wait, takes it, and is done.
    hasWritten = true
    expect(lockOf(2).acquire()).toBeUndefined()
    lockOf(2).release()
    return 1
  }) as typeof Atomics.load)
  lockOf(1).release()
  load.mockRestore()
  expect(words[0]).toBe(0)
  expect(lockOf(0).acquire()).toBeUndefined()
})

test('the lock of a thread that has ended goes to the next', async () => {
  const { lockOf } = openLocks(3)
  await lockOf(1).acquire()
  const waiting = lockOf(2).acquire() ?? Promise.resolve()
  expect(await isSettled(waiting)).toBe(false)
  expect(lockOf(0).forget(1)).toBe(true)
  await waiting
  lockOf(2).release()
  expect(lockOf(1).acquire()).toBeUndefined()
})

test('a lock that was given to a thread that ended before it took it is taken by its successor', async () => {
  const { lockOf } = openLocks(2)
  await lockOf(0).acquire()
  void lockOf(1).acquire()
  lockOf(0).release()
  expect(lockOf(1).acquire()).toBeUndefined()
})

test('nobody gets the lock of a thread that has lost a commit', async () => {
  const { lockOf } = openLocks(2)
  await lockOf(1).acquire()
  lockOf(1).markLost()
  expect(lockOf(0).forget(1)).toBe(false)
  expect(await isSettled(lockOf(0).acquire() ?? Promise.resolve())).toBe(false)
})

test('commits are numbered beyond the range of a word', async () => {
  const { lockOf, words } = openLocks(2)
  words[1] = 2 ** 31 - 2
  const before = lockOf(0).durable()
  lockOf(0).beginCommit()
  const commit = lockOf(1).visible()
  expect(isReached(commit, lockOf(1).durable())).toBe(false)
  const waiting = lockOf(1).untilDurable(commit)
  expect(await isSettled(waiting)).toBe(false)
  lockOf(0).endCommit()
  await waiting
  expect(isReached(commit, lockOf(1).durable())).toBe(true)
  expect(isReached(lockOf(0).durable(), before)).toBe(false)
})

/** A disk whose syncs end when the test lets them. */
const createDisk = (path: string) => {
  const wal = openWal(path)
  const waiting: { readonly begun: () => void; readonly go: Promise<void> }[] = []
  const slow: Wal = {
    ...wal,
    async sync() {
      const sync = waiting.shift()
      sync?.begun()
      await sync?.go
      return wal.sync()
    },
  }
  const next = () => {
    const [begun, go] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
    waiting.push({ begun: begun.resolve, go: go.promise })
    return { begun: begun.promise, go: go.resolve }
  }
  return { wal: slow, next }
}

/** Stores on one database, as threads have them; the first has a disk that the test controls. */
const openStores = (count: number) => {
  const path = join(temporaryFolder(), 'skep.db')
  createMigratedDatabase(path)
  const { lockOf } = openLocks(count)
  const disk = createDisk(path)
  const stores = Array.from({ length: count }, (_, thread) =>
    openSqliteStore({ path, lock: lockOf(thread), ...(thread === 0 ? { wal: disk.wal } : {}) }),
  )
  afterAll(async () => {
    for (const store of stores) await store.close()
  })
  const at = (thread: number) => {
    const store = stores[thread]
    if (store === undefined) throw new Error(`no store ${thread}`)
    const find = (name: string) => store.read((tx) => tx.users.findByEmail(`${name}@example.com`))
    const add = (name: string) => store.write((tx) => tx.users.insert(userNamed(name)))
    return { find, add, read: store.read }
  }
  return { at, disk, lockOf }
}

test('what one thread has committed is read by the others as soon as it is acknowledged', async () => {
  const { at } = openStores(3)
  for (let round = 0; round < 30; round++) {
    const ann = await at(round % 3).add(`ann${round}`)
    for (const thread of [0, 1, 2]) expect(await at(thread).find(`ann${round}`)).toEqual(ann)
  }
})

test('a commit of another thread is invisible before it is on the disk, and a later read sees it', async () => {
  const { at, disk } = openStores(2)
  await at(0).add('ann')
  expect(await at(1).find('bob')).toBeNull()
  const sync = disk.next()
  const writing = at(0).add('bob')
  await sync.begun
  // Its snapshot may be kept or not; without one, it waits.
  const reading = at(1).find('bob')
  expect(await Promise.race([reading.then((user) => user?.name), nextTurn()])).toBeUndefined()
  sync.go()
  const bob = await writing
  expect(await at(1).find('bob')).toEqual(bob)
})

test('a read that needs a new snapshot during a sync waits for the end of that sync', async () => {
  const { at, disk } = openStores(2)
  const sync = disk.next()
  const writing = at(0).add('ann')
  await sync.begun
  const reading = at(1).find('ann')
  expect(await isSettled(reading)).toBe(false)
  sync.go()
  await writing
  await reading
})

test('a thread that ends while it commits is not waited for: the next one syncs what it left', async () => {
  const { at, disk, lockOf } = openStores(3)
  const sync = disk.next()
  void at(0).add('ann')
  await sync.begun
  const reading = at(1).find('ann')
  const writing = at(1).add('bob')
  expect(await isSettled(Promise.race([reading, writing]))).toBe(false)
  lockOf(2).forget(0)
  await writing
  await reading
  expect(await at(1).find('ann')).toMatchObject({ name: 'ann' })
  // The test lets the thread end, which a real one has done by then.
  await lockOf(0).acquire()
  sync.go()
})

test('racing writers of several threads lose no update', async () => {
  const { at } = openStores(3)
  const names = Array.from({ length: 90 }, (_, index) => `racer${index}`)
  await Promise.all(names.map((name, index) => at(index % 3).add(name)))
  for (const name of names) expect(await at(0).find(name)).toMatchObject({ name })
})

const EVERYONE = { size: 1, sort: { field: 'created_at', descending: false }, from: { page: 1 }, contains: '' } as const

test('reads never see less than what was acknowledged before them, while all threads write', async () => {
  const { at } = openStores(3)
  let acknowledged = 0
  let isDone = false
  const writers = [0, 1, 2].map(async (thread) => {
    for (let round = 0; round < 40; round++) {
      await at(thread).add(`writer${thread}x${round}`)
      acknowledged++
    }
  })
  const readers = [0, 1, 2].map(async (thread) => {
    while (!isDone) {
      const before = acknowledged
      const count = await at(thread).read(async (tx) => (await tx.users.list(EVERYONE)).total)
      expect(count).toBeGreaterThanOrEqual(before)
      await nextTurn()
    }
  })
  await Promise.all(writers)
  isDone = true
  await Promise.all(readers)
})
