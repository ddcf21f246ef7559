import { describe, expect, test } from 'bun:test'
import type { Tx, UnitOfWork } from '../../src/application/ports/persistence.ts'
import type { User } from '../../src/domain/user.ts'
import { userNamed } from '../support/store.ts'

export interface UnitOfWorkHarness {
  readonly unitOfWork: UnitOfWork
  /** Addresses as another connection sees them. */
  readonly committed: () => Promise<readonly string[]>
  /** Makes the COMMIT of the transaction that `tx` belongs to fail. */
  readonly spoilCommit: (tx: Tx) => Promise<void>
}

/** What every engine's unit of work promises. */
export const unitOfWorkContract = (engine: string, open: () => Promise<UnitOfWorkHarness>) => {
  describe(`the unit of work of ${engine}`, () => {
    test('has committed when its promise resolves', async () => {
      const { unitOfWork, committed } = await open()
      await unitOfWork.write((tx) => tx.users.insert(userNamed('ann')))
      expect(await committed()).toEqual(['ann@example.com'])
    })

    test('answers what the work answered', async () => {
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

    test('rolls one unit back and leaves its neighbours', async () => {
      const { unitOfWork, committed } = await open()
      const outcomes = await Promise.allSettled(
        ['ann', 'bob', 'cid'].map((name) =>
          unitOfWork.write(async (tx) => {
            await tx.users.insert(userNamed(name))
            if (name === 'bob') throw new Error('not bob')
          }),
        ),
      )
      expect(outcomes.map((outcome) => outcome.status)).toEqual(['fulfilled', 'rejected', 'fulfilled'])
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
      const outcomes = await Promise.allSettled(race)
      expect(outcomes.filter((outcome) => outcome.status === 'fulfilled')).toHaveLength(1)
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

    test('lets twenty racing writers change rows that have nothing to do with each other', async () => {
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

    test('refuses a write inside a write at once', async () => {
      const { unitOfWork, committed } = await open()
      const work = unitOfWork.write(async (tx) => {
        await tx.users.insert(userNamed('ann'))
        await unitOfWork.write((inner) => inner.users.insert(userNamed('bob')))
      })
      await expect(work).rejects.toThrow('inside a unit of work')
      expect(await committed()).toEqual([])
    })

    test('shows a reader nothing that is not committed', async () => {
      const { unitOfWork } = await open()
      const seen: unknown[] = []
      await unitOfWork.write(async (tx) => {
        await tx.users.insert(userNamed('ann'))
        seen.push(await unitOfWork.read((reading) => reading.users.findByEmail('ann@example.com')))
      })
      expect(seen).toEqual([null])
      expect(await unitOfWork.read((tx) => tx.users.findByEmail('ann@example.com'))).toMatchObject({ name: 'ann' })
    })

    test('lets who wrote read what they wrote, though a read came before in the same turn', async () => {
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
      const outcomes = await Promise.allSettled([
        unitOfWork.write((tx) => tx.users.insert(userNamed('ann'))),
        unitOfWork.write(spoilCommit),
      ])
      expect(outcomes[1]?.status).toBe('rejected')
      const landed = outcomes[0]?.status === 'fulfilled' ? ['ann@example.com'] : []
      expect(await committed()).toEqual(landed)
      await unitOfWork.write((tx) => tx.users.insert(userNamed('bob')))
      expect(await committed()).toEqual([...landed, 'bob@example.com'])
    })
  })
}
