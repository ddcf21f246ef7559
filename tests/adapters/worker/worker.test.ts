import { heapStats } from 'bun:jsc'
import { afterAll, expect, test } from 'bun:test'
import { openSqliteStore } from '../../../src/adapters/sqlite/unit-of-work.ts'
import { startWorker } from '../../../src/adapters/worker/worker.ts'
import { createJobRunner, type JobHandler, type JobHandlers } from '../../../src/application/job-runner.ts'
import { PermanentFailure } from '../../../src/application/ports/messaging.ts'
import type { UnitOfWork } from '../../../src/application/ports/persistence.ts'
import { AppError } from '../../../src/domain/errors.ts'
import type { Job } from '../../../src/domain/job.ts'
import { testClock } from '../../support/clock.ts'
import { recordingLog } from '../../support/skep.ts'
import { openTestStore } from '../../support/store.ts'

/** Lets everything else that waits run once. */
const turn = () => new Promise<void>((resolve) => setImmediate(resolve))

const nothing: JobHandler = { deadlineMs: 1_000, run: async () => {} }

/** A worker on a database of its own whose `mail` jobs are done by `run`. */
const open = (run: JobHandler['run'], options: { deadlineMs?: number; everyMs?: number } = {}) => {
  const clock = testClock()
  const log = recordingLog()
  const { store, path } = openTestStore()
  const handlers: JobHandlers = {
    mail: { deadlineMs: options.deadlineMs ?? 1_000, run },
    'password-forgotten': nothing,
    'forget-user': nothing,
    'finish-deletion': nothing,
    'delete-blob': nothing,
    backup: nothing,
    'verify-backup': nothing,
    'delete-archive': nothing,
    'scheduled-backup': nothing,
    'sweep-blobs': nothing,
    'clean-up': options.everyMs === undefined ? nothing : { ...nothing, everyMs: options.everyMs },
  }
  const deps = { handlers, clock, log, random: () => 0.5 }
  const runner = createJobRunner({ ...deps, unitOfWork: store })
  const start = () => {
    const worker = startWorker({ runner, log, poll: 5 })
    afterAll(() => worker.stop(0))
    return worker
  }
  const enqueue = (kind: string = 'mail') =>
    store.write((tx) => tx.jobs.enqueue({ kind: kind as 'clean-up', payload: {}, now: clock.now() }))
  const jobs = () =>
    store.read(async (tx) => {
      const all = {
        state: null,
        size: 100,
        sort: { field: 'created_at', descending: false },
        from: { page: 1 },
      } as const
      return (await tx.jobs.list(all)).items
    })
  /** Resolves when the log says so. */
  const logged = async (message: string, count = 1) => {
    while (log.entries.filter((entry) => entry.message === message).length < count) {
      await turn()
    }
  }
  return { clock, log, store, path, runner, start, enqueue, jobs, logged, deps }
}

test('runs queued jobs, and those queued later', async () => {
  const { start, enqueue, jobs, logged } = open(async () => {})
  await enqueue()
  start()
  await logged('job done')
  await enqueue()
  await logged('job done', 2)
  expect((await jobs()).map(({ state }) => state)).toEqual(['done', 'done'])
})

test('a job that ends while the database is unavailable is not run again: its end is recorded later', async () => {
  let runs = 0
  const { store, deps, enqueue, jobs, log, logged } = open(async () => {
    runs++
    away = true
  })
  let away = false
  const refusals: number[] = []
  const unitOfWork: UnitOfWork = {
    ...store,
    async write(work) {
      if (!away) return store.write(work)
      if (refusals.push(runs) === 3) away = false
      throw new AppError('unavailable', 'no database')
    },
  }
  await enqueue()
  const worker = startWorker({ runner: createJobRunner({ ...deps, unitOfWork }), log, poll: 5 })
  afterAll(() => worker.stop(0))
  await logged('job done')
  expect(refusals).toEqual([1, 1, 1])
  expect(await jobs()).toMatchObject([{ state: 'done', attempts: 1 }])
})

test('retries a failed job with growing delays, eight times, then marks it dead', async () => {
  const { clock, start, enqueue, jobs, logged } = open(async () => {
    throw new Error('refused')
  })
  await enqueue()
  start()
  const delays: number[] = []
  for (let attempt = 1; attempt <= 8; attempt++) {
    await logged('job failed, will be retried', attempt)
    const runAt = await (async () => {
      for (;;) {
        const [job] = await jobs()
        if (job?.state === 'queued' && job.runAt > clock.now()) return job.runAt
        await turn()
      }
    })()
    delays.push((runAt - clock.now()) / 1_000)
    clock.advance(runAt - clock.now())
  }
  await logged('job is dead')
  while ((await jobs())[0]?.state !== 'dead') await turn()
  expect(delays).toEqual([5, 20, 80, 320, 1_280, 5_120, 20_480, 21_600])
  expect((await jobs())[0]).toMatchObject({ state: 'dead', attempts: 9, lastError: 'refused' })
})

