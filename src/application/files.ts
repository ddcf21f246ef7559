import { notFound } from '../domain/errors.ts'
import type { StoredFile } from '../domain/file.ts'
import type { Page } from '../domain/page.ts'
import type { Principal } from '../domain/session.ts'
import { requireActiveActor, requireOwnOrAdmin } from './access.ts'
import type { BlobBytes } from './ports/blobs.ts'
import type { FileQuery, ReadTx } from './ports/persistence.ts'
import { createUploads, type ReceivedFile, type Upload, type UploadDeps } from './uploads.ts'

/** Only the owner and admins can see a file; for all others it does not exist (`not_found`). */
export interface Files {
  /**
   * Stores the bytes, which belong to the result until it is kept or disposed of. The type is detected only from the
   * bytes. Throws `invalid_file_type`, `storage_full`, `storage_reserved`, `quota_exceeded` as soon as the upload
   * exceeds the actor's remaining quota, and errors of the content; in that case nothing remains stored.
   */
  receive(actor: Principal, upload: Upload): Promise<ReceivedFile>
  /** The actor's own files; an admin may list another user's (`ownerId`) or all (null). Throws `forbidden`. */
  list(actor: Principal, query: FileQuery): Promise<Page<StoredFile>>
  get(actor: Principal, id: number): Promise<StoredFile>
  /** Its links end at once; its bytes are deleted soon after. */
  remove(actor: Principal, id: number): Promise<void>
  /**
   * The bytes of a visible file from `first` up to, but not including, `end`. Throws `not_found` if they were removed
   * meanwhile, `unavailable` if they cannot be read now.
   */
  read(file: StoredFile, first: number, end: number): Promise<BlobBytes>
}

/** The file, if the actor may see it. Throws `not_found`. */
export const visibleFile = async (tx: ReadTx, actor: Principal, id: number): Promise<StoredFile> => {
  const file = await tx.files.findById(id)
  if (file === null || (file.ownerId !== actor.userId && actor.role !== 'admin')) throw notFound('File')
  return file
}

export const createFiles = (deps: UploadDeps): Files => {
  const { unitOfWork, blobs, clock } = deps
  return {
    receive: createUploads(deps),

    async list(actor, query) {
      requireOwnOrAdmin(actor, query.ownerId)
      return unitOfWork.read((tx) => tx.files.list(query))
    },

    get: (actor, id) => unitOfWork.read((tx) => visibleFile(tx, actor, id)),

    async remove(actor, id) {
      await unitOfWork.write(async (tx) => {
        const now = clock.now()
        const { blobKey } = await visibleFile(tx, await requireActiveActor(tx, actor, now), id)
        await tx.files.delete(id)
        await tx.jobs.enqueue({ kind: 'delete-blob', payload: { key: blobKey }, now })
      })
    },

    async read({ blobKey }, first, end) {
      const bytes = await blobs.read(blobKey, first, end)
      if (bytes === null) throw notFound('File')
      return bytes
    },
  }
}
