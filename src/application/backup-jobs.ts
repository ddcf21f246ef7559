import { SERVER_ORIGIN } from '../domain/audit.ts'
import { archiveNameOf, BACKUP_LEASE_MS, type Backup } from '../domain/backup.ts'
import { type Job, jobRequestId } from '../domain/job.ts'
import type { Instant } from '../domain/user.ts'
import { discardArchive, startBackup } from './backups.ts'
import type { JobHandler } from './job-runner.ts'
import type { Archives, BackupRunner, NextTime, WrittenArchive } from './ports/backups.ts'
import type { NewJob, Tx, UnitOfWork } from './ports/persistence.ts'
import type { Clock, Log } from './ports/system.ts'

export interface BackupJobsDeps {
  readonly unitOfWork: UnitOfWork
  readonly clock: Clock
  readonly log: Log
  readonly runner: BackupRunner
  readonly archives: Pick<Archives, 'delete'>
  /** When backups are made without being asked for; null for never. */
  readonly schedule: { readonly text: string; readonly next: NextTime } | null
  /** How many backups are kept; null for all. */
  readonly keptCount: number | null
}

const HOUR_MS = 3_600_000
const MAX_PRUNED_COUNT = 50
const MAX_DETAIL_CHARACTERS = 1_000

export const reasonOf = (error: unknown): string =>
  (error instanceof Error ? error.message : String(error)).slice(0, MAX_DETAIL_CHARACTERS).replaceAll('\0', '\ufffd')

/** The lease was lost, so bytes of files may have been removed. */
class LeaseLost extends Error {}

export type BackupDeps = Pick<BackupJobsDeps, 'unitOfWork' | 'clock' | 'runner'>

/** One attempt to write a backup. */
export interface Attempt {
  /** Of the backup. */
  readonly id: number
  /** Of the archive. */
  readonly name: string
  /** Whether the archive is kept in the archive store, and so is that of the backup. */
  readonly isKept: boolean
}

/** The name that the backup has while the attempt has its lease. */
const recordedName = ({ name, isKept }: Attempt): string | null => (isKept ? name : null)

/** Renews the lease of a backup until disposed, and aborts the signal if it was lost. */
const keepLease = ({ unitOfWork, clock }: BackupDeps, attempt: Attempt, signal: AbortSignal) => {
  const ending = new AbortController()
  const stop = () => ending.abort(signal.reason)
  signal.addEventListener('abort', stop, { once: true })
  if (signal.aborted) stop()
  /** Throws if the lease was lost. */
  const renew = async (): Promise<void> => {
    const now = clock.now()
    const lease = { name: recordedName(attempt), now, leaseUntil: now + BACKUP_LEASE_MS }
    if (!(await unitOfWork.write((tx) => tx.backups.renew(attempt.id, lease)))) {
      throw new LeaseLost('the lease expired, and files may have been removed meanwhile')
    }
  }
  // If one renewal fails, the next one may still be in time.
  const renewOrAbort = () => renew().catch((error) => error instanceof LeaseLost && ending.abort(error))
  const timer = setInterval(() => void renewOrAbort(), BACKUP_LEASE_MS / 6)
  return {
    signal: ending.signal,
    renew,
    [Symbol.dispose]() {
      clearInterval(timer)
      signal.removeEventListener('abort', stop)
    },
  }
}

/** Begins the lease of an attempt, before its snapshot, and ends that of an earlier one. False if the backup has ended. */
export const beginAttempt = ({ unitOfWork, clock }: BackupDeps, attempt: Attempt): Promise<boolean> =>
  unitOfWork.write(async (tx) => {
    const backup = await tx.backups.findById(attempt.id)
    if (backup === null || backup.state !== 'running') return false
    const name = recordedName(attempt)
    const now = clock.now()
    // What a killed process left of an earlier attempt.
    if (backup.name !== null) await discardArchive(tx, backup.name, now)
    await tx.backups.update({ ...backup, name, leaseUntil: now + BACKUP_LEASE_MS })
    return true
  })

/** Writes the archive of an attempt that has begun, and keeps its lease. */
export const writeArchive = async (
  deps: BackupDeps,
  attempt: Attempt,
  signal: AbortSignal,
): Promise<WrittenArchive & { readonly detail: string | null }> => {
  using lease = keepLease(deps, attempt, signal)
  const written = await deps.runner.write(attempt.name, lease.signal)
  await lease.renew()
  return written
}

/** Removes all but the newest backups, with their archives. */
const prune = async (tx: Tx, keptCount: number | null, now: number): Promise<void> => {
  if (keptCount === null) return
  for (const { id, name } of await tx.backups.beyondNewest(keptCount, MAX_PRUNED_COUNT)) {
    await tx.backups.delete(id)
    if (name !== null) await discardArchive(tx, name, now)
  }
}

