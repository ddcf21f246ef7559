import { describe, expect, test } from 'bun:test'
import { LockConflict } from '../../../src/adapters/postgres/errors.ts'
import { openPostgresStore } from '../../../src/adapters/postgres/unit-of-work.ts'
import { unitOfWorkContract } from '../../contracts/unit-of-work.ts'
import { missing, SERVER } from '../../support/postgres.ts'
import { openTestPostgres, userNamesIn } from '../../support/postgres-store.ts'
import { userNamed } from '../../support/store.ts'
import { startTcpProxy, type TcpProxy } from '../../support/tcp-proxy.ts'

/** Makes the COMMIT of whoever inserts a user called `spoilt` fail. */
const SPOIL = `
  CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no'; END $$;
  CREATE CONSTRAINT TRIGGER spoilt AFTER INSERT ON users DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW WHEN (NEW.name = 'spoilt') EXECUTE FUNCTION refuse()`

/** Ends every connection to the database but the one that asks. */
const CUT = `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
  WHERE datname = current_database() AND pid <> pg_backend_pid()`

const behind =
  ({ url: proxy }: TcpProxy) =>
  (url: string) => {
    const reached = new URL(url)
    reached.host = new URL(proxy).host
    return reached.href
  }

describe.skipIf(missing)('with SKEP_TEST_POSTGRES_URL', () => {
  unitOfWorkContract('postgres', async () => {
    const { store, outside } = await openTestPostgres()
    await outside(SPOIL)
    return {
      unitOfWork: store,
      committed: async () =>
        (await outside<{ email: string }>('SELECT email FROM users ORDER BY email')).map(({ email }) => email),
      spoilCommit: async (tx) => void (await tx.users.insert(userNamed('spoilt'))),
    }
  })

  test('one connection serves reads and writes', async () => {
    const { store } = await openTestPostgres(1)
    const writes = Array.from({ length: 10 }, (_, n) => store.write((tx) => tx.users.insert(userNamed(`p${n}`))))
    const reads = Array.from({ length: 10 }, () => store.read((tx) => tx.users.countActiveAdmins()))
    await Promise.all([...writes, ...reads])
    expect((await store.read((tx) => tx.users.findByEmail('p9@example.com')))?.name).toBe('p9')
  })

  test('connections lost while idle are replaced without errors', async () => {
    const { store, outside } = await openTestPostgres(3)
    await Promise.all([1, 2, 3].map((n) => store.write((tx) => tx.users.insert(userNamed(`p${n}`)))))
    await outside(CUT)
    await Promise.all([4, 5, 6].map((n) => store.write((tx) => tx.users.insert(userNamed(`p${n}`)))))
    await outside(CUT)
    expect(await store.read((tx) => tx.users.findByEmail('p6@example.com'))).not.toBeNull()
    expect(await userNamesIn(outside)).toHaveLength(6)
  })

  test('a transaction whose connection is lost runs again completely, on another', async () => {
    const { store, outside } = await openTestPostgres(3)
    let runs = 0
    await store.write(async (tx) => {
      await tx.users.insert(userNamed('ann'))
      if (++runs === 1) await outside(CUT)
      await tx.users.insert(userNamed('bob'))
    })
    expect(runs).toBe(2)
    expect(await userNamesIn(outside)).toEqual(['ann', 'bob'])
  })

  test('a commit with an unknown outcome is not retried', async () => {
    const { store, outside } = await openTestPostgres(3)
    await outside(`
      CREATE FUNCTION cut() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); PERFORM pg_sleep(0.1); RETURN NULL; END $$;
      CREATE CONSTRAINT TRIGGER cut AFTER INSERT ON users DEFERRABLE INITIALLY DEFERRED
        FOR EACH ROW WHEN (NEW.name = 'cut') EXECUTE FUNCTION cut()`)
    let runs = 0
    const write = store.write(async (tx) => {
      runs++
      await tx.users.insert(userNamed('cut'))
    })
    await expect(write).rejects.toMatchObject({ code: 'unavailable' })
    expect(runs).toBe(1)
    await store.write((tx) => tx.users.insert(userNamed('ann')))
    expect(await userNamesIn(outside)).toEqual(['ann'])
  })

  test('while no further connection is available, the open ones serve all waiting units', async () => {
    await using proxy = await startTcpProxy(SERVER)
    const { store, outside } = await openTestPostgres(4, behind(proxy))
    const begun = Promise.withResolvers<void>()
    const refused = Promise.withResolvers<void>()
    const first = store.write(async (tx) => {
      await tx.users.insert(userNamed('p0'))
      begun.resolve()
      await refused.promise
    })
    await begun.promise
    const turnedAway = proxy.refuse()
    const others = [1, 2, 3].map((n) => store.write((tx) => tx.users.insert(userNamed(`p${n}`))))
    await turnedAway
    refused.resolve()
    await Promise.all([first, ...others])
    expect(await userNamesIn(outside)).toEqual(['p0', 'p1', 'p2', 'p3'])
  })

  test('a connection without responses is closed, and the work runs again on another', async () => {
    await using proxy = await startTcpProxy(SERVER)
    const { store, outside } = await openTestPostgres(2, behind(proxy), 300)
    await store.write((tx) => tx.users.insert(userNamed('ann')))
    await store.read((tx) => tx.users.countActiveAdmins())
    proxy.freeze()
    await store.write((tx) => tx.users.insert(userNamed('bob')))
    expect(await store.read((tx) => tx.users.findByEmail('bob@example.com'))).not.toBeNull()
    expect(await userNamesIn(outside)).toEqual(['ann', 'bob'])
  })

  test('a server that cannot be reached makes everything unavailable at once', async () => {
    const store = openPostgresStore({ url: 'postgres://nobody@127.0.0.1:1/none', size: 2 })
    const unavailable = { code: 'unavailable', retryAfterSeconds: 1 }
    await expect(store.write((tx) => tx.users.insert(userNamed('ann')))).rejects.toMatchObject(unavailable)
    await expect(store.read((tx) => tx.users.findById(1))).rejects.toMatchObject(unavailable)
    await expect(store.ping()).rejects.toMatchObject(unavailable)
    await store.close()
  })

  test('a unit that gets no connection in time is refused and counted, and others continue', async () => {
    const { url, outside } = await openTestPostgres(1)
    const waits: number[] = []
    const metrics = { databaseWaited: (_: string, wait: number) => void waits.push(wait), committed: () => {} }
    const store = openPostgresStore({ url, size: 1, connectionTimeoutMs: 400, metrics })
    const end = Promise.withResolvers<void>()
    const begun = Promise.withResolvers<void>()
    const slow = store.write(async (tx) => {
      await tx.users.insert(userNamed('slow'))
      begun.resolve()
      await end.promise
    })
    await begun.promise
    const busy = { code: 'unavailable', message: 'The database is busy' }
    await expect(store.write((tx) => tx.users.insert(userNamed('late')))).rejects.toMatchObject(busy)
    await expect(store.read((tx) => tx.users.findById(1))).rejects.toMatchObject(busy)
    expect(waits.filter((wait) => wait > 350)).toHaveLength(2)
    end.resolve()
    await slow
    await store.write((tx) => tx.users.insert(userNamed('next')))
    expect(await userNamesIn(outside)).toEqual(['next', 'slow'])
    await store.close()
  })

  test('a unit that goes on after its end cannot touch the next one’s transaction', async () => {
    const { store, outside } = await openTestPostgres(1)
    const foreignAwait = Promise.withResolvers<unknown>()
    const over = Promise.withResolvers<void>()
    await store.write(async (tx) => {
      const later = over.promise.then(() => tx.users.insert(userNamed('stray')))
      later.catch(foreignAwait.resolve)
    })
    await store.write(async (tx) => {
      over.resolve()
      expect(await foreignAwait.promise).toMatchObject({ message: expect.stringContaining('after the end') })
      await tx.users.insert(userNamed('ann'))
    })
    expect(await userNamesIn(outside)).toEqual(['ann'])
  })

  test('a failure noticed only at the end rolls everything back and is reported as it was', async () => {
    const { store, outside } = await openTestPostgres()
    const job = { kind: 'clean-up', payload: {}, now: Number.NaN } as const
    const write = store.write(async (tx) => {
      await tx.users.insert(userNamed('ann'))
      await tx.jobs.enqueue(job)
    })
    await expect(write).rejects.toThrow()
    expect(await userNamesIn(outside)).toEqual([])
  })

  test.each([
    ['53100', 'storage_full', 1],
    ['25006', 'unavailable', 1],
    ['40001', 'unavailable', 50],
  ])('a failure with SQLSTATE %s is %s, after %p tries', async (state, code, tries) => {
    const { store, outside } = await openTestPostgres()
    await outside(`
      CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN RAISE EXCEPTION 'no' USING ERRCODE = '${state}'; END $$;
      CREATE TRIGGER failing BEFORE INSERT ON users FOR EACH ROW EXECUTE FUNCTION fail()`)
    let runs = 0
    const write = store.write((tx) => {
      runs++
      return tx.users.insert(userNamed('ann'))
    })
    await expect(write).rejects.toMatchObject({ code })
    expect(runs).toBe(tries)
  })

  test('closing finishes running units and refuses new ones', async () => {
    const { store, outside } = await openTestPostgres()
    const running = store.write((tx) => tx.users.insert(userNamed('ann')))
    await store.close()
    await running
    expect(await userNamesIn(outside)).toEqual(['ann'])
    await expect(store.read((tx) => tx.users.findById(1))).rejects.toMatchObject({ code: 'unavailable' })
  })

  test('closing waits for a unit that is blocked by another transaction', async () => {
    const { store, outside } = await openTestPostgres()
    let closing: Promise<void> | null = null
    await store.write(async (tx) => {
      if (closing === null) {
        closing = store.close()
        throw new LockConflict()
      }
      await tx.users.insert(userNamed('ann'))
    })
    await closing
    expect(await userNamesIn(outside)).toEqual(['ann'])
  })
})
