import { AppError } from '../domain/errors.ts'
import { cleanFilename, isAccepted, type NewFile, type StoredFile } from '../domain/file.ts'
import type { Caller } from '../domain/session.ts'
import { requireActiveActor } from './access.ts'
import { audit } from './audit.ts'
import { detectHeadType, detectStoredType } from './detected-type.ts'
import { type IdempotencyRequest, type IdempotentResult, withIdempotency } from './idempotency.ts'
import { type BlobStore, SNIFFED_BYTES, type SniffContentType } from './ports/blobs.ts'
import type { UnitOfWork } from './ports/persistence.ts'
import type { Clock, Log, Reserve } from './ports/system.ts'
import { requireRoom } from './reserve.ts'

export interface Upload {
  /** Minimum size in bytes, if the sender declared it. */
  readonly announced?: number
  readonly filename: string
  /** The bytes as they arrive. An error it throws fails the upload. */
  readonly content: AsyncIterable<Uint8Array>
}

/**
 * An upload whose bytes are stored but which has no row yet. Disposing of it deletes the bytes unless a row refers to
 * them.
 */
export interface ReceivedFile extends AsyncDisposable {
  readonly filename: string
  readonly sha256: string
  /** Stores its row. Throws `idempotency_mismatch`, and the errors of `requireActiveActor` if the owner's session has ended. */
  commit(idempotency: IdempotencyRequest<StoredFile> | null): Promise<IdempotentResult<StoredFile>>
}

export interface UploadDeps {
  readonly unitOfWork: UnitOfWork
  readonly blobs: BlobStore
  readonly sniff: SniffContentType
  readonly clock: Clock
  readonly accepted: '*/*' | readonly string[]
  readonly log: Log
  readonly reserve: Reserve
  /** Bytes that one user may store; unlimited if absent. */
  readonly quotaBytes?: number
}

const join = (chunks: readonly Uint8Array[], limit: number): Uint8Array => {
  const bytes = new Uint8Array(
    Math.min(
      limit,
      chunks.reduce((size, chunk) => size + chunk.byteLength, 0),
    ),
  )
  let at = 0
  for (const chunk of chunks) {
    bytes.set(chunk.subarray(0, limit - at), at)
    at += chunk.byteLength
    if (at >= limit) break
  }
  return bytes
}

/** Returns the first bytes, and a stream of all bytes. */
const peek = async (source: AsyncIterator<Uint8Array>, limit: number) => {
  const seen: Uint8Array[] = []
  let size = 0
  let complete = false
  while (size <= limit) {
    const next = await source.next()
    if (next.done === true) {
      complete = true
      break
    }
    seen.push(next.value)
    size += next.value.byteLength
  }
  const head = { bytes: join(seen, limit), complete }
  const whole = async function* (): AsyncGenerator<Uint8Array> {
    yield* seen.splice(0)
    for (let next = await source.next(); next.done !== true; next = await source.next()) yield next.value
  }
  return { head, whole: whole() }
}

/** A commit whose confirmation was lost may still succeed; the sweep checks later. */
const mayStillCommit = (error: unknown): boolean => error instanceof AppError && error.code === 'unavailable'

/** Passes on the bytes while the quota allows; the transaction that stores the row counts exactly. */
const createQuotaCheck = ({ unitOfWork, quotaBytes = Number.POSITIVE_INFINITY }: UploadDeps) => {
  /** Received bytes of each user's uploads that have no row yet. */
  const arriving = new Map<number, number>()

  return async function* (userId: number, { announced = 0, content }: Upload): AsyncGenerator<Uint8Array> {
    const stored = await unitOfWork.read((tx) => tx.usage.bytesOf(userId))
    let size = 0
    const add = (bytes: number) => {
      const all = (arriving.get(userId) ?? 0) + bytes
      if (all > 0) arriving.set(userId, all)
      else arriving.delete(userId)
    }
    const check = (more: number) => {
      if (stored + (arriving.get(userId) ?? 0) + more > quotaBytes) {
        throw new AppError('quota_exceeded', 'The storage of this account is full')
      }
    }
    try {
      for await (const bytes of content) {
        check(size === 0 ? Math.max(announced, bytes.byteLength) : bytes.byteLength)
        size += bytes.byteLength
        add(bytes.byteLength)
        yield bytes
      }
    } finally {
      add(-size)
    }
  }
}

/** Stores the bytes of uploads whose type is accepted. */
const createReceiving = ({ blobs, sniff, accepted, log }: UploadDeps) => {
  const requireAccepted = (contentType: string): void => {
    if (!isAccepted(contentType, accepted)) throw new AppError('invalid_file_type', 'Invalid file type')
  }

  /** Bytes that no row can refer to yet. */
  const deleteRefused = async (blobKey: string): Promise<void> => {
    try {
      await blobs.delete(blobKey)
    } catch (error) {
      log.warn('the bytes of a refused upload are left to the sweep', { error })
    }
  }

  /** Refuses before anything is stored, if the first bytes determine the type. */
  return async ({ filename, content }: Upload) => {
    const source = content[Symbol.asyncIterator]()
    try {
      const { head, whole } = await peek(source, SNIFFED_BYTES)
      const known = await detectHeadType(sniff, head)
      if (known !== null) requireAccepted(known)
      const { key, size, sha256 } = await blobs.write(whole)
      try {
        const contentType = known ?? (await detectStoredType(sniff, blobs, { key, size }, head))
        requireAccepted(contentType)
        return { filename: cleanFilename(filename), contentType, size, sha256, blobKey: key }
      } catch (error) {
        await deleteRefused(key)
        throw error
      }
    } finally {
      await source.return?.()
    }
  }
}

/** Receives uploads, see `Files.receive`. */
export const createUploads = (deps: UploadDeps) => {
  const { unitOfWork, blobs, clock, reserve, log } = deps
  const withinQuota = createQuotaCheck(deps)
  const receiveUpload = createReceiving(deps)

  /**
   * Checks for a row first, because a unit may fail after its commit. If that is impossible, the sweep checks later.
   */
  const deleteUnreferenced = async (blobKey: string): Promise<void> => {
    try {
      if (!(await unitOfWork.read((tx) => tx.files.refersTo(blobKey)))) await blobs.delete(blobKey)
    } catch (error) {
      log.warn('the bytes of a failed upload are left to the sweep', { error })
    }
  }

  return async (actor: Caller, upload: Upload): Promise<ReceivedFile> => {
    requireRoom(reserve, actor)
    const content = withinQuota(actor.userId, upload)
    const stored = await receiveUpload({ ...upload, content })
    let needed = false
    return {
      filename: stored.filename,
      sha256: stored.sha256,
      async commit(idempotency) {
        const now = clock.now()
        const file: NewFile = { ...stored, ownerId: actor.userId, createdAt: now }
        const keeping = unitOfWork.write(async (tx) => {
          // Rights may have changed since the upload began.
          const current = await requireActiveActor(tx, actor, now)
          return withIdempotency(tx, current, idempotency, now, {
            async work() {
              const inserted = await tx.files.insert(file)
              const { id, size, contentType } = inserted
              const details = { size, content_type: contentType }
              await audit(tx, current, 'file.created', { subject: `files/${id}`, details, now })
              return inserted
            },
            owners: ({ ownerId }) => [ownerId],
          })
        })
        const idempotent = await keeping.catch((error) => {
          needed = mayStillCommit(error)
          throw error
        })
        needed = 'result' in idempotent
        return idempotent
      },
      async [Symbol.asyncDispose]() {
        if (!needed) await deleteUnreferenced(stored.blobKey)
      },
    }
  }
}