export type BackupJobHandlers = Readonly<
  Record<'backup' | 'verify-backup' | 'delete-archive' | 'scheduled-backup', JobHandler>
>

const SECOND_MS = 1_000

/** The name of the archive of a new attempt; earlier ones have others, because their processes may still be writing. */
const newNameOf = ({ id, name, encrypted }: Backup, now: Instant): string => {
  const given = archiveNameOf(id, now, encrypted)
  return given === name ? archiveNameOf(id, now + SECOND_MS, encrypted) : given
}

const idOf = (job: Job): number => (job.payload as { readonly backupId: number }).backupId

/** Reads an archive and records whether it is sound. */
const verify = async (
  { unitOfWork, clock, log, runner }: BackupJobsDeps,
  job: Job,
  signal: AbortSignal,
): Promise<void> => {
  const backup = await unitOfWork.read((tx) => tx.backups.findById(idOf(job)))
  if (backup === null || backup.name === null) return
  let result: Partial<Backup>
  try {
    const detail = await runner.verify(backup.name, signal)
    result = { detail, verifiedAt: clock.now() }
  } catch (error) {
    if (signal.aborted) throw error
    log.error('a backup is not sound', { backup_id: backup.id, error })
    result = { detail: `Not verified: the archive ${reasonOf(error)}`.slice(0, MAX_DETAIL_CHARACTERS) }
  }
  await unitOfWork.write(async (tx) => {
    const current = await tx.backups.findById(backup.id)
    if (current !== null) await tx.backups.update({ ...current, ...result })
  })
}

export const createBackupJobs = (deps: BackupJobsDeps): BackupJobHandlers => {
  const { unitOfWork, clock, log, runner, archives, schedule, keptCount } = deps

  /**
   * Ends a backup with the result of an attempt, unless another process has begun one meanwhile, or the backup was removed.
   * The archive is removed unless it is that of a backup that is done.
   */
  const end = ({ id, name }: Attempt, result: Pick<Backup, 'state'> & Partial<Backup>) =>
    unitOfWork.write(async (tx) => {
      const backup = await tx.backups.findById(id)
      const now = clock.now()
      const isCurrent = backup?.name === name
      // It was recorded, but the answer was lost.
      if (isCurrent && backup.state === 'done') return
      if (!isCurrent || result.state !== 'done') await discardArchive(tx, name, now)
      if (!isCurrent) return
      await tx.backups.update({ ...backup, ...result, finishedAt: now, leaseUntil: now })
      await prune(tx, keptCount, now)
    })

  const write = async (job: Job, signal: AbortSignal): Promise<void> => {
    const backup = await unitOfWork.read((tx) => tx.backups.findById(idOf(job)))
    if (backup === null || backup.state !== 'running') return
    const attempt = { id: backup.id, name: newNameOf(backup, clock.now()), isKept: true }
    if (!(await beginAttempt(deps, attempt))) return
    try {
      const written = await writeArchive(deps, attempt, signal)
      await end(attempt, { state: 'done', ...written })
    } catch (error) {
      // The server is stopping: the job begins again at the next start.
      if (signal.aborted) throw error
      log.error('the backup failed', { backup_id: backup.id, error })
      await end(attempt, { state: 'failed', name: null, detail: reasonOf(error) })
    }
  }

  const nextScheduled = (now: number): NewJob | null => {
    const runAt = schedule?.next(now) ?? null
    if (schedule === null || runAt === null) return null
    const { text } = schedule
    return { kind: 'scheduled-backup', payload: { schedule: text }, now, runAt, key: `scheduled-backup ${text}` }
  }

  return {
    backup: { deadlineMs: 24 * HOUR_MS, run: write },
    'verify-backup': { deadlineMs: 24 * HOUR_MS, run: (job, signal) => verify(deps, job, signal) },
    'delete-archive': {
      deadlineMs: 60_000,
      run: (job) => archives.delete((job.payload as { readonly name: string }).name),
    },
    'scheduled-backup': {
      deadlineMs: 10_000,
      next: nextScheduled,
      async run(job, _, onCompletion) {
        // Otherwise it is of an earlier schedule.
        if ((job.payload as { readonly schedule: string }).schedule !== schedule?.text) return
        const by = { ...SERVER_ORIGIN, requestId: jobRequestId(job) }
        onCompletion(async (tx) => {
          const backup = await startBackup(tx, { now: clock.now(), encrypts: runner.encrypts, by })
          if (backup === null) log.warn('a scheduled backup was left out, because one is running')
        })
      },
    },
  }
}
