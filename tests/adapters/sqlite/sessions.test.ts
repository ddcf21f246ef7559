import { expect, test } from 'bun:test'
import type { Tx } from '../../../src/application/ports/persistence.ts'
import type { User } from '../../../src/domain/user.ts'
import { sessionsContract } from '../../contracts/sessions.ts'
import { openTestStore, sessionFor, userNamed } from '../../support/store.ts'

sessionsContract('SQLite', async () => openTestStore().store)

/** Someone's session, and units that go into one commit: one that asks who holds it before, and one after `change`. */
const foundAround = async (change: (tx: Tx, user: User, id: number) => Promise<unknown>) => {
  const { store } = openTestStore()
  const ann = await store.write((tx) => tx.users.insert(userNamed('ann')))
  const { id } = await store.write((tx) => tx.sessions.insert(sessionFor(ann.id)))
  const find = () => store.write((tx) => tx.sessions.findAccount(id))
  const changing = () => store.write((tx) => change(tx, ann, id)).catch(() => null)
  const [before, , after] = await Promise.all([find(), changing(), find()])
  expect(before).toMatchObject({ userId: ann.id, role: 'user', isActive: true, expiresAt: 2 })
  return after
}

test.each<[string, (tx: Tx, user: User, id: number) => Promise<unknown>, object | null]>([
  ['changed the user', (tx, user) => tx.users.update({ ...user, role: 'admin' }), { role: 'admin', expiresAt: 2 }],
  ['removed the user', (tx, { id }) => tx.users.delete(id), null],
  ['used it', (tx, _, id) => tx.sessions.touch({ id, lastUsedAt: 2, expiresAt: 9, address: '' }), { expiresAt: 9 }],
  ['ended it', (tx, _, id) => tx.sessions.delete(id), null],
  ['ended all', (tx, { id }) => tx.sessions.deleteAll(id, null), null],
  ['cleaned away what has expired', (tx) => tx.sessions.deleteExpired(3, 10), null],
])('who holds a session is found anew by a unit of the same commit after one that %s', async (_, change, found) => {
  const after = await foundAround(change)
  if (found === null) expect(after).toBeNull()
  else expect(after).toMatchObject(found)
})

test('look-ups of a unit’s own changes are dropped when it is rolled back', async () => {
  const after = await foundAround(async (tx, user, id) => {
    await tx.users.update({ ...user, isActive: false })
    expect(await tx.sessions.findAccount(id)).toMatchObject({ isActive: false })
    throw new Error('on purpose')
  })
  expect(after).toMatchObject({ isActive: true })
})

test('earlier look-ups are dropped after SQLite has rolled back by itself', async () => {
  const { store, writer } = openTestStore()
  const ann = await store.write((tx) => tx.users.insert(userNamed('ann')))
  const { id } = await store.write((tx) => tx.sessions.insert(sessionFor(ann.id)))
  const found: unknown[] = []
  const unit = store.write(async (tx) => {
    await tx.users.update({ ...ann, role: 'admin' })
    found.push(await tx.sessions.findAccount(id))
    // As a full disk or an I/O error does it.
    writer().run('ROLLBACK')
    found.push(await tx.sessions.findAccount(id))
  })
  await expect(unit).rejects.toThrow()
  expect(found).toMatchObject([{ role: 'admin' }, { role: 'user' }])
})

test('who holds a session is found anew after another process has changed the user', async () => {
  const { store, outside } = openTestStore()
  const ann = await store.write((tx) => tx.users.insert(userNamed('ann')))
  const { id } = await store.write((tx) => tx.sessions.insert(sessionFor(ann.id)))
  const find = () => store.write((tx) => tx.sessions.findAccount(id))
  expect(await find()).toMatchObject({ role: 'user' })
  outside("UPDATE users SET role = 'admin'")
  expect(await find()).toMatchObject({ role: 'admin' })
})
