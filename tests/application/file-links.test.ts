import { expect, test } from 'bun:test'
import { createLinkSigner } from '../../src/adapters/bun/link-signer.ts'
import { NO_RESERVE } from '../../src/adapters/fs/reserve.ts'
import { createFileLinks } from '../../src/application/file-links.ts'
import { MAX_LINKS_PER_CREATOR_COUNT } from '../../src/domain/file.ts'
import { testClock } from '../support/clock.ts'
import { openTestStore, sessionFor, userNamed } from '../support/store.ts'

test('the number of links per user is limited; expired ones do not count', async () => {
  const clock = testClock()
  const { store } = openTestStore()
  const links = createFileLinks({
    unitOfWork: store,
    signer: createLinkSigner('x'.repeat(32)),
    clock,
    reserve: NO_RESERVE,
  })
  const now = clock.now()
  const file = { filename: 'f', contentType: 'text/plain', size: 1, sha256: '', blobKey: 'k', createdAt: now }
  const { fileId, actor } = await store.write(async (tx) => {
    const { id: userId } = await tx.users.insert(userNamed('ann'))
    const { id: sessionId } = await tx.sessions.insert({ ...sessionFor(userId), expiresAt: now + 3_600_000 })
    const { id } = await tx.files.insert({ ...file, ownerId: userId })
    const link = { fileId: id, ownerId: userId, creatorId: userId, expiresAt: now + 60_000, createdAt: now }
    for (let n = 0; n < MAX_LINKS_PER_CREATOR_COUNT; n++) await tx.fileLinks.insert(link)
    return { fileId: id, actor: { userId, sessionId, role: 'user', requestId: 'test', address: '' } as const }
  })
  const create = () => links.create(actor, fileId, 60, null)
  await expect(create()).rejects.toMatchObject({ code: 'too_many_links' })
  clock.advance(60_000)
  expect(await create()).toHaveProperty('result')
})
