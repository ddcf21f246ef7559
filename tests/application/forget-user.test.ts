import { expect, test } from 'bun:test'
import { createOpaqueTokens } from '../../src/adapters/bun/opaque-tokens.ts'
import { createFsBlobStore } from '../../src/adapters/fs/blob-store.ts'
import { createJobHandlers } from '../../src/application/job-handlers.ts'
import type { UnitOfWork } from '../../src/application/ports/persistence.ts'
import { ITEMS } from '../../src/domain/collections/items.ts'
import { newRecord } from '../../src/domain/record.ts'
import { recordUnitsOn } from '../support/collections.ts'
import { itemEvent, readEvents } from '../support/events.ts'
import { createMailbox } from '../support/mail.ts'
import { temporaryFolder } from '../support/skep.ts'
import { openTestStore } from '../support/store.ts'

const REMOVED_USER_ID = 7

test('the log keeps no content of a removed user, even if an admin changes a record while it is being removed', async () => {
  const { store } = openTestStore()
  const item = await store.write((tx) =>
    tx.records('items').insert(newRecord(ITEMS, { title: 'a secret' }, REMOVED_USER_ID, 1)),
  )
  const changeAsAdmin = () =>
    store.write(async (tx) => {
      const changed = await tx.records('items').update({ ...item, title: 'another secret', version: 2 })
      await tx.events.append(itemEvent('updated', changed))
    })
  let isChanged = false
  const unitOfWork: UnitOfWork = {
    ...store,
    async write(work) {
      const result = await store.write(work)
      // The log has just been erased to its end.
      if (result === null && !isChanged) {
        isChanged = true
        await changeAsAdmin()
      }
      return result
    },
  }
  const handlers = createJobHandlers({
    unitOfWork,
    ...recordUnitsOn(unitOfWork, { now: () => 1 }),
    blobs: createFsBlobStore(temporaryFolder()),
    clock: { now: () => 1 },
    mailer: createMailbox(),
    opaqueTokens: createOpaqueTokens('x'),
    refreshTtlMs: 1,
    eventRetentionMs: 1,
    auditRetentionMs: 1,
    mail: { appName: 'Skep', appUrl: 'http://localhost' },
  })
  const job = { id: 1, attempts: 1, runAt: 0, lastError: null, createdAt: 0, updatedAt: 0 }
  const forgetting = { ...job, kind: 'forget-user', payload: { userId: REMOVED_USER_ID }, state: 'running' } as const
  await handlers['forget-user'].run(forgetting, new AbortController().signal, () => {})

  expect(isChanged).toBe(true)
  const events = await readEvents(store)
  expect(events.map(({ event }) => event)).toEqual(['item.deleted'])
  expect(JSON.stringify(events)).not.toContain('secret')
})
