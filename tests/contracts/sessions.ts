import { describe, expect, test } from 'bun:test'
import type { UnitOfWork } from '../../src/application/ports/persistence.ts'
import type { Role } from '../../src/domain/user.ts'
import { userNamed } from '../support/store.ts'

/** What every engine's sessions promise of those that stand. */
export const sessionsContract = (engine: string, open: () => Promise<UnitOfWork>) => {
  describe(`the active sessions of ${engine}`, () => {
    const NOW = 1_000

    const signIn = (
      unitOfWork: UnitOfWork,
      name: string,
      { role = 'user' as Role, isActive = true, expiresAt = NOW + 1 } = {},
    ) =>
      unitOfWork.write(async (tx) => {
        const { id: userId } = await tx.users.insert({ ...userNamed(name), role, isActive })
        const at = { createdAt: 1, lastUsedAt: 1, expiresAt }
        const { id: sessionId } = await tx.sessions.insert({ userId, device: '', address: '', ...at })
        return { sessionId, userId, role }
      })

    const activePrincipals = (unitOfWork: UnitOfWork, ids: readonly number[]) =>
      unitOfWork.read(async (tx) => new Set(await tx.sessions.findActivePrincipals(ids, NOW)))

    test('are those of the given sessions that have not ended, of active accounts, with the current role', async () => {
      const unitOfWork = await open()
      const ann = await signIn(unitOfWork, 'ann')
      const root = await signIn(unitOfWork, 'root', { role: 'admin' })
      const unasked = await signIn(unitOfWork, 'bob')
      const expired = await signIn(unitOfWork, 'eve', { expiresAt: NOW })
      const inactive = await signIn(unitOfWork, 'ian', { isActive: false })
      const ended = await signIn(unitOfWork, 'joe')
      await unitOfWork.write((tx) => tx.sessions.delete(ended.sessionId))
      const asked = [ann, root, expired, inactive, ended].map(({ sessionId }) => sessionId)
      expect(await activePrincipals(unitOfWork, [...asked, unasked.sessionId + 1_000])).toEqual(new Set([ann, root]))
    })

    test('are none for an empty list, and one for a repeated id', async () => {
      const unitOfWork = await open()
      const ann = await signIn(unitOfWork, 'ann')
      expect(await activePrincipals(unitOfWork, [])).toEqual(new Set())
      expect(await activePrincipals(unitOfWork, [ann.sessionId, ann.sessionId])).toEqual(new Set([ann]))
    })
  })

  test(`a session of ${engine} returns its principal, also when it has ended or the account is inactive`, async () => {
    const unitOfWork = await open()
    const at = { createdAt: 1, lastUsedAt: 1, expiresAt: 7 }
    const { userId, id } = await unitOfWork.write(async (tx) => {
      const user = await tx.users.insert({ ...userNamed('ida'), role: 'admin', isActive: false })
      return tx.sessions.insert({ userId: user.id, device: '', address: '', ...at })
    })
    const account = (sessionId: number) => unitOfWork.read((tx) => tx.sessions.findAccount(sessionId))
    expect(await account(id)).toEqual({ userId, role: 'admin', isActive: false, createdAt: 1, expiresAt: 7 })
    expect(await account(id + 1)).toBeNull()
  })
}
