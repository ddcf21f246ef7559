import type { Log } from '../../application/ports/system.ts'
import type { MovableBlobs } from '../../application/ports/transfer.ts'
import { createS3Client, type S3Keys, type S3Place } from './client.ts'
import { download } from './download.ts'
import { isMissing, toAppError } from './errors.ts'
import { isKey, listsOf } from './lists.ts'
import { abortUpload, upload } from './upload.ts'

export interface S3BlobStore extends MovableBlobs {
  /** Rejects, with a message for operators, if the bucket cannot be reached or denies access. */
  prepare(): Promise<void>
  /** Rejects while the bucket does not respond. Caches the result for a few seconds. */
  ping(): Promise<void>
}

export interface S3BlobStoreOptions {
  readonly place: S3Place
  readonly keys: S3Keys
  readonly log: Log
}

const UNFINISHED = '.part'

/**
 * Up to this size a blob is read completely before the response, which then has a `Content-Length`, and a failure
 * becomes a proper error.
 */
const MAX_BUFFERED_BYTES = 1_048_576

const PING_TIMEOUT_MS = 3_000
/** Milliseconds for which a ping result is cached. */
const PING_CACHED_MS = 2_000

const newKey = (): string => {
  const name = crypto.getRandomValues(new Uint8Array(16)).toHex()
  return `${name.slice(0, 2)}/${name}`
}

/** The key, or for an unfinished upload the key that it would have had. */
const checked = (key: string) => {
  const unfinished = key.endsWith(UNFINISHED)
  const object = unfinished ? key.slice(0, -UNFINISHED.length) : key
  if (!isKey(object)) throw new Error('not a key of this store')
  return { object, unfinished }
}

/** Stores blobs as objects of a bucket, all under one prefix; an upload in progress has a key that ends in `.part`. */
export const createS3BlobStore = ({ place, keys, log }: S3BlobStoreOptions): S3BlobStore => {
  const s3 = createS3Client(place, keys)
  const { objects, uploads, uploadsOf } = listsOf(s3, place.prefix)

  const exists = async (key: string): Promise<boolean> => {
    await s3.send({ method: 'HEAD', key })
    return true
  }

  const bytesOf = async (key: string, first: number, end: number) => {
    if (end <= first) return (await exists(key)) ? new Blob([]) : null
    const stream = await download(s3, key, first, end)
    return end - first <= MAX_BUFFERED_BYTES ? await new Response(stream).blob() : stream
  }

  const remove = async ({ object, unfinished }: ReturnType<typeof checked>): Promise<void> => {
    if (!unfinished) return void (await s3.send({ method: 'DELETE', key: object }))
    for await (const { key, uploadId } of uploadsOf(object)) {
      if (key === object) await abortUpload(s3, object, uploadId)
    }
  }

  const left = (error: unknown) => log.warn('a failed upload is left to the sweep', { error })

  const ask = async () => void (await s3.send({ method: 'HEAD', attempts: 1, timeout: PING_TIMEOUT_MS }))
  let asked: { readonly at: number; readonly answer: Promise<void> } | null = null

  return {
    async prepare() {
      const query = { 'list-type': '2', 'max-keys': '1', prefix: place.prefix }
      try {
        await s3.send({ method: 'GET', query, timeout: PING_TIMEOUT_MS })
      } catch (error) {
        const why = error instanceof Error ? error.message : String(error)
        throw new Error(`cannot use the bucket ${place.bucket} of FILES_URL: ${why}`, { cause: error })
      }
    },

    ping() {
      const now = performance.now()
      if (asked === null || now - asked.at > PING_CACHED_MS) asked = { at: now, answer: ask() }
      return asked.answer
    },

    write: (body) => upload(s3, newKey(), body, left),

    async put(key, body) {
      if (checked(key).unfinished) throw new Error('not a key of a whole blob')
      return upload(s3, key, body, left)
    },

    async size(key) {
      const { object, unfinished } = checked(key)
      if (unfinished) return null
      try {
        return Number((await s3.send({ method: 'HEAD', key: object })).headers.get('content-length'))
      } catch (error) {
        if (isMissing(error)) return null
        throw toAppError(error)
      }
    },

    async read(key, first, end) {
      const { object, unfinished } = checked(key)
      if (unfinished) return null
      try {
        return await bytesOf(object, first, end)
      } catch (error) {
        if (isMissing(error)) return null
        throw toAppError(error)
      }
    },

    async delete(key) {
      const found = checked(key)
      try {
        await remove(found)
      } catch (error) {
        if (!isMissing(error)) throw toAppError(error)
      }
    },

    async *list() {
      try {
        yield* objects()
        for await (const { key, modifiedAt } of uploads()) yield { key: key + UNFINISHED, modifiedAt }
      } catch (error) {
        throw toAppError(error)
      }
    },
  }
}
