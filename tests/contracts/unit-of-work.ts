import { describe, expect, test } from 'bun:test'
import type { Tx, UnitOfWork } from '../../src/application/ports/persistence.ts'
import type { User } from '../../src/domain/user.ts'
import { sessionFor, userNamed } from '../support/store.ts'

export interface UnitOfWorkHarness {
  readonly unitOfWork: UnitOfWork
  /** Addresses as another connection sees them. */
  readonly committed: () => Promise<readonly string[]>
  /** Makes the COMMIT of the transaction that `tx` belongs to fail. */
  readonly spoilCommit: (tx: Tx) => Promise<void>
}

const ALL = { size: 100, sort: { field: 'created_at', descending: false }, from: { page: 1 } } as const
const EVERY_ITEM = {
  ...ALL,
  sort: { field: 'title', descending: false },
  ownerId: null,
  text: null,
  createdAfter: null,
  createdBefore: null,
} as const
const NEW_ITEM = { ownerId: 1, title: '', description: null, data: {}, version: 1, createdAt: 1, updatedAt: 1 }

/** What every engine's unit of work promises. */
export const unitOfWorkContract = (engine: string, open: () => Promise<UnitOfWorkHarness>) => {
  describe(`the unit of work of ${engine}`, () => {
    test('has committed when its promise resolves', async () => {
      const { unitOfWork, committed } = await open()
      await unitOfWork.write((tx) => tx.users.insert(userNamed('ann')))
      expect(await committed()).toEqual(['ann@example.com'])
    })

    test('returns the result of the work', async () => {
      const { unitOfWork } = await open()
      expect(await unitOfWork.write(async () => 42)).toBe(42)
      expect(await unitOfWork.read(async () => 43)).toBe(43)
    })

    test('rolls back when the work throws, and rejects with what it threw', async () => {
      const { unitOfWork, committed } = await open()
      const work = unitOfWork.write(async (tx) => {
        await tx.users.insert(userNamed('ann'))
        throw new Error('changed my mind')
      })
      await expect(work).rejects.toThrow('changed my mind')
      expect(await committed()).toEqual([])
    })

    test('rolls one unit back without affecting others', async () => {
      const { unitOfWork, committed } = await open()
      const results = await Promise.allSettled(
        ['ann', 'bob', 'cid'].map((name) =>
          unitOfWork.write(async (tx) => {
            await tx.users.insert(userNamed(name))
            if (name === 'bob') throw new Error('not bob')
          }),
        ),
      )
      expect(results.map((result) => result.status)).toEqual(['fulfilled', 'rejected', 'fulfilled'])
      expect(await committed()).toEqual(['ann@example.com', 'cid@example.com'])
    })

    test('lets one of twenty racing writers have a unique value', async () => {
      const { unitOfWork, committed } = await open()
      const race = Array.from({ length: 20 }, () =>
        unitOfWork.write(async (tx) => {
          if ((await tx.users.findByEmail('ann@example.com')) !== null) throw new Error('seen')
          return tx.users.insert(userNamed('ann'))
        }),
      )
      const results = await Promise.allSettled(race)
      expect(results.filter((result) => result.status === 'fulfilled')).toHaveLength(1)
      expect(await committed()).toEqual(['ann@example.com'])
    })

    test('loses no update of twenty racing writers', async () => {
      const { unitOfWork } = await open()
      const { id } = await unitOfWork.write((tx) => tx.users.insert({ ...userNamed('ann'), name: '0' }))
      const add = () =>
        unitOfWork.write(async (tx) => {
          const user = await tx.users.findById(id)
          if (user !== null) await tx.users.update({ ...user, name: String(Number(user.name) + 1) })
        })
      await Promise.all(Array.from({ length: 20 }, add))
      expect((await unitOfWork.read((tx) => tx.users.findById(id)))?.name).toBe('20')
    })

    test('lets twenty racing writers change unrelated rows', async () => {
      const { unitOfWork } = await open()
      const people = await unitOfWork.write(async (tx) => {
        const users = []
        for (let n = 0; n < 20; n++) users.push(await tx.users.insert(userNamed(`person${n}`)))
        return users
      })
      const change = ({ id, name }: User) =>
        unitOfWork.write(async (tx) => {
          const user = await tx.users.findById(id)
          if (user === null) throw new Error('no such user')
          await tx.users.update({ ...user, name: `${name} changed` })
          await tx.users.insert(userNamed(`friend of ${name}`))
        })
      await Promise.all(people.map(change))
      const found = await unitOfWork.read((tx) =>
        tx.users.list({
          contains: 'changed',
          size: 100,
          sort: { field: 'name', descending: false },
          from: { page: 1 },
        }),
      )
      expect(found.total).toBe(20)
    })

    test('keeps one of two admins when two units each remove one, in twenty pairs', async () => {
      const { unitOfWork } = await open()
      for (let round = 0; round < 20; round++) {
        const admins = await unitOfWork.write(async (tx) => [
          await tx.users.insert({ ...userNamed(`a${round}`), role: 'admin' }),
          await tx.users.insert({ ...userNamed(`b${round}`), role: 'admin' }),
        ])
        const demote = (user: User) =>
          unitOfWork.write(async (tx) => {
            const found = await tx.users.findById(user.id)
            if (found === null || (await tx.users.countActiveAdmins()) < 2) throw new Error('the last one')
            await tx.users.update({ ...found, role: 'user' })
          })
        const results = await Promise.allSettled(admins.map(demote))
        expect(results.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected'])
        const left = admins[results.findIndex(({ status }) => status === 'rejected')]
        if (left !== undefined) await unitOfWork.write((tx) => tx.users.update({ ...left, role: 'user' }))
      }
    })

    test('opens no session with a password that another unit changes at the same time', async () => {
      const { unitOfWork } = await open()
      const people = await Promise.all(
        Array.from({ length: 20 }, (_, n) => unitOfWork.write((tx) => tx.users.insert(userNamed(`person${n}`)))),
      )
      const signIn = ({ id, passwordHash }: User) =>
        unitOfWork.write(async (tx) => {
          const found = await tx.users.findById(id)
          if (found?.passwordHash !== passwordHash) return
          await tx.sessions.insert(sessionFor(id))
        })
      const changePassword = ({ id }: User) =>
        unitOfWork.write(async (tx) => {
          const found = await tx.users.findById(id)
          if (found !== null) await tx.users.update({ ...found, passwordHash: 'another' })
          await tx.sessions.deleteAll(id, null)
        })
      await Promise.all(people.flatMap((user) => [signIn(user), changePassword(user)]))
      const lists = await Promise.all(
        people.map(({ id: userId }) => unitOfWork.read((tx) => tx.sessions.list({ ...ALL, userId, aliveAt: 0 }))),
      )
      expect(lists.flatMap(({ items }) => items)).toEqual([])
    })

    test('does the work of twenty units with one key only once', async () => {
      const { unitOfWork } = await open()
      const { id: userId } = await unitOfWork.write((tx) => tx.users.insert(userNamed('ann')))
      const kept = { userId, route: 'POST /items/', fingerprint: new Uint8Array(32), createdAt: 1 }
      const response = { status: 201, headers: {}, body: '' }
      const writeWithKey = (key: string) =>
        unitOfWork.write(async (tx) => {
          if ((await tx.idempotency.find(kept.userId, kept.route, key)) !== null) return
          await tx.records('items').insert({ ...NEW_ITEM, title: key })
          await tx.idempotency.put({ ...kept, key, response, role: 'user' })
        })
      const keys = ['a', 'b', 'c', 'd', 'e']
      await Promise.all(
        Array.from({ length: 20 }, () => keys)
          .flat()
          .map(writeWithKey),
      )
      const { items } = await unitOfWork.read((tx) => tx.records('items').list(EVERY_ITEM))
      expect(items.map(({ title }) => title)).toEqual(keys)
    })

    test('a unit that removes a user’s data sees everything added before the user was removed', async () => {
      const { unitOfWork } = await open()
      for (let round = 0; round < 10; round++) {
        const { id, sessionId } = await unitOfWork.write(async (tx) => {
          const user = await tx.users.insert(userNamed(`person${round}`))
          return { id: user.id, sessionId: (await tx.sessions.insert(sessionFor(user.id))).id }
        })
        const add = () =>
          unitOfWork.write(async (tx) => {
            if ((await tx.sessions.findAccount(sessionId)) === null) return
            await tx.records('items').insert({ ...NEW_ITEM, ownerId: id })
          })
        const remove = async () => {
          await unitOfWork.write((tx) => tx.users.delete(id))
          await unitOfWork.write((tx) => tx.records('items').deleteOwned(id, 1_000))
        }
        await Promise.all([add(), add(), remove(), add(), add()])
      }
      expect((await unitOfWork.read((tx) => tx.records('items').list(EVERY_ITEM))).items).toEqual([])
    })

    test('refuses a write inside a write at once', async () => {
      const { unitOfWork, committed } = await open()
      const work = unitOfWork.write(async (tx) => {
        await tx.users.insert(userNamed('ann'))
        await unitOfWork.write((inner) => inner.users.insert(userNamed('bob')))
      })
      await expect(work).rejects.toThrow('inside a unit of work')
      expect(await committed()).toEqual([])
    })

    test('shows readers only committed data', async () => {
      const { unitOfWork } = await open()
      const seen: unknown[] = []
      await unitOfWork.write(async (tx) => {
        await tx.users.insert(userNamed('ann'))
        seen.push(await unitOfWork.read((reading) => reading.users.findByEmail('ann@example.com')))
      })
      expect(seen).toEqual([null])
      expect(await unitOfWork.read((tx) => tx.users.findByEmail('ann@example.com'))).toMatchObject({ name: 'ann' })
    })

    test('shows a committed write to the next read, even after an earlier read in the same turn', async () => {
      const { unitOfWork } = await open()
      const find = () => unitOfWork.read((tx) => tx.users.findByEmail('ann@example.com'))
      const write = unitOfWork.write((tx) => tx.users.insert(userNamed('ann')))
      await find()
      const both = write.then(find)
      expect(await both).toMatchObject({ name: 'ann' })
      const changed = unitOfWork.write((tx) => tx.users.insert(userNamed('bob')))
      const reads = await Promise.all([find(), changed.then(find)])
      expect(reads.map((user) => user?.name)).toEqual(['ann', 'ann'])
    })

    test('rejects every unit of a commit that fails, and works on afterwards', async () => {
      const { unitOfWork, committed, spoilCommit } = await open()
      const results = await Promise.allSettled([
        unitOfWork.write((tx) => tx.users.insert(userNamed('ann'))),
        unitOfWork.write(spoilCommit),
      ])
      expect(results[1]?.status).toBe('rejected')
      const landed = results[0]?.status === 'fulfilled' ? ['ann@example.com'] : []
      expect(await committed()).toEqual(landed)
      await unitOfWork.write((tx) => tx.users.insert(userNamed('bob')))
      expect(await committed()).toEqual([...landed, 'bob@example.com'])
    })
  })
}
