import { AppError, notFound } from '../domain/errors.ts'
import { cleanFilename, isAccepted, type NewFile, type StoredFile } from '../domain/file.ts'
import type { Page } from '../domain/page.ts'
import type { Principal } from '../domain/session.ts'
import { requireActiveActor } from './access.ts'
import { detectHeadType, detectStoredType } from './detected-type.ts'
import { type IdempotencyRequest, type IdempotentResult, withIdempotency } from './idempotency.ts'
import { type BlobBytes, type BlobStore, SNIFFED_BYTES, type SniffContentType } from './ports/blobs.ts'
import type { FileQuery, ReadTx, UnitOfWork } from './ports/persistence.ts'
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
  keep(idempotency: IdempotencyRequest<StoredFile> | null): Promise<IdempotentResult<StoredFile>>
}

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

interface Deps {
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

/** The file, if the actor may see it. Throws `not_found`. */
export const visibleFile = async (tx: ReadTx, actor: Principal, id: number): Promise<StoredFile> => {
  const file = await tx.files.findById(id)
  if (file === null || (file.ownerId !== actor.userId && actor.role !== 'admin')) throw notFound('File')
  return file
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

export const createFiles = (deps: Deps): Files => {
  const { unitOfWork, blobs, sniff, clock, accepted, reserve, log, quotaBytes = Number.POSITIVE_INFINITY } = deps
  /** Received bytes of each user's uploads that have no row yet. */
  const arriving = new Map<number, number>()

  /** Passes on the bytes while the quota allows; the transaction that stores the row counts exactly. */
  const withinQuota = async function* (userId: number, { announced = 0, content }: Upload): AsyncGenerator<Uint8Array> {
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

  const requireAccepted = (contentType: string): void => {
    if (!isAccepted(contentType, accepted)) throw new AppError('invalid_file_type', 'Invalid file type')
  }

  /** Bytes that no row can refer to yet. */
  const drop = async (blobKey: string): Promise<void> => {
    try {
      await blobs.delete(blobKey)
    } catch (error) {
      log.warn('a refused upload is left to the sweep', { error })
    }
  }

  /** Refuses before anything is stored, if the first bytes determine the type. */
  const takeIn = async ({ filename, content }: Upload) => {
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
        await drop(key)
        throw error
      }
    } finally {
      await source.return?.()
    }
  }

  /**
   * Checks for a row first, because a unit may fail after its commit. If that is impossible, the sweep checks later.
   */
  const discard = async (blobKey: string): Promise<void> => {
    try {
      if (!(await unitOfWork.read((tx) => tx.files.names(blobKey)))) await blobs.delete(blobKey)
    } catch (error) {
      log.warn('an upload that came to nothing is left to the sweep', { error })
    }
  }

  return {
    async receive(actor, upload) {
      requireRoom(reserve, actor)
      const content = withinQuota(actor.userId, upload)
      const taken = await takeIn({ ...upload, content })
      let needed = false
      return {
        filename: taken.filename,
        sha256: taken.sha256,
        async keep(idempotency) {
          const now = clock.now()
          const file: NewFile = { ...taken, ownerId: actor.userId, createdAt: now }
          const keeping = unitOfWork.write(async (tx) => {
            // Rights may have changed since the upload began.
            const current = await requireActiveActor(tx, actor, now)
            return withIdempotency(tx, current, idempotency, now, {
              work: () => tx.files.insert(file),
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
          if (!needed) await discard(taken.blobKey)
        },
      }
    },

    async list(actor, query) {
      if (query.ownerId !== actor.userId && actor.role !== 'admin') {
        throw new AppError('forbidden', 'Only an admin may list what others own')
      }
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
