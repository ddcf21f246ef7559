import type { StoredBlob } from '../../application/ports/blobs.ts'
import type { S3Client } from './client.ts'
import { isMissing, toAppError } from './errors.ts'
import { textOf } from './xml.ts'

/** S3 requires at least 5 MiB and accepts 10 000 parts: 78 GiB. */
const PART_BYTES = 8 * 1_048_576

/** Timeout of requests that S3 may process slowly. */
const LONG_TIMEOUT_MS = 120_000

interface Content {
  readonly body: Uint8Array<ArrayBuffer>
  readonly sha256: string
}

/** Collects bytes up to the size of a part, in reused memory. */
const createCollector = () => {
  let memory = new Uint8Array(64 * 1_024)
  let used = 0
  let hash = new Bun.CryptoHasher('sha256')
  return {
    /** Returns how many of the bytes it took. */
    add(bytes: Uint8Array): number {
      const taken = bytes.subarray(0, PART_BYTES - used)
      const needed = used + taken.byteLength
      if (needed > memory.byteLength) {
        const larger = new Uint8Array(Math.min(PART_BYTES, Math.max(needed, 2 * memory.byteLength)))
        larger.set(memory.subarray(0, used))
        memory = larger
      }
      memory.set(taken, used)
      hash.update(taken)
      used = needed
      return taken.byteLength
    },
    isEmpty: () => used === 0,
    isFull: () => used === PART_BYTES,
    /** The collected bytes, valid until more are added. */
    take(): Content {
      const content = { body: memory.subarray(0, used), sha256: hash.digest('hex') }
      used = 0
      hash = new Bun.CryptoHasher('sha256')
      return content
    },
  }
}

interface Parts {
  /** Resolves when S3 has stored this part. */
  send(part: Content): Promise<void>
  /** Resolves when S3 has combined the parts. */
  complete(size: number): Promise<void>
  /** Removes all parts. */
  abort(): Promise<void>
}

const beginParts = async (s3: S3Client, key: string): Promise<Parts> => {
  const uploadId = textOf((await s3.send({ method: 'POST', key, query: { uploads: '' } })).text, 'UploadId')
  const etags: string[] = []
  return {
    async send(content) {
      const query = { partNumber: String(etags.length + 1), uploadId }
      const { headers } = await s3.send({ method: 'PUT', key, query, ...content, timeout: LONG_TIMEOUT_MS })
      etags.push(headers.get('etag') ?? '')
    },
    async complete(size) {
      const list = etags.map((etag, at) => `<Part><PartNumber>${at + 1}</PartNumber><ETag>${etag}</ETag></Part>`)
      const body = Buffer.from(`<CompleteMultipartUpload>${list.join('')}</CompleteMultipartUpload>`)
      try {
        await s3.send({ method: 'POST', key, query: { uploadId }, body, timeout: LONG_TIMEOUT_MS })
      } catch (error) {
        // If the completion succeeded but its response was lost, S3 no longer knows the upload.
        if (!isMissing(error)) throw error
        const { headers } = await s3.send({ method: 'HEAD', key })
        if (Number(headers.get('content-length')) !== size) throw error
      }
    },
    async abort() {
      await abortUpload(s3, key, uploadId)
    },
  }
}

export const abortUpload = async (s3: S3Client, key: string, uploadId: string): Promise<void> => {
  try {
    await s3.send({ method: 'DELETE', key, query: { uploadId } })
  } catch (error) {
    if (!isMissing(error)) throw error
  }
}

/**
 * Stores `body` under `key` in parts, with at most one in memory. A body that fits into one part is sent in one
 * request. If anything fails, nothing remains stored; if S3 cannot be reached for the clean-up, `left` is called.
 */
export const upload = async (
  s3: S3Client,
  key: string,
  body: AsyncIterable<Uint8Array>,
  left: (error: unknown) => void,
): Promise<StoredBlob> => {
  const hash = new Bun.CryptoHasher('sha256')
  let size = 0
  const collector = createCollector()
  let parts: Parts | null = null
  let sent = false

  /** Only failures of S3; errors of the body are passed to the caller unchanged. */
  const withAppErrors = async <T>(work: Promise<T>): Promise<T> => {
    try {
      return await work
    } catch (error) {
      throw toAppError(error)
    }
  }
  const sendPart = async () => {
    parts ??= await beginParts(s3, key)
    await parts.send(collector.take())
  }
  const finish = async () => {
    sent = true
    if (parts === null) {
      await s3.send({ method: 'PUT', key, ...collector.take(), timeout: LONG_TIMEOUT_MS })
      return
    }
    if (!collector.isEmpty()) await sendPart()
    await parts.complete(size)
  }
  const undo = async () => {
    await parts?.abort()
    if (sent) await s3.send({ method: 'DELETE', key })
  }

  try {
    for await (const bytes of body) {
      hash.update(bytes)
      size += bytes.byteLength
      for (let at = 0; at < bytes.byteLength; ) {
        at += collector.add(bytes.subarray(at))
        if (collector.isFull()) await withAppErrors(sendPart())
      }
    }
    await withAppErrors(finish())
    return { key, size, sha256: hash.digest('hex') }
  } catch (error) {
    await undo().catch(left)
    throw error
  }
}
