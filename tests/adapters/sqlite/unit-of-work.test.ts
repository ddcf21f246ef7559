import { Database } from 'bun:sqlite'
import { expect, test } from 'bun:test'
import { type Connection, openReader } from '../../../src/adapters/sqlite/database.ts'
import { unitOfWorkContract } from '../../contracts/unit-of-work.ts'
import { openTestStore, userNamed } from '../../support/store.ts'

unitOfWorkContract('sqlite', async () => {
  const { store, writer, outside } = openTestStore()
  return {
    unitOfWork: store,
    committed: async () =>
      outside<{ email: string }>('SELECT email FROM users ORDER BY email').map(({ email }) => email),
    async spoilCommit() {
      writer().run('PRAGMA defer_foreign_keys = ON')
      writer().run("INSERT INTO sessions VALUES (1, 999, '', '', 0, 0, 0)")
    },
  }
})

test('a commit that fails rejects the innocent units of its batch too', async () => {
  const { store, writer, outside } = openTestStore()
  const results = await Promise.allSettled([
    store.write((tx) => tx.users.insert(userNamed('ann'))),
    store.write(async () => {
      writer().run('PRAGMA defer_foreign_keys = ON')
      writer().run("INSERT INTO sessions VALUES (1, 999, '', '', 0, 0, 0)")
    }),
    store.write((tx) => tx.users.insert(userNamed('bob'))),
  ])
  expect(results.map((result) => result.status)).toEqual(['rejected', 'rejected', 'rejected'])
  expect(outside('SELECT 1 FROM users')).toEqual([])
})

test('a unit that awaits anything but its transaction is refused, and the others commit without it', async () => {
  const { store, outside } = openTestStore()
  const outside_io = Promise.withResolvers<void>()
  const results = await Promise.allSettled([
    store.write((tx) => tx.users.insert(userNamed('ann'))),
    store.write(async (tx) => {
      await tx.users.insert(userNamed('stray'))
      await outside_io.promise
      await tx.users.insert(userNamed('late'))
    }),
    store.write((tx) => tx.users.insert(userNamed('bob'))),
  ])
  expect(results.map((result) => result.status)).toEqual(['fulfilled', 'rejected', 'fulfilled'])
  outside_io.resolve()
  await store.write((tx) => tx.users.insert(userNamed('cid')))
  expect(outside<{ name: string }>('SELECT name FROM users ORDER BY name').map(({ name }) => name)).toEqual([
    'ann',
    'bob',
    'cid',
  ])
})

test('while another process has the database locked, writes are unavailable and reads work', async () => {
  const { store, path } = openTestStore({ lockTimeoutMs: 30 })
  await store.write((tx) => tx.users.insert(userNamed('ann')))
  const other = new Database(path)
  other.run('BEGIN IMMEDIATE')
  await expect(store.write((tx) => tx.users.insert(userNamed('bob')))).rejects.toMatchObject({ code: 'unavailable' })
  expect(await store.read((tx) => tx.users.findByEmail('ann@example.com'))).not.toBeNull()
  other.run('ROLLBACK')
  other.close()
  await store.write((tx) => tx.users.insert(userNamed('bob')))
  expect(await store.read((tx) => tx.users.findByEmail('bob@example.com'))).not.toBeNull()
})

test('a write that finds the database locked for a moment waits for it', async () => {
  const { store, path } = openTestStore({ lockTimeoutMs: 60_000 })
  const other = new Database(path)
  other.run('BEGIN IMMEDIATE')
  const waiting = store.write((tx) => tx.users.insert(userNamed('ann')))
  const settled = await Promise.race([waiting.then(() => true), new Promise((go) => setImmediate(() => go(false)))])
  expect(settled).toBe(false)
  other.run('ROLLBACK')
  other.close()
  expect(await waiting).toMatchObject({ name: 'ann' })
})

test('while the database is full, writes that need space get storage_full and reads work', async () => {
  const { store, writer } = openTestStore()
  await store.write((tx) => tx.users.insert(userNamed('ann')))
  const { page_count } = writer().database.query<{ page_count: number }, []>('PRAGMA page_count').get() ?? {
    page_count: 0,
  }
  writer().run(`PRAGMA max_page_count = ${page_count}`)
  const large = { ...userNamed('bob'), name: 'b'.repeat(100_000) }
  await expect(store.write((tx) => tx.users.insert(large))).rejects.toMatchObject({ code: 'storage_full' })
  expect(await store.read((tx) => tx.users.findByEmail('ann@example.com'))).not.toBeNull()
  writer().run('PRAGMA max_page_count = 1000000')
  await store.write((tx) => tx.users.insert(large))
})

