import { describe, expect, test } from 'bun:test'
import { parseSchedule } from '../../src/adapters/env/backup-settings.ts'
import { createFsArchives } from '../../src/adapters/fs/archives.ts'
import { createBackupJobs } from '../../src/application/backup-jobs.ts'
import { startBackup } from '../../src/application/backups.ts'
import { createFileJobs } from '../../src/application/file-jobs.ts'
import { createJobRunner, type JobHandler } from '../../src/application/job-runner.ts'
import type { WrittenArchive } from '../../src/application/ports/backups.ts'
import type { Store } from '../../src/application/ports/persistence.ts'
import { SERVER_ORIGIN } from '../../src/domain/audit.ts'
import { BACKUP_LEASE_MS } from '../../src/domain/backup.ts'
import { openTestBlobs, streamOf } from '../support/archives.ts'
import { testClock } from '../support/clock.ts'
import { recordingLog, temporaryFolder } from '../support/skep.ts'

const HOUR_MS = 3_600_000
const DAY_MS = 24 * HOUR_MS
const NIGHTLY = '0 3 * * *'

const nothing: JobHandler = { deadlineMs: 1_000, run: async () => {} }

interface Options {
  readonly schedule?: string
  readonly keptCount?: number
}

/** Two processes on one database, which keep archives and files in the same folders. The clock begins at midnight. */
const createProcesses = ({ one, other }: Processes, { schedule, keptCount }: Options = {}) => {
  const clock = testClock()
  const archives = createFsArchives(temporaryFolder())
  const blobs = openTestBlobs()
  const writeSound = (name: string) => archives.write(name, streamOf(new Uint8Array(10)))
  let writing: (name: string) => Promise<WrittenArchive> = writeSound

  const processOn = (unitOfWork: Store) => {
    const log = recordingLog()
    const backups = createBackupJobs({
      unitOfWork,
      clock,
      log,
      archives,
      runner: {
        encrypts: false,
        write: async (name) => ({ ...(await writing(name)), detail: null }),
        verify: async () => 'Verified',
      },
      schedule: schedule === undefined ? null : parseSchedule(schedule),
      keptCount: keptCount ?? null,
    })
    const { deleteBlob } = createFileJobs({ unitOfWork, blobs, clock })
    const handlers = {
      mail: nothing,
      'password-forgotten': nothing,
      'forget-user': nothing,
      'finish-deletion': nothing,
      'sweep-blobs': nothing,
      'clean-up': nothing,
      'delete-blob': { deadlineMs: 1_000, run: deleteBlob },
      ...backups,
    }
    const runner = createJobRunner({ unitOfWork, handlers, clock, log, random: () => 0.5 })
    return {
      prepare: runner.prepare,
      /** Works until nothing is due. */
      async work() {
        for (let jobs = await runner.claim(1); jobs.length > 0; jobs = await runner.claim(1)) {
          for (const job of jobs) await runner.run(job, new AbortController().signal)
        }
      },
    }
  }

  const processes = [processOn(one), processOn(other)] as const
  const work = () => Promise.all(processes.map((process) => process.work()))
  return {
    clock,
    archives,
    blobs,
    processes,
    work,
    writeSound,
    prepare: () => Promise.all(processes.map((process) => process.prepare())),
    /** Makes a backup in the first process that is free. */
    async backUp(write = writeSound) {
      writing = write
      await one.write((tx) => startBackup(tx, { now: clock.now(), encrypts: false, by: SERVER_ORIGIN }))
      await work()
    },
    /** Has the job queued that removes the bytes of a deleted file. */
    async deleteFile() {
      const { key } = await blobs.write(streamOf(new Uint8Array(5)))
      await one.write((tx) => tx.jobs.enqueue({ kind: 'delete-blob', payload: { key }, now: clock.now() }))
      return key
    },
    /** The newest first. */
    async backups() {
      const sort = { field: 'created_at', descending: true } as const
      return (await other.read((tx) => tx.backups.list({ size: 100, sort, from: { page: 1 } }))).items
    },
  }
}

interface Processes {
  readonly one: Store
  readonly other: Store
}

