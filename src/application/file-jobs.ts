import { fileErasedEvent } from '../domain/event.ts'
import { ORPHAN_AGE_MS } from '../domain/file.ts'
import type { Job } from '../domain/job.ts'
import type { CompletionWrite } from './job-runner.ts'
import type { BlobStore } from './ports/blobs.ts'
import type { Tx, UnitOfWork } from './ports/persistence.ts'
import type { Clock } from './ports/system.ts'

interface Deps {
  readonly unitOfWork: UnitOfWork
  readonly blobs: BlobStore
  readonly clock: Clock
}

/** How long the removal of bytes waits while a backup runs, before it checks again. */
const BACKUP_WAIT_MS = 30_000

/** Keeps files and their bytes consistent when a user is removed or the process crashes. */
export interface FileJobs {
  /** Removes up to `limit` files of an owner and returns how many; separate jobs delete their bytes. */
  deleteOwned(tx: Tx, ownerId: number, limit: number): Promise<number>
  /** Waits, by another job, while a backup runs, because the archive may still need them. */
  deleteBlob(job: Job, signal: AbortSignal, onCompletion: (write: CompletionWrite) => void): Promise<void>
  /** Removes bytes that no file refers to and that are too old to belong to an upload in progress. */
  sweep(job: Job, signal: AbortSignal): Promise<void>
}

export const createFileJobs = ({ unitOfWork, blobs, clock }: Deps): FileJobs => ({
  async deleteOwned(tx, ownerId, limit) {
    const removed = await tx.files.deleteOwned(ownerId, limit)
    const now = clock.now()
    for (const file of removed) {
      await tx.jobs.enqueue({ kind: 'delete-blob', payload: { key: file.blobKey }, now })
      await tx.events.append(fileErasedEvent(file, now))
    }
    return removed.length
  },

  async deleteBlob(job, _, onCompletion) {
    const payload = job.payload as { readonly key: string }
    const now = clock.now()
    if (!(await unitOfWork.read((tx) => tx.backups.isRunning(now)))) return blobs.delete(payload.key)
    onCompletion((tx) => tx.jobs.enqueue({ kind: 'delete-blob', payload, now, runAt: now + BACKUP_WAIT_MS }))
  },

  async sweep(_, signal) {
    const newest = clock.now() - ORPHAN_AGE_MS
    for await (const { key, modifiedAt } of blobs.list()) {
      signal.throwIfAborted()
      if (modifiedAt > newest) continue
      // In this order: a backup that begins later does not have a file that is gone now.
      const isUsed = await unitOfWork.read(
        async (tx) => (await tx.files.refersTo(key)) || (await tx.backups.isRunning(clock.now())),
      )
      if (!isUsed) await blobs.delete(key)
    }
  },
})