test('the reading connection cannot write', () => {
  const reader = openReader(openTestStore().path)
  expect(() => reader.run('DELETE FROM users')).toThrow('readonly')
  reader.close()
})

test('closing finishes queued writes and leaves no write-ahead log behind', async () => {
  const { store, path, outside } = openTestStore()
  const queued = store.write((tx) => tx.users.insert(userNamed('ann')))
  await store.close()
  await queued
  expect(await Bun.file(`${path}-wal`).exists()).toBe(false)
  await expect(store.write((tx) => tx.users.insert(userNamed('bob')))).rejects.toMatchObject({ code: 'unavailable' })
  expect(outside('SELECT 1 FROM users')).toHaveLength(1)
})

test('closing does not wait for a lock longer than its timeout', async () => {
  const { store, path } = openTestStore({ lockTimeoutMs: 60_000 })
  const other = new Database(path)
  other.run('BEGIN IMMEDIATE')
  const result = store.write((tx) => tx.users.insert(userNamed('ann'))).catch((error: unknown) => error)
  await store.close(1)
  expect(await result).toMatchObject({ code: 'unavailable' })
  other.close()
})

test.each([0, 1, 2])(
  'when unit %d of a batch fails, the others take effect once, and so do later ones',
  async (failing) => {
    const { store, outside } = openTestStore()
    const write = (name: string, fails: boolean) =>
      store.write(async (tx) => {
        await tx.users.insert(userNamed(name))
        if (fails) throw new Error('on purpose')
      })
    const names = ['ann', 'bob', 'cy']
    for (const round of ['1', '2']) {
      const results = await Promise.allSettled(names.map((name, index) => write(name + round, index === failing)))
      expect(results.map(({ status }) => status === 'rejected')).toEqual(names.map((_, index) => index === failing))
    }
    const kept = names.filter((_, index) => index !== failing)
    expect(outside<{ name: string }>('SELECT name FROM users ORDER BY id').map(({ name }) => name)).toEqual(
      ['1', '2'].flatMap((round) => kept.map((name) => name + round)),
    )
  },
)

test.each(['COMMIT', 'ROLLBACK TO unit', 'RELEASE unit', 'SAVEPOINT unit'])(
  'a writer whose %s fails, and that cannot even roll back, is replaced by another',
  async (broken) => {
    let failing = true
    const refuse = (): never => {
      throw new Error('the disk is gone')
    }
    const { store, outside } = openTestStore({
      wrap(connection) {
        const prepare = (sql: string) => {
          const statement = connection.prepare(sql)
          if (sql !== broken && sql !== 'ROLLBACK') return statement
          const run = statement.run.bind(statement)
          statement.run = (...parameters) => (failing ? refuse() : run(...parameters))
          return statement
        }
        return { ...connection, prepare: prepare as Connection['prepare'] }
      },
    })
    const results = await Promise.allSettled([
      store.write((tx) => tx.users.insert(userNamed('ann'))),
      store.write(() => Promise.reject(new Error('on purpose'))),
    ])
    expect(results.map(({ status }) => status)).toEqual(['rejected', 'rejected'])
    failing = false
    await store.write((tx) => tx.users.insert(userNamed('bob')))
    expect(outside<{ name: string }>('SELECT name FROM users')).toEqual([{ name: 'bob' }])
  },
)

test('a writer that cannot be opened again makes writes unavailable until it can', async () => {
  let opened = 0
  let missing = false
  const { store } = openTestStore({
    wrap(connection) {
      opened++
      if (missing) throw Object.assign(new Error('gone'), { code: 'SQLITE_CANTOPEN' })
      return connection
    },
  })
  missing = true
  const foreign = store.write(() => new Promise(() => {}))
  await expect(foreign).rejects.toThrow('other than its transaction')
  await expect(store.write((tx) => tx.users.insert(userNamed('ann')))).rejects.toMatchObject({ code: 'unavailable' })
  missing = false
  await store.write((tx) => tx.users.insert(userNamed('ann')))
  expect(opened).toBe(3)
})
