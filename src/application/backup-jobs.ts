import { SERVER_ORIGIN } from '../domain/audit.ts'
import { archiveNameOf, BACKUP_LEASE_MS, type Backup } from '../domain/backup.ts'
import { type Job, jobRequestId } from '../domain/job.ts'
import type { Instant } from '../domain/user.ts'
import { startBackup } from './backups.ts'
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

const reasonOf = (error: unknown): string =>
  (error instanceof Error ? error.message : String(error)).slice(0, MAX_DETAIL_CHARACTERS).replaceAll('\0', '\ufffd')

/** The lease was lost, so bytes of files may have been removed. */
class LeaseLost extends Error {}

type BackupDeps = Pick<BackupJobsDeps, 'unitOfWork' | 'clock' | 'runner'>

/** Renews the lease of a backup until disposed, and aborts the signal if it was lost. */
const keepLease = ({ unitOfWork, clock }: BackupDeps, id: number, begun: Instant, signal: AbortSignal) => {
  const ending = new AbortController()
  const stop = () => ending.abort(signal.reason)
  signal.addEventListener('abort', stop, { once: true })
  if (signal.aborted) stop()
  // A renewal that failed may have been committed.
  let asked = begun
  /** Throws if the lease was lost. */
  const renew = async (): Promise<void> => {
    const now = clock.now()
    const lease = { now, latest: asked, leaseUntil: now + BACKUP_LEASE_MS }
    asked = lease.leaseUntil
    if (!(await unitOfWork.write((tx) => tx.backups.renew(id, lease)))) {
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

/** Begins the lease of a running backup, before its snapshot, and returns its end. Null if the backup has ended. */
const beginLease = ({ unitOfWork, clock }: BackupDeps, id: number): Promise<Instant | null> =>
  unitOfWork.write(async (tx) => {
    const backup = await tx.backups.findById(id)
    if (backup === null || backup.state !== 'running') return null
    const leaseUntil = clock.now() + BACKUP_LEASE_MS
    await tx.backups.update({ ...backup, leaseUntil })
    return leaseUntil
  })

/** Writes the archive of a running backup under its lease. Null if it has ended. */
export const writeArchive = async (
  deps: BackupDeps,
  backup: Backup,
  name: string,
  signal: AbortSignal,
): Promise<(WrittenArchive & { readonly detail: string | null }) | null> => {
  const begun = await beginLease(deps, backup.id)
  if (begun === null) return null
  using lease = keepLease(deps, backup.id, begun, signal)
  const written = await deps.runner.write(name, lease.signal)
  await lease.renew()
  return written
}

/** Removes all but the newest backups, with their archives. */
const prune = async (tx: Tx, keptCount: number | null, now: number): Promise<void> => {
  if (keptCount === null) return
  for (const { id, name } of await tx.backups.beyondNewest(keptCount, MAX_PRUNED_COUNT)) {
    await tx.backups.delete(id)
    if (name !== null) await tx.jobs.enqueue({ kind: 'delete-archive', payload: { name }, now })
  }
}

export type BackupJobHandlers = Readonly<
  Record<'backup' | 'verify-backup' | 'delete-archive' | 'scheduled-backup', JobHandler>
>

const idOf = (job: Job): number => (job.payload as { readonly backupId: number }).backupId

export const createBackupJobs = (deps: BackupJobsDeps): BackupJobHandlers => {
  const { unitOfWork, clock, log, runner, archives, schedule, keptCount } = deps

  /** Records the name of the archive of this attempt, so that the next one can remove what is left of it. */
  const begin = (id: number, name: string) =>
    unitOfWork.write(async (tx) => {
      const backup = await tx.backups.findById(id)
      if (backup?.state === 'running') await tx.backups.update({ ...backup, name })
    })

  /** Ends a backup, unless another process has ended it, or has its lease now. */
  const end = (id: number, result: Partial<Backup>, isLost = false) =>
    unitOfWork.write(async (tx) => {
      const backup = await tx.backups.findById(id)
      const now = clock.now()
      if (backup === null || backup.state !== 'running' || (isLost && backup.leaseUntil > now)) return
      await tx.backups.update({ ...backup, ...result, finishedAt: now, leaseUntil: now })
      await prune(tx, keptCount, now)
    })

  const write = async (job: Job, signal: AbortSignal): Promise<void> => {
    const backup = await unitOfWork.read((tx) => tx.backups.findById(idOf(job)))
    if (backup === null || backup.state !== 'running') return
    // Each attempt has a name of its own, because another process may have taken this one's place.
    const name = archiveNameOf(backup.id, clock.now(), backup.encrypted)
    await begin(backup.id, name)
    // What a process left that was killed.
    if (backup.name !== null) await archives.delete(backup.name).catch(() => {})
    try {
      const written = await writeArchive(deps, backup, name, signal)
      if (written !== null) await end(backup.id, { state: 'done', name, ...written })
    } catch (error) {
      // The server is stopping: the job begins again at the next start.
      if (signal.aborted) throw error
      log.error('the backup failed', { backup_id: backup.id, error })
      await archives.delete(name).catch(() => {})
      await end(backup.id, { state: 'failed', name: null, detail: reasonOf(error) }, error instanceof LeaseLost)
    }
  }

  const verify = async (job: Job, signal: AbortSignal): Promise<void> => {
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

  const nextScheduled = (now: number): NewJob | null => {
    const runAt = schedule?.next(now) ?? null
    if (schedule === null || runAt === null) return null
    const { text } = schedule
    return { kind: 'scheduled-backup', payload: { schedule: text }, now, runAt, key: `scheduled-backup ${text}` }
  }

  return {
    backup: { deadlineMs: 24 * HOUR_MS, run: write },
    'verify-backup': { deadlineMs: 24 * HOUR_MS, run: verify },
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
