import { ORPHAN_AGE_MS } from '../domain/file.ts'
import type { Job } from '../domain/job.ts'
import type { BlobStore } from './ports/blobs.ts'
import type { Tx, UnitOfWork } from './ports/persistence.ts'
import type { Clock } from './ports/system.ts'

interface Deps {
  readonly unitOfWork: UnitOfWork
  readonly blobs: BlobStore
  readonly clock: Clock
}

/** Keeps files and their bytes consistent when a user is removed or the process crashes. */
export interface FileJobs {
  /** Removes up to `limit` files of an owner and returns how many; separate jobs delete their bytes. */
  deleteOwned(tx: Tx, ownerId: number, limit: number): Promise<number>
  deleteBlob(job: Job): Promise<void>
  /** Removes bytes that no file refers to and that are too old to belong to an upload in progress. */
  sweep(job: Job, signal: AbortSignal): Promise<void>
}

export const createFileJobs = ({ unitOfWork, blobs, clock }: Deps): FileJobs => ({
  async deleteOwned(tx, ownerId, limit) {
    const removed = await tx.files.deleteOwned(ownerId, limit)
    const now = clock.now()
    for (const { blobKey } of removed) {
      await tx.jobs.enqueue({ kind: 'delete-blob', payload: { key: blobKey }, now })
    }
    return removed.length
  },

  async deleteBlob(job) {
    const { key } = job.payload as { readonly key: string }
    await blobs.delete(key)
  },

  async sweep(_, signal) {
    const newest = clock.now() - ORPHAN_AGE_MS
    for await (const { key, modifiedAt } of blobs.list()) {
      signal.throwIfAborted()
      if (modifiedAt > newest) continue
      if (!(await unitOfWork.read((tx) => tx.files.refersTo(key)))) await blobs.delete(key)
    }
  },
})
