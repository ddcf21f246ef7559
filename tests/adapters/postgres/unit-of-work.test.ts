import { describe, expect, test } from 'bun:test'
import { LockConflict } from '../../../src/adapters/postgres/errors.ts'
import { openPostgresStore } from '../../../src/adapters/postgres/unit-of-work.ts'
import type { Tx } from '../../../src/application/ports/persistence.ts'
import { AppError } from '../../../src/domain/errors.ts'
import { unitOfWorkContract } from '../../contracts/unit-of-work.ts'
import { missing, SERVER } from '../../support/postgres.ts'
import { openTestPostgres } from '../../support/postgres-store.ts'
import { sessionFor, userNamed } from '../../support/store.ts'
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

  const names = async (outside: <Row>(sql: string) => Promise<Row[]>) =>
    (await outside<{ name: string }>('SELECT name FROM users ORDER BY name')).map(({ name }) => name)

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
    expect(await names(outside)).toHaveLength(6)
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
    expect(await names(outside)).toEqual(['ann', 'bob'])
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
    expect(await names(outside)).toEqual(['ann'])
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
    expect(await names(outside)).toEqual(['p0', 'p1', 'p2', 'p3'])
  })

  test('a connection without responses is closed, and the work runs again on another', async () => {
    await using proxy = await startTcpProxy(SERVER)
    const { store, outside } = await openTestPostgres(2, behind(proxy), 300)
    await store.write((tx) => tx.users.insert(userNamed('ann')))
    await store.read((tx) => tx.users.countActiveAdmins())
    proxy.freeze()
    await store.write((tx) => tx.users.insert(userNamed('bob')))
    expect(await store.read((tx) => tx.users.findByEmail('bob@example.com'))).not.toBeNull()
    expect(await names(outside)).toEqual(['ann', 'bob'])
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
    expect(await names(outside)).toEqual(['next', 'slow'])
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
    expect(await names(outside)).toEqual(['ann'])
  })

  test('a failure noticed only at the end rolls everything back and is reported as it was', async () => {
    const { store, outside } = await openTestPostgres()
    const job = { kind: 'clean-up', payload: {}, now: Number.NaN } as const
    const write = store.write(async (tx) => {
      await tx.users.insert(userNamed('ann'))
      await tx.jobs.enqueue(job)
    })
    await expect(write).rejects.toThrow()
    expect(await names(outside)).toEqual([])
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

  describe('units that wait for a connection', () => {
    /**
     * Two connections, of which one is for reads: units that come while the first is held share the next transaction.
     */
    const queued = async (units: readonly ((tx: Tx) => Promise<unknown>)[]) => {
      const { url, outside } = await openTestPostgres(1)
      const commits: number[] = []
      const metrics = { databaseWaited: () => {}, committed: (count: number) => void commits.push(count) }
      const store = openPostgresStore({ url, size: 2, metrics })
      const [begun, end] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
      const first = store.write(async (tx) => {
        await tx.users.insert(userNamed('first'))
        await tx.users.update(await tx.users.insert(userNamed('changed')))
        begun.resolve()
        await end.promise
      })
      await begun.promise
      const others = units.map((unit) => store.write(unit))
      end.resolve()
      await first
      const results = await Promise.allSettled(others)
      await store.close()
      return { statuses: results.map(({ status }) => status), commits, names: await names(outside) }
    }
    /** A user with a session, and another store with one connection for units. */
    const withSession = async () => {
      const { store, outside, url } = await openTestPostgres()
      const { id } = await store.write((tx) => tx.users.insert(userNamed('ann')))
      const session = await store.write((tx) => tx.sessions.insert(sessionFor(id)))
      const commits: number[] = []
      const metrics = { databaseWaited: () => {}, committed: (count: number) => void commits.push(count) }
      const another = openPostgresStore({ url, size: 2, metrics })
      const look = async (tx: Tx) => (await tx.sessions.findAccount(session.id))?.isActive
      return { id, outside, another, commits, look }
    }
    const insert = (name: string) => (tx: Tx) => tx.users.insert(userNamed(name))
    const all = ['changed', 'first']

    test('share one transaction, and one commit', async () => {
      const { statuses, commits, names } = await queued(['a', 'b', 'c'].map(insert))
      expect(statuses).toEqual(['fulfilled', 'fulfilled', 'fulfilled'])
      expect(commits).toEqual([1, 3])
      expect(names).toEqual(['a', 'b', 'c', ...all].sort())
    })

    test('run again separately when one of them has failed the transaction', async () => {
      const { statuses, commits, names } = await queued(['a', 'first', 'b'].map(insert))
      expect(statuses).toEqual(['fulfilled', 'rejected', 'fulfilled'])
      expect(commits).toEqual([1, 1, 1])
      expect(names).toEqual(['a', 'b', ...all].sort())
    })

    test('continue when one that has written nothing fails', async () => {
      const refuse = async (tx: Tx) => {
        await tx.sessions.findAccount(1)
        throw new AppError('forbidden', 'no')
      }
      const { statuses, commits } = await queued([insert('a'), refuse, insert('b')])
      expect(statuses).toEqual(['fulfilled', 'rejected', 'fulfilled'])
      expect(commits).toEqual([1, 3])
    })

    test('see the account of a session as it is, whichever of them has changed it', async () => {
      const seen: unknown[] = []
      const open = async (tx: Tx) => {
        const user = await tx.users.findByEmail('first@example.com')
        await tx.sessions.insert(sessionFor(user?.id ?? 0))
      }
      const look = async (tx: Tx) => void seen.push((await tx.sessions.findAccount(1))?.isActive)
      const deactivate = async (tx: Tx) => {
        await look(tx)
        const user = await tx.users.findByEmail('first@example.com')
        if (user !== null) await tx.users.update({ ...user, isActive: false })
        await look(tx)
      }
      const end = async (tx: Tx) => {
        await look(tx)
        await tx.sessions.delete(1)
        await look(tx)
      }
      const { commits } = await queued([look, open, look, look, deactivate, look, end, look])
      expect(seen).toEqual([undefined, true, true, true, false, false, false, undefined, undefined])
      expect(commits).toEqual([1, 5, 2, 1])
    })

    test('see commits from before they were queued, even if their transaction had already begun', async () => {
      const { outside, another, commits, look } = await withSession()
      const [begun, end] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
      const first = another.write(async (tx) => {
        const seen = await look(tx)
        begun.resolve()
        await end.promise
        return seen
      })
      await begun.promise
      await outside('UPDATE users SET is_active = false')
      const second = another.write(look)
      end.resolve()
      expect([await first, await second]).toEqual([true, false])
      expect(commits).toEqual([2])
      await another.close()
    })

    test('see the account of a session as it is once they lock the user, though their transaction had read it before', async () => {
      const { id, outside, another, commits, look } = await withSession()
      const [begun, end] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
      const units = [
        async (tx: Tx) => void (await tx.users.findById(0)),
        async (tx: Tx) => {
          const seen = await look(tx)
          begun.resolve()
          await end.promise
          return seen
        },
        async (tx: Tx) => {
          await tx.users.findById(id)
          return look(tx)
        },
      ].map((unit) => another.write<unknown>(unit))
      await begun.promise
      await outside('UPDATE users SET is_active = false')
      end.resolve()
      expect(await Promise.all(units)).toEqual([undefined, true, false])
      expect(commits).toEqual([1, 2])
      await another.close()
    })

    test('release a locked row before the next one begins', async () => {
      const update = async (tx: Tx) => {
        const user = await tx.users.findByEmail('first@example.com')
        if (user !== null) await tx.users.update({ ...user, updatedAt: user.updatedAt + 1 })
      }
      const { commits } = await queued([insert('a'), update, insert('b')])
      expect(commits).toEqual([1, 2, 1])
    })
  })

  test('closing finishes running units and refuses new ones', async () => {
    const { store, outside } = await openTestPostgres()
    const running = store.write((tx) => tx.users.insert(userNamed('ann')))
    await store.close()
    await running
    expect(await names(outside)).toEqual(['ann'])
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
    expect(await names(outside)).toEqual(['ann'])
  })
})
