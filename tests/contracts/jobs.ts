import { describe, expect, test } from 'bun:test'
import type { UnitOfWork } from '../../src/application/ports/persistence.ts'
import type { Job } from '../../src/domain/job.ts'

interface Harness {
  /** Two connections to one database, as two processes would have. */
  readonly one: UnitOfWork
  readonly other: UnitOfWork
}

/** What every engine's job queue promises. */
export const jobQueueContract = (engine: string, open: () => Promise<Harness>) => {
  describe(`the job queue of ${engine}`, () => {
    const enqueue = (unitOfWork: UnitOfWork, changes: { runAt?: number; key?: string } = {}) =>
      unitOfWork.write((tx) => tx.jobs.enqueue({ kind: 'clean-up', payload: {}, now: 100, ...changes }))
    const claim = (unitOfWork: UnitOfWork, now = 200, limit = 10) =>
      unitOfWork.write((tx) => tx.jobs.claim({ now, leaseUntil: now + 50, limit }))
    const states = (unitOfWork: UnitOfWork) =>
      unitOfWork.read(async (tx) => {
        const { items } = await tx.jobs.list({
          state: null,
          size: 100,
          sort: { field: 'created_at', descending: false },
          from: { page: 1 },
        })
        return items.map(({ state, attempts }) => [state, attempts] as const)
      })
    const only = (jobs: readonly Job[]): Job => {
      const [job] = jobs
      if (job === undefined || jobs.length !== 1) throw new Error(`${jobs.length} jobs`)
      return job
    }

    test('hands out a job after its transaction commits, and none after a rollback', async () => {
      const { one } = await open()
      await enqueue(one)
      const rolledBack = one.write(async (tx) => {
        await tx.jobs.enqueue({ kind: 'clean-up', payload: {}, now: 100 })
        throw new Error('no')
      })
      await expect(rolledBack).rejects.toThrow('no')
      expect(await claim(one)).toHaveLength(1)
    })

    test('gives each attempt to one of many claims that race', async () => {
      const { one, other } = await open()
      for (let n = 0; n < 30; n++) await enqueue(one)
      const claims = await Promise.all(Array.from({ length: 20 }, (_, n) => claim(n % 2 === 0 ? one : other, 200, 3)))
      const ids = claims.flat().map(({ id }) => id)
      expect(ids).toHaveLength(30)
      expect(new Set(ids).size).toBe(30)
    })

    test('keeps a job until it is due, and reports when one is', async () => {
      const { one } = await open()
      await enqueue(one, { runAt: 500 })
      expect(await one.read((tx) => tx.jobs.hasDue(499))).toBe(false)
      expect(await claim(one, 499)).toEqual([])
      expect(await one.read((tx) => tx.jobs.hasDue(500))).toBe(true)
      expect(await claim(one, 500)).toHaveLength(1)
    })

    test('hands a job out again when its lease has expired, and not before', async () => {
      const { one, other } = await open()
      await enqueue(one)
      const lost = only(await claim(one, 200))
      expect(await claim(other, 249)).toEqual([])
      expect(await other.read((tx) => tx.jobs.hasDue(250))).toBe(true)
      expect(only(await claim(other, 250))).toMatchObject({ id: lost.id, attempts: 2 })
      expect(await one.write((tx) => tx.jobs.complete(lost, 260))).toBe(false)
      expect(await states(one)).toEqual([['running', 2]])
    })

    test('keeps a job assigned to a worker that renews its lease in time', async () => {
      const { one, other } = await open()
      await enqueue(one)
      const leased = only(await claim(one, 200))
      expect(await one.write((tx) => tx.jobs.renew(leased, 300))).toBe(true)
      expect(await claim(other, 299)).toEqual([])
      expect(await claim(other, 300)).toHaveLength(1)
      expect(await one.write((tx) => tx.jobs.renew(leased, 400))).toBe(false)
    })

    test('does not hand out again what was completed', async () => {
      const { one } = await open()
      await enqueue(one)
      const job = only(await claim(one))
      expect(await one.write((tx) => tx.jobs.complete(job, 210))).toBe(true)
      expect(await claim(one, 9_999)).toEqual([])
      expect(await states(one)).toEqual([['done', 1]])
    })

    test('returns a failed job to the queue until it is due, or marks it dead', async () => {
      const { one } = await open()
      await enqueue(one)
      const first = only(await claim(one))
      await one.write((tx) => tx.jobs.fail(first, { now: 210, error: 'refused', runAt: 300 }))
      expect(await claim(one, 299)).toEqual([])
      const second = only(await claim(one, 300))
      expect(second).toMatchObject({ attempts: 2, lastError: 'refused' })
      await one.write((tx) => tx.jobs.fail(second, { now: 310, error: 'refused', runAt: null }))
      expect(await claim(one, 9_999)).toEqual([])
      expect(await states(one)).toEqual([['dead', 2]])
    })

    test('does not count a released attempt', async () => {
      const { one } = await open()
      await enqueue(one)
      const job = only(await claim(one))
      await one.write((tx) => tx.jobs.release(job, 210))
      expect(await states(one)).toEqual([['queued', 0]])
    })

    test('queues one job of a key at a time', async () => {
      const { one } = await open()
      await enqueue(one, { key: 'daily' })
      await enqueue(one, { key: 'daily' })
      const job = only(await claim(one))
      await enqueue(one, { key: 'daily' })
      expect(await states(one)).toEqual([['running', 1]])
      await one.write((tx) => tx.jobs.complete(job, 210))
      await enqueue(one, { key: 'daily' })
      expect(await states(one)).toEqual([
        ['done', 1],
        ['queued', 0],
      ])
    })

    test('retries and deletes jobs that are not running', async () => {
      const { one } = await open()
      await enqueue(one)
      const job = only(await claim(one))
      const retry = () => one.write((tx) => tx.jobs.retry(job.id, 400))
      const remove = () => one.write((tx) => tx.jobs.delete(job.id))
      expect([await retry(), await remove()]).toEqual([false, false])
      await one.write((tx) => tx.jobs.fail(job, { now: 210, error: 'x', runAt: null }))
      expect(await retry()).toBe(true)
      expect(await states(one)).toEqual([['queued', 0]])
      expect([await remove(), await remove(), await retry()]).toEqual([true, false, false])
    })

    test('does not retry a done job', async () => {
      const { one } = await open()
      await enqueue(one)
      const job = only(await claim(one))
      await one.write((tx) => tx.jobs.complete(job, 210))
      expect(await one.write((tx) => tx.jobs.retry(job.id, 400))).toBe(false)
    })

    test('counts the jobs in each state, up to the given limit', async () => {
      const { one, other } = await open()
      const count = (most: number) => other.read((tx) => tx.jobs.countByState(most))
      expect(await count(10)).toEqual({ queued: 0, running: 0, done: 0, dead: 0 })
      for (let n = 0; n < 6; n++) await enqueue(one)
      const [done, dead] = await claim(one, 200, 3)
      if (done === undefined || dead === undefined) throw new Error('three jobs expected')
      await one.write((tx) => tx.jobs.complete(done, 300))
      await one.write((tx) => tx.jobs.fail(dead, { now: 300, error: 'x', runAt: null }))
      expect(await count(10)).toEqual({ queued: 3, running: 1, done: 1, dead: 1 })
      expect(await count(2)).toEqual({ queued: 2, running: 1, done: 1, dead: 1 })
    })

    test('removes jobs that ended long ago', async () => {
      const { one } = await open()
      for (let n = 0; n < 3; n++) await enqueue(one)
      const [done, dead] = await claim(one, 200, 2)
      if (done === undefined || dead === undefined) throw new Error('two jobs expected')
      await one.write((tx) => tx.jobs.complete(done, 300))
      await one.write((tx) => tx.jobs.fail(dead, { now: 300, error: 'x', runAt: null }))
      const clean = (before: number) => one.write((tx) => tx.jobs.deleteEnded('done', before, 10))
      expect(await clean(300)).toBe(0)
      expect(await states(one)).toHaveLength(3)
      expect(await clean(301)).toBe(1)
      expect((await states(one)).map(([state]) => state).sort()).toEqual(['dead', 'queued'])
    })
  })
}
