import { IDEMPOTENCY_TTL_MS } from '../domain/idempotency.ts'
import { type Job, jobRequestId } from '../domain/job.ts'
import { SIGN_IN_SOURCE_KEPT_MS } from '../domain/session.ts'
import type { BackupJobHandlers } from './backup-jobs.ts'
import { failAbandonedBackups } from './backups.ts'
import type { Catalog } from './catalog.ts'
import { abandonUnfinished } from './definition-leases.ts'
import { createDeletionFinishing } from './deletion-finishing.ts'
import { createFileJobs, type FileJobs } from './file-jobs.ts'
import type { JobHandlers } from './job-runner.ts'
import { createMailJobs, type MailJobsDeps } from './mail-jobs.ts'
import type { BlobStore } from './ports/blobs.ts'
import type { EraseProgress } from './ports/events.ts'
import type { FileQuery, Tx, UnitOfWork } from './ports/persistence.ts'
import { createRecordErasure, type RecordErasure } from './record-erasure.ts'
import type { RecordUnits } from './record-units.ts'

interface Deps extends MailJobsDeps {
  readonly catalog: Catalog
  readonly units: RecordUnits
  readonly blobs: BlobStore
  /** Milliseconds for which a used refresh token is kept to detect its reuse. */
  readonly refreshTtlMs: number
  /** Milliseconds for which the log of changes is kept. */
  readonly eventRetentionMs: number
  /** Milliseconds for which the audit log is kept. */
  readonly auditRetentionMs: number
}

const HOUR_MS = 3_600_000
const DONE_KEPT_MS = 24 * HOUR_MS
const DEAD_KEPT_MS = 30 * 24 * HOUR_MS
/** A mail that could not be sent may be retried as long as its job is kept, which renews its token's lifetime. */
const TOKEN_KEPT_MS = DEAD_KEPT_MS + 2 * 24 * HOUR_MS
const MAIL_LIMIT_KEPT_MS = HOUR_MS
const MAX_SLICE_COUNT = 200
const MAX_FINISHING_MS = 60_000
/** For rows that can be as large as a record. */
const MAX_LARGE_SLICE_COUNT = 50

const filesOf = (ownerId: number): FileQuery => ({
  ownerId,
  size: MAX_LARGE_SLICE_COUNT,
  sort: { field: 'created_at', descending: false },
  from: { page: 1, total: false },
})

type Step = (tx: Tx, limit: number) => Promise<number>

/** Each step removes a limited number of rows and returns how many, so that none blocks other writes for long. */
const inSlices = async (unitOfWork: UnitOfWork, steps: readonly Step[], signal: AbortSignal) => {
  for (const step of steps) {
    do signal.throwIfAborted()
    while ((await unitOfWork.write((tx) => step(tx, MAX_SLICE_COUNT))) === MAX_SLICE_COUNT)
  }
}

/** Removes everything whose time is over. */
const createCleanUp =
  ({ unitOfWork, clock, refreshTtlMs, eventRetentionMs, auditRetentionMs }: Deps) =>
  async (_: Job, signal: AbortSignal) => {
    const now = clock.now()
    await abandonUnfinished(unitOfWork, clock, false)
    const steps: readonly Step[] = [
      (tx, limit) => tx.sessions.deleteExpired(now, limit),
      (tx, limit) => tx.refreshTokens.deleteSpent(now - refreshTtlMs, limit),
      (tx, limit) => tx.mailTokens.deleteExpired(now - TOKEN_KEPT_MS, limit),
      (tx, limit) => tx.mailLimits.deleteOld(now - MAIL_LIMIT_KEPT_MS, limit),
      (tx, limit) => tx.signInSources.deleteBefore(now - SIGN_IN_SOURCE_KEPT_MS, limit),
      (tx, limit) => tx.fileLinks.deleteExpired(now, limit),
      (tx, limit) => tx.idempotency.deleteOld(now - IDEMPOTENCY_TTL_MS, limit),
      (tx, limit) => tx.events.deleteBefore(now - eventRetentionMs, limit),
      (tx, limit) => tx.audit.deleteBefore(now - auditRetentionMs, limit),
      (tx, limit) => tx.jobs.deleteEnded('done', now - DONE_KEPT_MS, limit),
      (tx, limit) => tx.jobs.deleteEnded('dead', now - DEAD_KEPT_MS, limit),
      async (tx, limit) => ((await tx.collections.cleanUp(limit)) ? limit : 0),
      (tx, limit) => failAbandonedBackups(tx, now, limit),
    ]
    return inSlices(unitOfWork, steps, signal)
  }

