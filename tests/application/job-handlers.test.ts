import { expect, test } from 'bun:test'
import { createOpaqueTokens } from '../../src/adapters/bun/opaque-tokens.ts'
import { createFsBlobStore } from '../../src/adapters/fs/blob-store.ts'
import { createJobHandlers } from '../../src/application/job-handlers.ts'
import { testClock } from '../support/clock.ts'
import { recordUnitsOn } from '../support/collections.ts'
import { createMailbox } from '../support/mail.ts'
import { temporaryFolder } from '../support/skep.ts'
import { openTestStore, userNamed } from '../support/store.ts'

const HOUR_MS = 3_600_000

test('the clean-up removes expired sessions and links, and jobs that ended long ago', async () => {
  const clock = testClock()
  const { store, outside } = openTestStore()
  const blobs = createFsBlobStore(temporaryFolder())
  const deps = { unitOfWork: store, blobs, mailer: createMailbox(), opaqueTokens: createOpaqueTokens('x'), clock }
  const handlers = createJobHandlers({
    ...deps,
    ...recordUnitsOn(store, clock),
    mail: { appName: 'Skep', appUrl: 'http://localhost' },
    refreshTtlMs: HOUR_MS,
    eventRetentionMs: HOUR_MS,
    auditRetentionMs: HOUR_MS,
  })
  const now = clock.now()
  await store.write(async (tx) => {
    const { id: userId } = await tx.users.insert(userNamed('ann'))
    const session = { userId, device: '', address: '', createdAt: now, lastUsedAt: now }
    const gone = await tx.sessions.insert({ ...session, expiresAt: now })
    await tx.refreshTokens.insert({ hash: new Uint8Array([1]), sessionId: gone.id, createdAt: now })
    await tx.sessions.insert({ ...session, expiresAt: now + 1 })
    const token = { userId, email: 'a@b.c', nonce: 'n', hash: new Uint8Array([1]) }
    await tx.mailTokens.put({ ...token, purpose: 'verify', expiresAt: now - 33 * 24 * HOUR_MS })
    // Its mail may still be retried.
    await tx.mailTokens.put({ ...token, purpose: 'reset', nonce: 'm', hash: new Uint8Array([2]), expiresAt: now })
    await tx.mailLimits.put('a@b.c', 'verify', [now - HOUR_MS - 1])
    await tx.mailLimits.put('a@b.c', 'reset', [now - HOUR_MS - 1, now - HOUR_MS])
    for (const finishedAt of [now - 25 * HOUR_MS, now - 23 * HOUR_MS]) {
      await tx.jobs.enqueue({ kind: 'clean-up', payload: {}, now: finishedAt })
      for (const job of await tx.jobs.claim({ now: finishedAt, leaseUntil: now, limit: 1 })) {
        await tx.jobs.complete(job, finishedAt)
      }
    }
  })
  const job = { id: 1, kind: 'clean-up', payload: {}, state: 'running', attempts: 1, runAt: now } as const
  await handlers['clean-up'].run(
    { ...job, lastError: null, createdAt: now, updatedAt: now },
    new AbortController().signal,
    () => {},
  )
  const count = (table: string) => outside(`SELECT 1 FROM ${table}`).length
  expect([
    count('sessions'),
    count('refresh_tokens'),
    count('mail_tokens'),
    count('mail_limits'),
    count('jobs'),
  ]).toEqual([1, 0, 1, 1, 1])
})
