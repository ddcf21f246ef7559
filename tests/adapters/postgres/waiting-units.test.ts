import { describe, expect, test } from 'bun:test'
import { openPostgresStore } from '../../../src/adapters/postgres/unit-of-work.ts'
import type { Tx } from '../../../src/application/ports/persistence.ts'
import { AppError } from '../../../src/domain/errors.ts'
import { missing } from '../../support/postgres.ts'
import { openTestPostgres, userNamesIn } from '../../support/postgres-store.ts'
import { sessionFor, userNamed } from '../../support/store.ts'

describe.skipIf(missing)('with SKEP_TEST_POSTGRES_URL', () => {
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
      return { statuses: results.map(({ status }) => status), commits, names: await userNamesIn(outside) }
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
})
