import { describe, expect, test } from 'bun:test'
import { parseSchedule } from '../../src/adapters/env/backup-settings.ts'
import { createBackupJobs } from '../../src/application/backup-jobs.ts'
import { startBackup } from '../../src/application/backups.ts'
import { createJobRunner, type JobHandler, type JobHandlers } from '../../src/application/job-runner.ts'
import type { BackupRunner } from '../../src/application/ports/backups.ts'
import type { Store } from '../../src/application/ports/persistence.ts'
import { SERVER_ORIGIN } from '../../src/domain/audit.ts'
import { BACKUP_LEASE_MS } from '../../src/domain/backup.ts'
import { testClock } from '../support/clock.ts'
import { recordingLog } from '../support/skep.ts'

interface Engine {
  readonly name: string
  /** The stores of two processes on one empty database. */
  open(): Promise<readonly [Store, Store]>
}

interface Options {
  readonly schedule?: string
  readonly keptCount?: number
  /** Runs while an archive is written. */
  readonly onWrite?: (signal: AbortSignal) => void | Promise<void>
}

const HOUR_MS = 3_600_000
const NEVER = new AbortController().signal
const nothing: JobHandler = { deadlineMs: 1_000, run: async () => {} }
const FIRST_PAGE = { size: 100, sort: { field: 'created_at', descending: false }, from: { page: 1 } } as const

/** Processes on one database, whose archives are names in a set. */
const prepare = (stores: readonly [Store, Store]) => {
  const clock = testClock()
  const log = recordingLog()
  const archives = new Set<string>()
  const [first] = stores

  /** The jobs of one process. */
  const startProcess = (unitOfWork: Store, { schedule, keptCount, onWrite }: Options) => {
    const runner: BackupRunner = {
      encrypts: false,
      async write(name, signal) {
        archives.add(name)
        await onWrite?.(signal)
        signal.throwIfAborted()
        return { size: 1, sha256: 'ab', detail: null }
      },
      verify: async () => 'Verified',
    }
    const handlers: JobHandlers = {
      mail: nothing,
      'password-forgotten': nothing,
      'forget-user': nothing,
      'finish-deletion': nothing,
      'delete-blob': nothing,
      'sweep-blobs': nothing,
      'clean-up': nothing,
      ...createBackupJobs({
        ...{ unitOfWork, clock, log, runner, keptCount: keptCount ?? null },
        schedule: schedule === undefined ? null : parseSchedule(schedule),
        archives: { delete: async (name) => void archives.delete(name) },
      }),
    }
    return createJobRunner({ unitOfWork, handlers, clock, log, random: () => 0.5 })
  }

  /** Lets the processes do what is due, at the same time, until nothing is. */
  const work = async (runners: readonly ReturnType<typeof startProcess>[], stop = NEVER) => {
    for (let ran = 1; ran > 0; ) {
      const counts = await Promise.all(
        runners.map(async (runner) => {
          await runner.prepare()
          const jobs = await runner.claim(5)
          await Promise.all(jobs.map((job) => runner.run(job, stop)))
          return jobs.length
        }),
      )
      ran = stop.aborted ? 0 : Math.max(...counts)
    }
  }

  const begin = () =>
    first.write((tx) => startBackup(tx, { now: clock.now(), encrypts: false, by: { ...SERVER_ORIGIN, requestId: '' } }))
  const backups = async () => (await first.read((tx) => tx.backups.list(FIRST_PAGE))).items
  return { clock, log, archives, startProcess, work, begin, backups }
}

/** What jobs do about backups, on every engine. */
export const backupJobsContract = ({ name, open }: Engine) => {
  describe(`jobs that make backups on ${name}`, () => {
    test('at each time of the schedule, one of two processes makes one backup', async () => {
      const stores = await open()
      const { clock, startProcess, work, backups, archives } = prepare(stores)
      const processes = stores.map((store) => startProcess(store, { schedule: '0 * * * *' }))
      await work(processes)
      expect(await backups()).toEqual([])
      for (const count of [1, 2, 3]) {
        clock.advance(HOUR_MS)
        await work(processes)
        expect((await backups()).map(({ state }) => state)).toEqual(Array(count).fill('done'))
        expect(archives.size).toBe(count)
      }
    })

    test('the times of a schedule that was replaced pass without a backup', async () => {
      const stores = await open()
      const { clock, startProcess, work, backups } = prepare(stores)
      await work([startProcess(stores[0], { schedule: '0 * * * *' })])
      const replaced = startProcess(stores[0], { schedule: '30 5 * * *' })
      clock.advance(5 * HOUR_MS)
      await work([replaced])
      expect(await backups()).toEqual([])
      clock.advance(HOUR_MS)
      await work([replaced])
      expect(await backups()).toHaveLength(1)
    })

    test('a scheduled backup is left out while another one is running', async () => {
      const stores = await open()
      const { clock, log, startProcess, work, begin, backups } = prepare(stores)
      const process = startProcess(stores[0], {
        schedule: '0 * * * *',
        async onWrite() {
          clock.advance(BACKUP_LEASE_MS - 1_000)
          await process.prepare()
          const scheduled = (await process.claim(5)).filter(({ kind }) => kind === 'scheduled-backup')
          for (const job of scheduled) await process.run(job, NEVER)
          left.push(...scheduled)
        },
      })
      const left: unknown[] = []
      await work([process])
      clock.advance(HOUR_MS - 30_000)
      await begin()
      await work([process])
      expect(left).toHaveLength(1)
      expect(await backups()).toMatchObject([{ state: 'done' }])
      expect(log.entries.map(({ message }) => message)).toContain(
        'a scheduled backup was left out, because one is running',
      )
    })

    test('only the newest backups are kept, and only those that succeeded count', async () => {
      const stores = await open()
      const { clock, startProcess, work, begin, backups, archives } = prepare(stores)
      let fails = false
      const process = startProcess(stores[0], {
        keptCount: 2,
        onWrite() {
          if (fails) throw new Error('no space')
        },
      })
      const made: string[] = []
      for (const failing of [false, false, false, true, false]) {
        fails = failing
        clock.advance(1_000)
        await begin()
        await work([process])
        made.push((await backups()).at(-1)?.name ?? 'none')
      }
      expect([...archives]).toEqual([made[2], made[4]].map(String))
      expect((await backups()).map(({ name, state, detail }) => [name, state, detail])).toEqual([
        [made[2] ?? '', 'done', null],
        [null, 'failed', 'no space'],
        [made[4] ?? '', 'done', null],
      ])
    })

    test('a backup whose lease expired fails, and its archive is removed', async () => {
      const stores = await open()
      const { clock, startProcess, work, begin, backups, archives } = prepare(stores)
      const onWrite = () => clock.advance(BACKUP_LEASE_MS + 1)
      await begin()
      await work([startProcess(stores[0], { onWrite })])
      expect(await backups()).toMatchObject([{ state: 'failed', detail: expect.stringMatching(/^the lease expired/) }])
      expect(archives.size).toBe(0)
    })

    test('a backup that a stop interrupts is begun again', async () => {
      const stores = await open()
      const { startProcess, work, begin, backups, archives } = prepare(stores)
      const stopping = new AbortController()
      const onWrite = () => stopping.abort(new Error('stopping'))
      await begin()
      await work([startProcess(stores[0], { onWrite })], stopping.signal)
      expect(await backups()).toMatchObject([{ state: 'running' }])
      await work([startProcess(stores[1], {})])
      expect(await backups()).toMatchObject([{ state: 'done' }])
      expect(archives.size).toBe(1)
    })
  })
}
