import { notFound } from '../domain/errors.ts'
import { fileDeletedEvent } from '../domain/event.ts'
import type { StoredFile } from '../domain/file.ts'
import type { Page } from '../domain/page.ts'
import type { Caller, Principal } from '../domain/session.ts'
import { requireOwnOrAdmin } from './access.ts'
import { audit } from './audit.ts'
import type { Catalog } from './catalog.ts'
import { isReadableFile } from './file-access.ts'
import { createLargeDeletions } from './large-deletions.ts'
import type { BlobBytes } from './ports/blobs.ts'
import type { FileQuery, ReadTx } from './ports/persistence.ts'
import { type Authorization, createAuthorization, refuse } from './record-access.ts'
import { type Change, storeChanges } from './record-changes.ts'
import { followReferences, LargeDeletion } from './record-deletions.ts'
import type { RecordUnits } from './record-units.ts'
import { createUploads, type ReceivedFile, type Upload, type UploadDeps } from './uploads.ts'

/**
 * The owner and admins can see and change a file; those who may read a record that references it can see it. For all
 * others it does not exist (`not_found`).
 */
export interface Files {
  /**
   * Stores the bytes, which belong to the result until it is kept or disposed of. The type is detected only from the
   * bytes. Throws `invalid_file_type`, `storage_full`, `storage_reserved`, `quota_exceeded` as soon as the upload
   * exceeds the actor's remaining quota, and errors of the content; in that case nothing remains stored.
   */
  receive(actor: Caller, upload: Upload): Promise<ReceivedFile>
  /** The actor's own files; an admin may list another user's (`ownerId`) or all (null). Throws `forbidden`. */
  list(actor: Principal, query: FileQuery): Promise<Page<StoredFile>>
  get(actor: Principal, id: number): Promise<StoredFile>
  /**
   * Its links end at once; its bytes are deleted soon after. The collections of records that reference it decide what
   * happens to these. Throws `forbidden`, and `referenced` if one of them does not allow it.
   */
  remove(actor: Caller, id: number): Promise<void>
  /**
   * The bytes of a visible file from `first` up to, but not including, `end`. Throws `not_found` if they were removed
   * meanwhile, `unavailable` if they cannot be read now.
   */
  read(file: StoredFile, first: number, end: number): Promise<BlobBytes>
}

/** The file, if the actor may change it and give links to it. Throws `not_found`. */
export const visibleFile = async (tx: ReadTx, actor: Principal, id: number): Promise<StoredFile> => {
  const file = await tx.files.findById(id)
  if (file === null || (file.ownerId !== actor.userId && actor.role !== 'admin')) throw notFound('File')
  return file
}

interface Deps extends UploadDeps {
  readonly catalog: Catalog
  readonly units: RecordUnits
}

export const createFiles = (deps: Deps): Files => {
  const { unitOfWork, blobs, clock, catalog, units } = deps
  const deleteLarge = createLargeDeletions(deps)

  const readableFile = async (authorization: Authorization, id: number): Promise<StoredFile> => {
    const file = await authorization.tx.files.findById(id)
    if (file === null || !(await isReadableFile(authorization, catalog, file))) throw notFound('File')
    return file
  }

  const erasableFile = async (authorization: Authorization, id: number): Promise<StoredFile> => {
    const file = await readableFile(authorization, id)
    const { principal } = authorization
    if (file.ownerId !== principal?.userId && principal?.role !== 'admin')
      refuse(principal, 'You may not delete this file')
    return file
  }

  const deleteFile = async (actor: Caller, change: Change, id: number): Promise<void> => {
    const { tx, now, authorization, author } = change
    const file = await erasableFile(authorization, id)
    await tx.files.delete(id)
    await tx.jobs.enqueue({ kind: 'delete-blob', payload: { key: file.blobKey }, now })
    // After the events of the records that it changes, which were visible by it until then.
    await storeChanges(change)
    await tx.events.append(fileDeletedEvent(file, { ...author, createdAt: now }))
    await audit(tx, { ...actor, ...authorization.principal }, 'file.deleted', { subject: `files/${id}`, now })
  }

  return {
    receive: createUploads(deps),

    async list(actor, query) {
      requireOwnOrAdmin(actor, query.ownerId)
      return unitOfWork.read((tx) => tx.files.list(query))
    },

    get: (actor, id) => unitOfWork.read((tx) => readableFile(createAuthorization(tx, catalog, actor, clock.now()), id)),

    async remove(actor, id) {
      const target = { target: 'files', id }
      try {
        await units.changing(actor, async (change) => {
          await erasableFile(change.authorization, id)
          await followReferences(change, target)
          await deleteFile(actor, change, id)
        })
      } catch (error) {
        if (!(error instanceof LargeDeletion)) throw error
        const check = async ({ authorization }: Change) => void (await erasableFile(authorization, id))
        await deleteLarge(actor, { target, check, remove: (change) => deleteFile(actor, change, id) })
      }
    },

    async read({ blobKey }, first, end) {
      const bytes = await blobs.read(blobKey, first, end)
      if (bytes === null) throw notFound('File')
      return bytes
    },
  }
}
