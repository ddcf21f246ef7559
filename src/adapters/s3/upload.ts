import type { StoredBlob } from '../../application/ports/blobs.ts'
import type { S3Client } from './client.ts'
import { isMissing, toAppError } from './errors.ts'
import { textOf } from './xml.ts'

/** S3 wants 5 MiB at least, and takes 10 000 parts: 78 GiB. */
export const PART_BYTES = 8 * 1_048_576

/** For what S3 may take its time for. */
const LONG_TIMEOUT_MS = 120_000

interface Content {
  readonly body: Uint8Array<ArrayBuffer>
  readonly sha256: string
}

/** Collects bytes up to the size of a part, in memory that it uses again. */
const createCollector = () => {
  let memory = new Uint8Array(64 * 1_024)
  let used = 0
  let hash = new Bun.CryptoHasher('sha256')
  return {
    /** Answers how many of the bytes it took. */
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
    /** What it has, good until more is added. */
    take(): Content {
      const content = { body: memory.subarray(0, used), sha256: hash.digest('hex') }
      used = 0
      hash = new Bun.CryptoHasher('sha256')
      return content
    },
  }
}

interface Parts {
  /** Resolves when S3 has this part. */
  send(part: Content): Promise<void>
  /** Resolves when S3 has put them together. */
  complete(size: number): Promise<void>
  /** Nothing of them stays. */
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
        // Of an upload that completed although the answer was lost, S3 knows nothing any more.
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
 * Stores `body` under `key` in parts, with no more than one in memory. What fits in one is sent at once. When anything
 * fails nothing stays, as far as S3 can be reached; `left` is called when it cannot.
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

  /** Failures of S3 alone: those of the body go to the caller as they are. */
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
