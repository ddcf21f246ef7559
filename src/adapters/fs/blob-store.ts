import type { FileHandle } from 'node:fs/promises'
import { access, constants, mkdir, open, opendir, rename, rm, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { BlobEntry, BlobStore, StoredBlob } from '../../application/ports/blobs.ts'
import { AppError } from '../../domain/errors.ts'

export interface FsBlobStore extends BlobStore {
  /** Makes the folder, for its owner alone, unless it exists. */
  prepare(): Promise<void>
  /** Rejects while the folder cannot be written to. */
  ping(): Promise<void>
}

const KEY = /^[0-9a-f]{2}\/[0-9a-f]{32}(?:\.part)?$/

const newKey = (): string => {
  const name = crypto.getRandomValues(new Uint8Array(16)).toHex()
  return `${name.slice(0, 2)}/${name}`
}

const codeOf = (error: unknown) => (error instanceof Error && 'code' in error ? error.code : null)

const toAppError = (error: unknown): unknown => {
  const code = String(codeOf(error))
  if (['ENOSPC', 'EDQUOT', 'EFBIG'].includes(code)) {
    return new AppError('storage_full', 'The storage is full', { cause: error, retryAfter: 60 })
  }
  if (code !== 'EMFILE' && code !== 'ENFILE') return error
  return new AppError('unavailable', 'Too many files are open', { cause: error, retryAfter: 1 })
}

/** Makes names in a folder survive a crash. */
const syncFolder = async (path: string): Promise<void> => {
  const folder = await open(path, 'r')
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}

const writeAll = async (file: FileHandle, bytes: Uint8Array): Promise<void> => {
  for (let at = 0; at < bytes.byteLength; ) at += (await file.write(bytes, at)).bytesWritten
}

const copy = async (body: AsyncIterable<Uint8Array>, file: FileHandle): Promise<Omit<StoredBlob, 'key'>> => {
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

/** Keeps blobs as files below `root`, 256 folders of them; what is being written ends in `.part`. */
export const createFsBlobStore = (root: string): FsBlobStore => {
  const makeFolder = async (path: string) => {
    // Of a path, `mkdir` says the first folder that it had to make.
    if ((await mkdir(path, { recursive: true, mode: 0o700 })) === undefined) return
    await syncFolder(dirname(path))
  }

  const begin = async (part: string): Promise<FileHandle> => {
    try {
      await makeFolder(dirname(part))
      return await open(part, 'wx', 0o600)
    } catch (error) {
      throw toAppError(error)
    }
  }

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

  return {
    prepare: () => makeFolder(root),
    ping: () => access(root, constants.W_OK | constants.X_OK),

    async write(body) {
      const key = newKey()
      const path = pathOf(key)
      const part = `${path}.part`
      const file = await begin(part)
      try {
        const written = await copy(body, file)
        await file.close()
        await rename(part, path)
        await syncFolder(dirname(path))
        return { key, ...written }
      } catch (error) {
        await file.close().catch(() => {})
        await rm(part, { force: true })
        await rm(path, { force: true })
        throw toAppError(error)
      }
    },

    async open(key) {
      const path = pathOf(key)
      const file = Bun.file(path)
      return (await file.exists()) ? file : null
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
