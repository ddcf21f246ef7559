import { AppError } from '../domain/errors.ts'
import { typeWithoutSignature } from '../domain/file.ts'
import type { BlobStore, ReadableContent, SniffContentType } from './ports/blobs.ts'

/** Read at once from the store, where many small reads would each be a call. */
const WINDOW_BYTES = 65_536

/** A type that takes more reading than this is taken for what was found until then. */
const MAX_WINDOWS_COUNT = 64

/** The beginning of an upload. */
export interface Head {
  readonly bytes: Uint8Array
  /** Whether that is all there is. */
  readonly complete: boolean
}

/** The type that the beginning of an upload gives away; null when that depends on what comes after it. */
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

/** A blob, read in windows and not for ever. */
const contentOf = (blobs: BlobStore, key: string, size: number): ReadableContent => {
  let window = { first: 0, bytes: new Uint8Array() }
  let left = MAX_WINDOWS_COUNT
  return {
    size,
    async read(first, end) {
      if (first < window.first || end > window.first + window.bytes.byteLength) {
        if (left-- <= 0 || first >= size) return new Uint8Array()
        const bytes = await blobs.read(key, first, Math.min(size, first + WINDOW_BYTES))
        if (bytes === null) throw new AppError('unavailable', 'The storage is not available', { retryAfter: 1 })
        window = { first, bytes: new Uint8Array(await new Response(bytes).arrayBuffer()) }
      }
      return window.bytes.subarray(first - window.first, end - window.first)
    },
  }
}

/** The type of bytes that are stored, of which `head` is the beginning. */
export const detectStoredType = async (
  sniff: SniffContentType,
  blobs: BlobStore,
  { key, size }: { readonly key: string; readonly size: number },
  head: Head,
): Promise<string> => (await sniff(contentOf(blobs, key, size))) ?? typeWithoutSignature(head.bytes)
