import { openSha256 } from '../../src/adapters/bun/sha256.ts'
import { parseSchedule } from '../../src/adapters/env/backup-settings.ts'
import { createFsArchives } from '../../src/adapters/fs/archives.ts'
import { createBackupJobs } from '../../src/application/backup-jobs.ts'
import { backUpNow } from '../../src/application/backup-now.ts'
import { startBackup } from '../../src/application/backups.ts'
import { createFileJobs } from '../../src/application/file-jobs.ts'
import { createJobRunner, type JobHandler } from '../../src/application/job-runner.ts'
import type { BackupRunner, WrittenArchive } from '../../src/application/ports/backups.ts'
import type { Store } from '../../src/application/ports/persistence.ts'
import { SERVER_ORIGIN } from '../../src/domain/audit.ts'
import { openTestBlobs, streamOf } from './archives.ts'
import { testClock } from './clock.ts'
import { recordingLog, temporaryFolder } from './skep.ts'

const nothing: JobHandler = { deadlineMs: 1_000, run: async () => {} }

export interface BackupProcesses {
  readonly one: Store
  readonly other: Store
}

interface Options {
  readonly schedule?: string
  readonly keptCount?: number
}

/** Two processes on one database, which keep archives and files in the same folders. The clock begins at midnight. */
export const createBackupProcesses = ({ one, other }: BackupProcesses, { schedule, keptCount }: Options = {}) => {
  const clock = testClock()
  const archives = createFsArchives(temporaryFolder())
  const blobs = openTestBlobs()
  const writeSound = (name: string) => archives.write(name, streamOf(new Uint8Array(10)))
  let writing: (name: string) => Promise<WrittenArchive> = writeSound
  const backupRunner: BackupRunner = {
    encrypts: false,
    write: async (name) => ({ ...(await writing(name)), detail: null }),
    verify: async () => 'Verified',
  }

  const processOn = (unitOfWork: Store) => {
    const log = recordingLog()
    const backups = createBackupJobs({
      unitOfWork,
      clock,
      log,
      archives,
      runner: backupRunner,
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
  /** Queues a backup, whose archive each attempt writes by `write`. */
  const begin = async (write: typeof writing) => {
    writing = write
    await one.write((tx) => startBackup(tx, { now: clock.now(), encrypts: false, by: SERVER_ORIGIN }))
  }
  return {
    clock,
    archives,
    blobs,
    processes,
    work,
    writeSound,
    prepare: () => Promise.all(processes.map((process) => process.prepare())),
    begin,
    /** Makes a backup in the first process that is free. */
    async backUp(write = writeSound) {
      await begin(write)
      await work()
    },
    /** Makes a backup as the command line does, beside these processes; `elsewhere` is the name of another archive. */
    async backUpNow(write: typeof writing, elsewhere?: string) {
      writing = write
      const deps = { unitOfWork: one, clock, runner: backupRunner, archives, openSha256 }
      return backUpNow(deps, elsewhere === undefined ? null : { name: elsewhere }, new AbortController().signal)
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
