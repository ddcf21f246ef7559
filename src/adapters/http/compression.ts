import { promisify } from 'node:util'
import { gzip } from 'node:zlib'
import type { Context } from 'elysia'

type Headers = Context['set']['headers']

/** What fits into one packet arrives no sooner for being smaller. */
const MIN_COMPRESSED_BYTES = 1_400

/** More is compressed on another thread: this much takes the event loop about a millisecond. */
const MAX_SYNC_BYTES = 32_768

/** Threads that compress. While they are busy, answers go out as they are. */
const MAX_COMPRESSING_COUNT = 2

/** Fast: the higher levels save little on JSON. */
const JSON_LEVEL = 1

const gzipOnThread = promisify(gzip)

/** Whether the client takes gzip (RFC 9110 section 12.5.3), which it says by name. */
export const acceptsGzip = (request: Request): boolean => {
  const accepted = request.headers.get('accept-encoding')
  if (accepted === null) return false
  return /(?:^|,)\s*(?:x-)?gzip\s*(?:,|$|;\s*q=(?:0\.0{0,2}[1-9]|0\.[1-9]|1))/i.test(accepted)
}

/** What an answer depends on beside its path, for caches. */
export const addVary = (headers: Headers, name: string): void => {
  headers.vary = headers.vary === undefined ? name : `${headers.vary}, ${name}`
}

/** The bytes, gzipped; null when they are hardly smaller. For what is made once and served often. */
export const compressOnce = async (bytes: Uint8Array | string): Promise<Uint8Array<ArrayBuffer> | null> => {
  const compressed = await gzipOnThread(bytes)
  return compressed.byteLength < Buffer.byteLength(bytes) * 0.9 ? new Uint8Array(compressed) : null
}

/** Whether the text of an answer is long enough for {@link compressJson}. */
export const isCompressible = (text: string): boolean => text.length >= MIN_COMPRESSED_BYTES

let compressing = 0

const compressLater = (text: string): Promise<Uint8Array> => {
  compressing++
  const packed = gzipOnThread(text, { level: JSON_LEVEL }).finally(() => compressing--)
  // Whoever was to read it may have gone.
  packed.catch(() => {})
  return packed
}

/**
 * The JSON text of an answer for a client that takes gzip, or null where it goes out as it is: when it is small, when it
 * carries credentials (`no-store`), whose length must not tell what they are (BREACH), and when it has an ETag, which
 * names these very bytes and comes back in `If-Match`.
 */
export const compressJson = (text: string, headers: Headers): Uint8Array<ArrayBuffer> | Promise<Uint8Array> | null => {
  if (!isCompressible(text)) return null
  if (headers['cache-control'] !== undefined || headers.etag !== undefined) return null
  if (text.length <= MAX_SYNC_BYTES) return Bun.gzipSync(text, { level: JSON_LEVEL, library: 'libdeflate' })
  return compressing < MAX_COMPRESSING_COUNT ? compressLater(text) : null
}
