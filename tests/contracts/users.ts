import { describe, expect, test } from 'bun:test'
import type { UserQuery } from '../../src/application/ports/accounts.ts'
import type { Store } from '../../src/application/ports/persistence.ts'
import { userNamed } from '../support/store.ts'

const all = {
  size: 100,
  sort: { field: 'email', descending: false },
  from: { page: 1 },
  contains: null,
} as const satisfies UserQuery

/** What every engine's users promise. */
export const usersContract = (engine: string, open: () => Promise<Store>) => {
  describe(`the users of ${engine}`, () => {
    const prepare = async (...names: string[]) => {
      const store = await open()
      for (const name of names) await store.write((tx) => tx.users.insert({ ...userNamed(name), email: `${name}@x` }))
      const names_ = async (query: Partial<UserQuery>) =>
        (await store.read((tx) => tx.users.list({ ...all, ...query }))).items.map(({ name }) => name)
      return { store, names: names_ }
    }

    test('are sorted by address and by name in the order of code points', async () => {
      const { names } = await prepare('b', 'a-c', 'ab', 'a_b', 'B', 'é')
      const order = ['B', 'a-c', 'a_b', 'ab', 'b', 'é']
      for (const field of ['email', 'name'] as const) {
        expect(await names({ sort: { field, descending: false } })).toEqual(order)
        expect(await names({ sort: { field, descending: true } })).toEqual(order.toReversed())
      }
    })

    test.each([
      ['ANN', ['Ann', 'joanna']],
      ['%', ['100%']],
      ['_', ['a_b']],
      ['\\', ['back\\slash']],
      ['É', ['É']],
      ['x', ['100%', 'Ann', 'a_b', 'back\\slash', 'joanna', 'É', 'é']],
      ['nobody', []],
    ])('that contain %p are found without regard to the case of ASCII letters', async (contains, expected) => {
      const { names } = await prepare('Ann', 'joanna', '100%', 'a_b', 'back\\slash', 'é', 'É')
      expect(await names({ contains })).toEqual(expected)
    })

    test('are found by an address, and nobody by what no address can be', async () => {
      const { store } = await prepare('ann')
      const find = (email: string) => store.read((tx) => tx.users.findByEmail(email))
      expect((await find('ann@x'))?.name).toBe('ann')
      for (const email of ['', 'ann@x\0', '\ud800', 'Ann@x']) expect(await find(email)).toBeNull()
    })

    test('have an address that is nobody else’s', async () => {
      const { store } = await prepare('ann', 'bob')
      const bob = await store.read((tx) => tx.users.findByEmail('bob@x'))
      if (bob === null) throw new Error('no bob')
      const taken = { code: 'email_taken' }
      await expect(store.write((tx) => tx.users.insert({ ...userNamed('a'), email: 'ann@x' }))).rejects.toMatchObject(
        taken,
      )
      await expect(store.write((tx) => tx.users.update({ ...bob, email: 'ann@x' }))).rejects.toMatchObject(taken)
    })
  })
}
