import type { BlobEntry } from '../../application/ports/blobs.ts'
import type { Log } from '../../application/ports/system.ts'
import type { MovableBlobs } from '../../application/ports/transfer.ts'
import { createS3Client, type S3Client, type S3Keys, type S3Place } from './client.ts'
import { download } from './download.ts'
import { isMissing, S3Refusal, toAppError } from './errors.ts'
import { abortUpload, upload } from './upload.ts'
import { elements, textOf } from './xml.ts'

export interface S3BlobStore extends MovableBlobs {
  /** Rejects, in words for operators, when the bucket cannot be reached or does not let us in. */
  prepare(): Promise<void>
  /** Rejects while the bucket does not answer. Asks it once in some seconds, however often it is called. */
  ping(): Promise<void>
}

export interface S3BlobStoreOptions {
  readonly place: S3Place
  readonly keys: S3Keys
  readonly log: Log
}

const KEY = /^[0-9a-f]{2}\/[0-9a-f]{32}$/
const UNFINISHED = '.part'

/** Up to so many bytes are read at once: then their number stands in the answer, and a failure comes before it. */
const READ_WHOLE = 1_048_576

const PING_TIMEOUT = 3_000
/** Milliseconds for which an answer to a ping is good. */
const PING_LIFE = 2_000

const newKey = (): string => {
  const name = crypto.getRandomValues(new Uint8Array(16)).toHex()
  return `${name.slice(0, 2)}/${name}`
}

/** The key, or of what was never finished the key that it would have had. */
const checked = (key: string) => {
  const unfinished = key.endsWith(UNFINISHED)
  const object = unfinished ? key.slice(0, -UNFINISHED.length) : key
  if (!KEY.test(object)) throw new Error('not a key of this store')
  return { object, unfinished }
}

interface Unfinished extends BlobEntry {
  readonly uploadId: string
}

const lists = (s3: S3Client, prefix: string) => {
  /** All of them, page by page: `next` finds in an answer what asks for the following one. */
  const pages = async function* (
    query: Readonly<Record<string, string>>,
    next: (xml: string) => Readonly<Record<string, string>>,
  ): AsyncGenerator<string> {
    for (let more: Readonly<Record<string, string>> | null = {}; more !== null; ) {
      const { text }: { readonly text: string } = await s3.send({ method: 'GET', query: { ...query, ...more } })
      yield text
      more = textOf(text, 'IsTruncated') === 'true' ? next(text) : null
    }
  }

  /** Null for what is not ours. */
  const keyOf = (xml: string): string | null => {
    const path = textOf(xml, 'Key')
    const key = path.startsWith(prefix) ? path.slice(prefix.length) : ''
    return KEY.test(key) ? key : null
  }

  const objects = async function* (): AsyncGenerator<BlobEntry> {
    const following = (xml: string) => ({ 'continuation-token': textOf(xml, 'NextContinuationToken') })
    for await (const page of pages({ 'list-type': '2', prefix }, following)) {
      for (const object of elements(page, 'Contents')) {
        const key = keyOf(object)
        if (key !== null) yield { key, modifiedAt: Date.parse(textOf(object, 'LastModified')) }
      }
    }
  }

  /** `silent`: with which statuses S3 may refuse to show them. */
  const begun = async function* (within: string, silent: readonly number[]): AsyncGenerator<Unfinished> {
    const following = (xml: string) => ({
      'key-marker': textOf(xml, 'NextKeyMarker'),
      'upload-id-marker': textOf(xml, 'NextUploadIdMarker'),
    })
    try {
      for await (const page of pages({ uploads: '', prefix: within }, following)) {
        for (const upload of elements(page, 'Upload')) {
          const key = keyOf(upload)
          if (key === null) continue
          const modifiedAt = Date.parse(textOf(upload, 'Initiated'))
          yield { key, modifiedAt, uploadId: textOf(upload, 'UploadId') }
        }
      }
    } catch (error) {
      if (!(error instanceof S3Refusal && silent.includes(error.status))) throw error
    }
  }

  /** What cannot show them cleans up after itself. */
  const uploadsOf = (key: string) => begun(prefix + key, [501])

  const uploads = async function* (): AsyncGenerator<Unfinished> {
    let found = false
    for await (const upload of begun(prefix, [501])) {
      found = true
      yield upload
    }
    // MinIO shows those of one key, or of the whole bucket, which is not everybody's to see.
    if (!found && prefix !== '') yield* begun('', [403, 501])
  }

  return { objects, uploads, uploadsOf }
}

/** Keeps blobs as objects of a bucket, all under one prefix; an upload that goes on has a key that ends in `.part`. */
export const createS3BlobStore = ({ place, keys, log }: S3BlobStoreOptions): S3BlobStore => {
  const s3 = createS3Client(place, keys)
  const { objects, uploads, uploadsOf } = lists(s3, place.prefix)

  const exists = async (key: string): Promise<boolean> => {
    await s3.send({ method: 'HEAD', key })
    return true
  }

  const bytesOf = async (key: string, first: number, end: number) => {
    if (end <= first) return (await exists(key)) ? new Blob([]) : null
    const stream = await download(s3, key, first, end)
    return end - first <= READ_WHOLE ? await new Response(stream).blob() : stream
  }

  const remove = async ({ object, unfinished }: ReturnType<typeof checked>): Promise<void> => {
    if (!unfinished) return void (await s3.send({ method: 'DELETE', key: object }))
    for await (const { key, uploadId } of uploadsOf(object)) {
      if (key === object) await abortUpload(s3, object, uploadId)
    }
  }

  const left = (error: unknown) => log.warn('a failed upload is left to the sweep', { error })

  const ask = async () => void (await s3.send({ method: 'HEAD', attempts: 1, timeout: PING_TIMEOUT }))
  let asked: { readonly at: number; readonly answer: Promise<void> } | null = null

  return {
    async prepare() {
      const query = { 'list-type': '2', 'max-keys': '1', prefix: place.prefix }
      try {
        await s3.send({ method: 'GET', query, timeout: PING_TIMEOUT })
      } catch (error) {
        const why = error instanceof Error ? error.message : String(error)
        throw new Error(`cannot use the bucket ${place.bucket} of FILES_URL: ${why}`, { cause: error })
      }
    },

    ping() {
      const now = performance.now()
      if (asked === null || now - asked.at > PING_LIFE) asked = { at: now, answer: ask() }
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
