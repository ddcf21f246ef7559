import { AppError } from '../domain/errors.ts'
import { typeWithoutSignature } from '../domain/file.ts'
import type { BlobStore, ReadableContent, SniffContentType } from './ports/blobs.ts'

/** Bytes per read from the store, where each small read would be a request. */
const WINDOW_BYTES = 65_536

/** If detection would read more than this, the type found so far is used. */
const MAX_WINDOWS_COUNT = 64

/** The beginning of an upload. */
export interface Head {
  readonly bytes: Uint8Array
  /** Whether `bytes` is the whole content. */
  readonly complete: boolean
}

/** The type detected from the beginning of an upload; null if it depends on later bytes. */
export const detectHeadType = async (sniff: SniffContentType, { bytes, complete }: Head): Promise<string | null> => {
  let readBeyond = false
  const content: ReadableContent = {
    size: complete ? bytes.byteLength : null,
    async read(first, end) {
      readBeyond ||= end > bytes.byteLength
      return bytes.subarray(first, end)
    },
  }
  const type = (await sniff(content)) ?? typeWithoutSignature(bytes)
  return readBeyond && !complete ? null : type
}

/** A blob that is read in windows, up to a limit. */
const contentOf = (blobs: BlobStore, key: string, size: number): ReadableContent => {
  let window = { first: 0, bytes: new Uint8Array() }
  let left = MAX_WINDOWS_COUNT
  return {
    size,
    async read(first, end) {
      if (first < window.first || end > window.first + window.bytes.byteLength) {
        if (left-- <= 0 || first >= size) return new Uint8Array()
        const bytes = await blobs.read(key, first, Math.min(size, first + WINDOW_BYTES))
        if (bytes === null) throw new AppError('unavailable', 'The storage is not available', { retryAfterSeconds: 1 })
        window = { first, bytes: new Uint8Array(await new Response(bytes).arrayBuffer()) }
      }
      return window.bytes.subarray(first - window.first, end - window.first)
    },
  }
}

/** The type of stored bytes, which begin with `head`. */
export const detectStoredType = async (
  sniff: SniffContentType,
  blobs: BlobStore,
  { key, size }: { readonly key: string; readonly size: number },
  head: Head,
): Promise<string> => (await sniff(contentOf(blobs, key, size))) ?? typeWithoutSignature(head.bytes)