/** What every engine promises of the jobs that make and remove backups. */
export const backupJobsContract = (name: string, open: () => Promise<Processes>) => {
  describe(`jobs of backups on ${name}`, () => {
    test('make one backup at each time of the schedule, however many processes serve the database', async () => {
      const { clock, prepare, work, backups } = createProcesses(await open(), { schedule: NIGHTLY })
      await prepare()
      clock.advance(3 * HOUR_MS - 1)
      await work()
      expect(await backups()).toEqual([])
      for (const count of [1, 2, 3]) {
        clock.advance(count === 1 ? 1 : DAY_MS)
        await prepare()
        await work()
        const made = await backups()
        expect(made.map(({ state }) => state)).toEqual(Array(count).fill('done'))
        expect(made[0]?.createdAt).toBe(clock.now())
      }
    })

    test('make one backup for all the times that were missed', async () => {
      const { clock, prepare, work, backups } = createProcesses(await open(), { schedule: NIGHTLY })
      await prepare()
      clock.advance(5 * DAY_MS)
      await prepare()
      await work()
      expect(await backups()).toHaveLength(1)
    })

    test('keep the newest BACKUP_KEEP archives, among which no failed backup counts', async () => {
      const { clock, backUp, backups, archives } = createProcesses(await open(), { keptCount: 2 })
      const failing = async () => {
        throw new Error('the disk is full')
      }
      for (const write of [undefined, undefined, failing, undefined, failing]) {
        clock.advance(DAY_MS)
        await backUp(write)
      }
      const kept = await backups()
      expect(kept.map(({ id, state }) => [id, state])).toEqual([
        [5, 'failed'],
        [4, 'done'],
        [3, 'failed'],
        [2, 'done'],
      ])
      expect(kept[0]?.detail).toBe('the disk is full')
      const sizes = await Promise.all(kept.map(({ name }) => (name === null ? null : archives.size(name))))
      expect(sizes).toEqual([null, 10, null, 10])
      expect(await archives.size('skep-20300102T000000Z-1.tar.zst')).toBeNull()
    })

    test('keep the bytes of a deleted file until the backup has ended', async () => {
      const { clock, blobs, processes, work, backUp, writeSound, deleteFile } = createProcesses(await open())
      const key = await deleteFile()
      const sizes: (number | null)[] = []
      await backUp(async (archive) => {
        await processes[1].work()
        sizes.push(await blobs.size(key))
        return writeSound(archive)
      })
      expect(sizes).toEqual([5])
      clock.advance(HOUR_MS)
      await work()
      expect(await blobs.size(key)).toBeNull()
    })

    test('remove the bytes when the lease of a backup has expired, and then that attempt of the backup fails', async () => {
      const { clock, archives, blobs, processes, backUp, writeSound, deleteFile, backups } = createProcesses(
        await open(),
      )
      const attempts: string[] = []
      const sizes: (number | null)[] = []
      await backUp(async (archive) => {
        attempts.push(archive)
        if (attempts.length > 1) return writeSound(archive)
        clock.advance(BACKUP_LEASE_MS)
        const key = await deleteFile()
        // The other process removes the bytes, and takes over the backup.
        await processes[1].work()
        sizes.push(await blobs.size(key))
        return writeSound(archive)
      })
      expect(sizes).toEqual([null])
      const [first = '', second = ''] = attempts
      expect(await backups()).toMatchObject([{ state: 'done', name: second, size: 10 }])
      expect(await archives.size(first)).toBeNull()
      expect(await archives.size(second)).toBe(10)
    })

    test('remove what a killed process left of a backup, and make it anew', async () => {
      const processes = await open()
      const { archives, work, writeSound, backups } = createProcesses(processes)
      const left = 'skep-20291231T235900Z-1.tar.zst'
      await writeSound(left)
      const sort = { field: 'created_at', descending: true } as const
      await processes.one.write(async (tx) => {
        await startBackup(tx, { now: Date.UTC(2030, 0, 1), encrypts: false, by: SERVER_ORIGIN })
        const [begun] = (await tx.backups.list({ size: 1, sort, from: { page: 1 } })).items
        if (begun !== undefined) await tx.backups.update({ ...begun, name: left })
      })
      await work()
      const [made] = await backups()
      expect(made).toMatchObject({ state: 'done', size: 10 })
      expect(await archives.size(left)).toBeNull()
      expect(await archives.size(made?.name ?? '')).toBe(10)
    })

    test('do not take the lease of another process for their own', async () => {
      const { clock, processes, backUp, writeSound, backups, archives } = createProcesses(await open())
      const attempts: string[] = []
      const other = Promise.withResolvers<void>()
      const taken = Promise.withResolvers<void>()
      let second: Promise<void> | null = null
      await backUp(async (archive) => {
        attempts.push(archive)
        if (attempts.length > 1) {
          taken.resolve()
          await other.promise
          return writeSound(archive)
        }
        clock.advance(BACKUP_LEASE_MS)
        second = processes[1].work()
        await taken.promise
        setImmediate(other.resolve)
        return writeSound(archive)
      })
      await second
      expect(await backups()).toMatchObject([{ state: 'done', name: attempts[1] }])
      expect(await archives.size(String(attempts[0]))).toBeNull()
    })
  })
}
