import { describe, expect, test } from 'bun:test'
import type { Tx } from '../../../src/application/ports/persistence.ts'
import { missing } from '../../support/postgres.ts'
import { openTestPostgres } from '../../support/postgres-store.ts'
import { until } from '../../support/until.ts'

const ITEM = { ownerId: 1, title: '', description: null, data: {}, version: 1, createdAt: 1, updatedAt: 1 }
const FILE = { ownerId: 1, filename: '', contentType: '', size: 0, sha256: '', createdAt: 1 }
const WAITING = `SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`

describe.skipIf(missing)('with SKEP_TEST_POSTGRES_URL', () => {
  const open = async () => {
    const { store, outside } = await openTestPostgres()
    return {
      store,
      /** Does `one`, begins `other`, which has to wait for it, and then lets both end. */
      async meet<T>(one: (tx: Tx) => Promise<unknown>, other: (tx: Tx) => Promise<T>): Promise<T> {
        const [done, end] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
        const first = store.write(async (tx) => {
          await one(tx)
          await tx.jobs.findById(1)
          done.resolve()
          await end.promise
        })
        await done.promise
        const second = store.write(other)
        second.catch(() => {})
        await until(async () => (await outside(WAITING)).length > 0)
        end.resolve()
        await first
        return second
      },
    }
  }

  test('a slice of an owner’s items is full while there are more, though one of them is removed meanwhile', async () => {
    const { store, meet } = await open()
    const [first] = await store.write(async (tx) => [
      await tx.records('items').insert(ITEM),
      await tx.records('items').insert(ITEM),
      await tx.records('items').insert(ITEM),
    ])
    const removed = await meet(
      (tx) => tx.records('items').delete(first?.id ?? 0),
      (tx) => tx.records('items').deleteOwned(1, 2),
    )
    expect(removed).toHaveLength(2)
  })

  test('a slice of an owner’s files is full while there are more, though one of them is removed meanwhile', async () => {
    const { store, meet } = await open()
    const [first] = await store.write(async (tx) => [
      await tx.files.insert({ ...FILE, blobKey: 'a' }),
      await tx.files.insert({ ...FILE, blobKey: 'b' }),
      await tx.files.insert({ ...FILE, blobKey: 'c' }),
    ])
    const removed = await meet(
      (tx) => tx.files.delete(first?.id ?? 0),
      (tx) => tx.files.deleteOwned(1, 2),
    )
    expect(removed).toHaveLength(2)
  })

  test('a dead job is not retried when another with its key is queued at the same time', async () => {
    const { store, meet } = await open()
    const job = { kind: 'clean-up', payload: {}, now: 1, key: 'clean-up' } as const
    const id = await store.write(async (tx) => {
      await tx.jobs.enqueue(job)
      const [claimed] = await tx.jobs.claim({ now: 1, leaseUntil: 2, limit: 1 })
      if (claimed === undefined) throw new Error('no job')
      await tx.jobs.fail(claimed, { now: 1, error: '', runAt: null })
      return claimed.id
    })
    const retried = await meet(
      (tx) => tx.jobs.enqueue(job),
      (tx) => tx.jobs.retry(id, 2),
    )
    expect(retried).toBe(false)
  })
})
