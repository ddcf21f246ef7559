import { describe, expect, test } from 'bun:test'
import { createOpaqueTokens } from '../../src/adapters/bun/opaque-tokens.ts'
import { queueTokenMail } from '../../src/application/mail-tokens.ts'
import type { UnitOfWork } from '../../src/application/ports/persistence.ts'
import { userNamed } from '../support/store.ts'

/** What every engine keeps of mail that went, and of the links of an account. */
export const mailLimitsContract = (engine: string, open: () => Promise<UnitOfWork>) => {
  describe(`the limits of mail in ${engine}`, () => {
    test('are stored by recipient and kind, and rolled back with the transaction that queues the mail', async () => {
      const unitOfWork = await open()
      await unitOfWork.write((tx) => tx.mailLimits.put('a@b.c', 'reset', [1, 2]))
      const rolledBack = unitOfWork.write(async (tx) => {
        await tx.mailLimits.put('a@b.c', 'reset', [1, 2, 3])
        throw new Error('no')
      })
      await expect(rolledBack).rejects.toThrow('no')
      const found = (recipient: string, kind: string) => unitOfWork.write((tx) => tx.mailLimits.find(recipient, kind))
      expect([await found('a@b.c', 'reset'), await found('a@b.c', 'verify'), await found('b@b.c', 'reset')]).toEqual([
        [1, 2],
        [],
        [],
      ])
    })

    test('let one of twenty concurrent units send to the same recipient', async () => {
      const unitOfWork = await open()
      const opaqueTokens = createOpaqueTokens('x')
      const names = Array.from({ length: 20 }, (_, n) => `user${n}`)
      const users = await unitOfWork.write((tx) => Promise.all(names.map((name) => tx.users.insert(userNamed(name)))))
      const issue = { email: 'stranger@example.com', template: 'verify', now: 1_000_000_000 } as const
      const turns = await Promise.all(
        users.map((user) => unitOfWork.write((tx) => queueTokenMail(tx, opaqueTokens, { ...issue, user }))),
      )
      expect(turns.filter(({ queued }) => queued)).toHaveLength(1)
    })

    test('are removed once they are old', async () => {
      const unitOfWork = await open()
      await unitOfWork.write(async (tx) => {
        for (const newest of [5, 10, 15]) await tx.mailLimits.put(`${newest}@b.c`, 'reset', [1, newest])
      })
      expect(await unitOfWork.write((tx) => tx.mailLimits.deleteOld(10, 100))).toBe(1)
      expect(await unitOfWork.write((tx) => tx.mailLimits.deleteOld(20, 1))).toBe(1)
    })
  })

  describe(`the links of an account in ${engine}`, () => {
    test('are removed by creator, by owner of the file, or both', async () => {
      const unitOfWork = await open()
      const [ann, root] = [1, 2]
      const alive = () =>
        unitOfWork.read(async (tx) =>
          (await Promise.all([1, 2, 3, 4].map((id) => tx.fileLinks.find(id < 3 ? 1 : 2, id)))).map(
            (link) => link?.id ?? 0,
          ),
        )
      const file = { filename: 'f', contentType: 'text/plain', size: 1, sha256: '', createdAt: 1 }
      const link = { expiresAt: 10, createdAt: 1 }
      await unitOfWork.write(async (tx) => {
        const first = await tx.files.insert({ ...file, ownerId: ann, blobKey: 'a' })
        const second = await tx.files.insert({ ...file, ownerId: root, blobKey: 'b' })
        for (const { id: fileId, ownerId } of [first, second]) {
          for (const creatorId of [ann, root]) await tx.fileLinks.insert({ ...link, fileId, ownerId, creatorId })
        }
      })
      expect(await alive()).toEqual([1, 2, 3, 4])
      expect(await unitOfWork.write((tx) => tx.fileLinks.countCreatedBy(root, 1))).toBe(1)
      await unitOfWork.write((tx) => tx.fileLinks.deleteAll({ creatorId: root, foreign: true }))
      expect(await alive()).toEqual([1, 0, 3, 4])
      await unitOfWork.write((tx) => tx.fileLinks.deleteAll({ ownerId: ann }))
      expect(await alive()).toEqual([0, 0, 3, 4])
      await unitOfWork.write((tx) => tx.fileLinks.deleteAll({ creatorId: ann }))
      expect(await alive()).toEqual([0, 0, 0, 4])
      expect(await unitOfWork.write((tx) => tx.fileLinks.deleteExpiredOf(root, 10, 5))).toBe(1)
    })
  })
}