/** Removes what is left of a user after their account was deleted. */
const createForgetUser = (deps: Deps, files: FileJobs) => {
  const { unitOfWork } = deps

  const eraseEvents = async (userId: number, signal: AbortSignal) => {
    // On an engine that assigns positions to events later, all events have one now.
    await unitOfWork.read((tx) => tx.events.last())
    let reached: EraseProgress | null = null
    do {
      signal.throwIfAborted()
      const after: EraseProgress | null = reached
      reached = await unitOfWork.write((tx) => tx.events.eraseOwned(userId, after, MAX_LARGE_SLICE_COUNT))
    } while (reached !== null)
  }

  const eraseAddresses = async (userId: number, signal: AbortSignal) => {
    let reached: number | null = 0
    while (reached !== null) {
      signal.throwIfAborted()
      const after: number = reached
      reached = await unitOfWork.write((tx) => tx.audit.eraseAddresses(userId, after, MAX_SLICE_COUNT))
    }
  }

  /** References to the file must be cleared first. */
  const forgetFiles = async (userId: number, erasure: RecordErasure, signal: AbortSignal) => {
    for (let isLast = false; !isLast; ) {
      const { items } = await unitOfWork.read((tx) => tx.files.list(filesOf(userId)))
      for (const { id } of items) await erasure.forgetReferences({ target: 'files', id }, signal)
      signal.throwIfAborted()
      isLast = (await unitOfWork.write((tx) => files.deleteOwned(tx, userId, MAX_LARGE_SLICE_COUNT))) === 0
    }
  }

  return async (job: Job, signal: AbortSignal) => {
    const { userId } = job.payload as { readonly userId: number }
    await eraseEvents(userId, signal)
    const erasure = createRecordErasure(deps, userId, {
      actorId: userId,
      requestId: jobRequestId(job),
      sessionId: null,
    })
    // Subscribers learn that the records are gone; the events do not contain their content.
    await erasure.forgetOwned(signal)
    await erasure.forgetReferences({ target: 'users', id: userId }, signal)
    await forgetFiles(userId, erasure, signal)
    // Again, because an admin may have changed a record before it was deleted.
    await eraseEvents(userId, signal)
    await eraseAddresses(userId, signal)
    const steps: readonly Step[] = [(tx, limit) => tx.idempotency.deleteOwned(userId, limit)]
    await inSlices(unitOfWork, steps, signal)
    await unitOfWork.write((tx) => tx.usage.delete(userId))
  }
}

/** All but those of backups. */
export const createJobHandlers = (deps: Deps): Omit<JobHandlers, keyof BackupJobHandlers> => {
  const { clock } = deps
  const mail = createMailJobs(deps)
  const files = createFileJobs(deps)
  const finish = createDeletionFinishing(deps)

  /** Continues in another job if it takes long. */
  const finishDeletion: JobHandlers['finish-deletion']['run'] = async (job, signal, onCompletion) => {
    const payload = job.payload as { readonly deletionId: number }
    const until = clock.now() + MAX_FINISHING_MS
    const remaining = await finish(payload.deletionId, { signal, isOver: () => clock.now() > until })
    if (remaining === null) return
    const next = { kind: 'finish-deletion', payload, runAt: remaining.from } as const
    onCompletion((tx) => tx.jobs.enqueue({ ...next, now: clock.now() }))
  }

  return {
    mail: { deadlineMs: 60_000, run: mail.send },
    'password-forgotten': { deadlineMs: 10_000, run: mail.mailResetLink },
    // Works in slices that leave time for other work, so a large account takes a while.
    'forget-user': { deadlineMs: 600_000, run: createForgetUser(deps, files) },
    'finish-deletion': { deadlineMs: 120_000, run: finishDeletion },
    'delete-blob': { deadlineMs: 60_000, run: files.deleteBlob },
    'sweep-blobs': { deadlineMs: 80_000, everyMs: 24 * HOUR_MS, run: files.sweep },
    'clean-up': { deadlineMs: 60_000, everyMs: HOUR_MS, run: createCleanUp(deps) },
  }
}