test('a permanent failure ends a job at once', async () => {
  const { start, enqueue, jobs, logged } = open(() => Promise.reject(new PermanentFailure('550 no such user')))
  start()
  await enqueue()
  await logged('job is dead')
  while ((await jobs())[0]?.state !== 'dead') await turn()
  expect((await jobs())[0]).toMatchObject({ attempts: 1, lastError: '550 no such user' })
})

test.each<[string, JobHandler['run']]>([
  [
    'throws before it returns a promise',
    () => {
      throw new TypeError('at once')
    },
  ],
  ['rejects with something that is no error', () => Promise.reject('a text')],
  ['never returns', () => new Promise(() => {})],
])('a handler that %s costs its own job an attempt, and no other', async (_, run) => {
  let first = true
  const { start, enqueue, jobs, logged } = open(
    (job, signal, atEnd) => {
      if (!first) return Promise.resolve()
      first = false
      return run(job, signal, atEnd)
    },
    { deadlineMs: 20 },
  )
  await enqueue()
  await enqueue()
  start()
  await logged('job failed, will be retried')
  await logged('job done')
  while ((await jobs()).some(({ state }) => state === 'running')) await turn()
  expect((await jobs()).map(({ state, attempts }) => [state, attempts])).toEqual([
    ['queued', 1],
    ['done', 1],
  ])
})

test('a job of an unknown kind fails without affecting others', async () => {
  const { log, start, enqueue, logged } = open(async () => {})
  await enqueue('from-the-future')
  await enqueue()
  start()
  await logged('job done')
  await logged('job failed, will be retried')
  expect(String(log.entries.find(({ level }) => level === 'warn')?.fields.error)).toContain('from-the-future')
})

test('a job that crashes its process each time is finally dead', async () => {
  const { clock, runner, enqueue, jobs } = open(async () => {})
  await enqueue()
  const never = new AbortController().signal
  for (let crash = 1; crash <= 9; crash++) {
    await runner.claim(1)
    clock.advance(15_000)
  }
  for (const job of await runner.claim(1)) await runner.run(job, never)
  expect((await jobs())[0]).toMatchObject({ state: 'dead', lastError: 'started too many times without finishing' })
})

test('two workers on one database never run the same attempt', async () => {
  const done: number[] = []
  const { path, deps, start, enqueue, log } = open(async (job: Job) => {
    done.push(job.id)
  })
  for (let n = 0; n < 100; n++) await enqueue()
  const second = openSqliteStore({ path })
  const rival = startWorker({ runner: createJobRunner({ ...deps, unitOfWork: second }), log, poll: 5 })
  start()
  while (done.length < 100) await turn()
  await rival.stop(1_000)
  await second.close()
  expect(new Set(done).size).toBe(100)
  expect(done).toHaveLength(100)
})

test('a running worker retains no memory of finished jobs', async () => {
  const { start, enqueue, logged } = open(async () => {})
  start()
  const signalsAfter = async (done: number) => {
    await Promise.all(Array.from({ length: 100 }, () => enqueue()))
    await logged('job done', done)
    await turn()
    Bun.gc(true)
    return heapStats().objectTypeCounts.AbortSignal ?? 0
  }
  const before = await signalsAfter(100)
  // The collector may overlook a few; each job had at least one.
  expect((await signalsAfter(200)) - before).toBeLessThan(50)
})

test('stopping lets a job in progress end', async () => {
  const begun = Promise.withResolvers<void>()
  const end = Promise.withResolvers<void>()
  const { start, enqueue, jobs } = open(async () => {
    begun.resolve()
    await end.promise
  })
  await enqueue()
  const worker = start()
  await begun.promise
  const stopped = worker.stop(60_000)
  end.resolve()
  await stopped
  expect((await jobs()).map(({ state }) => state)).toEqual(['done'])
})

test('stopping returns an unfinished job to the queue, as if it had not run', async () => {
  const begun = Promise.withResolvers<void>()
  const { start, enqueue, jobs } = open(async () => {
    begun.resolve()
    await new Promise(() => {})
  })
  await enqueue()
  const worker = start()
  await begun.promise
  await worker.stop(1)
  expect((await jobs()).map(({ state, attempts }) => [state, attempts])).toEqual([['queued', 0]])
})

test('a recurring job is queued once, and again after each run', async () => {
  const { clock, runner, jobs } = open(async () => {}, { everyMs: 60_000 })
  await runner.prepare()
  await runner.prepare()
  expect(await jobs()).toHaveLength(1)
  expect(await runner.claim(1)).toEqual([])
  clock.advance(60_000)
  for (const job of await runner.claim(1)) await runner.run(job, new AbortController().signal)
  const [done, next] = await jobs()
  expect([done?.state, next?.state]).toEqual(['done', 'queued'])
  expect(next?.runAt).toBe(clock.now() + 60_000)
})
