import type { FileHandle } from 'node:fs/promises'
import { access, constants, mkdir, open, opendir, rename, rm, stat, statfs } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { BlobEntry, StoredBlob } from '../../application/ports/blobs.ts'
import type { MovableBlobs } from '../../application/ports/transfer.ts'
import { AppError } from '../../domain/errors.ts'

export interface FsBlobStore extends MovableBlobs {
  /** Creates the folder, accessible only by its owner, if it does not exist. */
  prepare(): Promise<void>
  /** Rejects while the folder cannot be written to, or has almost no space left. */
  ping(): Promise<void>
}

const KEY = /^[0-9a-f]{2}\/[0-9a-f]{32}(?:\.part)?$/
const UNFINISHED = '.part'

const newKey = (): string => {
  const name = crypto.getRandomValues(new Uint8Array(16)).toHex()
  return `${name.slice(0, 2)}/${name}`
}

export const codeOf = (error: unknown) => (error instanceof Error && 'code' in error ? error.code : null)

const FULL = ['ENOSPC', 'EDQUOT', 'EFBIG']
const TRANSIENT_CODES = ['EROFS', 'EACCES', 'EPERM', 'EIO', 'ESTALE', 'EMFILE', 'ENFILE']

/**
 * Converts a disk failure to an error of the core if it is temporary or needs disk space; other errors are returned
 * unchanged.
 */
export const toAppError = (error: unknown): unknown => {
  const code = String(codeOf(error))
  if (FULL.includes(code))
    return new AppError('storage_full', 'The storage is full', { cause: error, retryAfterSeconds: 60 })
  if (!TRANSIENT_CODES.includes(code)) return error
  return new AppError('unavailable', 'The storage is not available', { cause: error, retryAfterSeconds: 1 })
}

/**
 * Below this free space, an upload or a commit is about to fail. A file system that reports no size is assumed to have
 * space.
 */
const MIN_FREE_BYTES = 1_048_576

const checkRoom = async (path: string): Promise<void> => {
  const { blocks, bavail, bsize } = await statfs(path)
  if (blocks > 0 && bavail * bsize < MIN_FREE_BYTES) throw new AppError('storage_full', 'The storage is full')
}

/** Makes the names in a folder durable. */
export const syncFolder = async (path: string): Promise<void> => {
  const folder = await open(path, 'r')
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}

/** Creates a folder, accessible only by its owner, if it does not exist. */
export const makeFolder = async (path: string): Promise<void> => {
  // `mkdir` returns the first folder of the path that it had to create.
  if ((await mkdir(path, { recursive: true, mode: 0o700 })) === undefined) return
  await syncFolder(dirname(path))
}

const writeAll = async (file: FileHandle, bytes: Uint8Array): Promise<void> => {
  for (let at = 0; at < bytes.byteLength; ) at += (await file.write(bytes, at)).bytesWritten
}

/** Writes all of `body` to the file and syncs it. */
export const copy = async (body: AsyncIterable<Uint8Array>, file: FileHandle): Promise<Omit<StoredBlob, 'key'>> => {
  const hash = new Bun.CryptoHasher('sha256')
  let size = 0
  for await (const bytes of body) {
    hash.update(bytes)
    size += bytes.byteLength
    await writeAll(file, bytes)
  }
  await file.sync()
  return { size, sha256: hash.digest('hex') }
}

/** Stores blobs as files below `root`, in 256 folders; unfinished files end in `.part`. */
export const createFsBlobStore = (root: string): FsBlobStore => {
  const pathOf = (key: string): string => {
    if (!KEY.test(key)) throw new Error('not a key of this store')
    return join(root, key)
  }

  const entriesOf = async function* (folder: string): AsyncGenerator<BlobEntry> {
    for await (const { name } of await opendir(join(root, folder))) {
      const key = `${folder}/${name}`
      if (!KEY.test(key)) continue
      const found = await stat(join(root, key)).catch(() => null)
      if (found !== null) yield { key, modifiedAt: found.mtimeMs }
    }
  }

  /** Writes to `written` first and then renames it. */
  const keep = async (key: string, written: string, body: AsyncIterable<Uint8Array>): Promise<StoredBlob> => {
    const path = pathOf(key)
    const part = pathOf(written + UNFINISHED)
    let file: FileHandle | null = null
    let placed = false
    try {
      for (const folder of new Set([dirname(part), dirname(path)])) await makeFolder(folder)
      file = await open(part, 'wx', 0o600)
      const content = await copy(body, file)
      await file.close()
      await rename(part, path)
      placed = true
      await syncFolder(dirname(path))
      return { key, ...content }
    } catch (error) {
      // If it cannot be removed now, the sweep removes it later; the error of the write matters more.
      await file?.close().catch(() => {})
      await rm(placed ? path : part, { force: true }).catch(() => {})
      throw toAppError(error)
    }
  }

  return {
    prepare: () => makeFolder(root),
    async ping() {
      await access(root, constants.W_OK | constants.X_OK)
      await checkRoom(root)
    },

    async write(body) {
      const key = newKey()
      return keep(key, key, body)
    },

    async put(key, body) {
      if (key.endsWith(UNFINISHED)) throw new Error('not a key of a whole blob')
      pathOf(key)
      // The name is unique, so that remains of a killed copy do not collide.
      return keep(key, newKey(), body)
    },

    async size(key) {
      try {
        return (await stat(pathOf(key))).size
      } catch (error) {
        if (codeOf(error) === 'ENOENT') return null
        throw toAppError(error)
      }
    },

    async read(key, first, end) {
      const file = Bun.file(pathOf(key))
      return (await file.exists()) ? file.slice(first, end) : null
    },

    async delete(key) {
      await rm(pathOf(key), { force: true })
    },

    async *list() {
      for await (const folder of await opendir(root)) {
        if (folder.isDirectory() && /^[0-9a-f]{2}$/.test(folder.name)) yield* entriesOf(folder.name)
      }
    },
  }
}
