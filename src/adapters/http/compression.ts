import type { Context } from 'elysia'

type Headers = Context['set']['headers']

/** A response that fits into one packet does not arrive faster when compressed. */
const MIN_COMPRESSED_BYTES = 1_400

/** Larger responses are compressed on another thread; this size takes the event loop about a millisecond. */
const MAX_SYNC_BYTES = 32_768

/** Compression threads. While they are busy, responses are sent uncompressed. */
const MAX_COMPRESSING_COUNT = 2

/** A fast level, because higher levels save little on JSON. */
const JSON_LEVEL = 1

const gzipOnThread = async (
  content: Uint8Array | string,
  options: { readonly level?: number } = {},
): Promise<Buffer> => {
  // Loaded for the first content, because it would make every start longer.
  const { gzip } = await import('node:zlib')
  return new Promise((resolve, reject) => {
    gzip(content, options, (error, bytes) => (error === null ? resolve(bytes) : reject(error)))
  })
}

/** Whether the client explicitly accepts gzip (RFC 9110 section 12.5.3). */
export const acceptsGzip = (request: Request): boolean => {
  const accepted = request.headers.get('accept-encoding')
  if (accepted === null) return false
  return /(?:^|,)\s*(?:x-)?gzip\s*(?:,|$|;\s*q=(?:0\.0{0,2}[1-9]|0\.[1-9]|1))/i.test(accepted)
}

/** Adds a request header that the response depends on to `Vary`, for caches. */
export const addVary = (headers: Headers, name: string): void => {
  headers.vary = headers.vary === undefined ? name : `${headers.vary}, ${name}`
}

/** The bytes, gzipped; null if that saves little. For content that is compressed once and served often. */
export const compressOnce = async (bytes: Uint8Array | string): Promise<Uint8Array<ArrayBuffer> | null> => {
  const compressed = await gzipOnThread(bytes)
  return compressed.byteLength < Buffer.byteLength(bytes) * 0.9 ? new Uint8Array(compressed) : null
}

/** Whether the text of a response is long enough for {@link compressJson}. */
export const isCompressible = (text: string): boolean => text.length >= MIN_COMPRESSED_BYTES

let compressing = 0

const compressLater = (text: string): Promise<Uint8Array> => {
  compressing++
  const packed = gzipOnThread(text, { level: JSON_LEVEL }).finally(() => compressing--)
  // The client may have disconnected.
  packed.catch(() => {})
  return packed
}

/**
 * The gzipped JSON text of a response, or null if it is sent uncompressed: if it is small; if it contains credentials
 * (`no-store`), which its length must not reveal (BREACH); or if it has an ETag, which identifies exactly these bytes
 * and returns in `If-Match`.
 */
export const compressJson = (text: string, headers: Headers): Uint8Array<ArrayBuffer> | Promise<Uint8Array> | null => {
  if (!isCompressible(text)) return null
  if (headers['cache-control'] !== undefined || headers.etag !== undefined) return null
  if (text.length <= MAX_SYNC_BYTES) return Bun.gzipSync(text, { level: JSON_LEVEL, library: 'libdeflate' })
  return compressing < MAX_COMPRESSING_COUNT ? compressLater(text) : null
}
