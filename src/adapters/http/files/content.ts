import type { Context } from 'elysia'
import type { BlobBytes } from '../../../application/ports/blobs.ts'
import { requestedRange } from '../../../domain/byte-range.ts'
import type { StoredFile } from '../../../domain/file.ts'
import { isKnown } from '../preconditions.ts'
import { HttpProblem } from '../problems.ts'

/** Types that a browser displays and never runs. */
export const SAFE_IMAGES = ['image/jpeg', 'image/png', 'image/gif', 'image/webp', 'image/avif']

const percent = (character: string) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`

type SentFile = Pick<StoredFile, 'filename' | 'contentType' | 'size' | 'sha256'>

/** RFC 6266: the name in ASCII for old clients, and in full (RFC 8187). */
const disposition = ({ contentType, filename }: SentFile): string => {
  const kind = SAFE_IMAGES.includes(contentType) ? 'inline' : 'attachment'
  const ascii = filename.replace(/[^ -~]|["\\%]/gu, '_')
  return `${kind}; filename="${ascii}"; filename*=UTF-8''${encodeURIComponent(filename).replace(/['()*]/g, percent)}`
}

/**
 * Whether `If-Range` allows a partial response (RFC 9110 section 13.1.5). Dates never match, because the server sends
 * no `Last-Modified`.
 */
const allowsPart = (request: Request, etag: string): boolean => {
  const condition = request.headers.get('if-range')
  return condition === null || condition.trim() === etag
}

/** The requested range, which RFC 9110 section 14.2 defines only for GET. Throws `range_not_satisfiable`. */
const partOf = (request: Request, size: number, etag: string) => {
  if (request.method !== 'GET' || !allowsPart(request, etag)) return null
  const range = requestedRange(request.headers.get('range'), size)
  if (range === 'unsatisfiable') {
    const headers = { 'content-range': `bytes */${size}`, 'accept-ranges': 'bytes' }
    throw new HttpProblem('range_not_satisfiable', `The file has ${size} bytes`, { headers })
  }
  return range === 'whole' ? null : range
}

const typeOf = ({ contentType }: SentFile) =>
  contentType.startsWith('text/') ? `${contentType}; charset=utf-8` : contentType

export interface ServedFile {
  readonly file: SentFile
  readonly read: (first: number, end: number) => Promise<BlobBytes>
  /** Whether pages of other origins may embed it. */
  readonly shared: boolean
  /** Called with the reason if a response could not be completed. */
  readonly failed: (error: unknown) => void
}

/**
 * A body that is read as fast as the client reads it. If reading fails, the connection is reset, so that a partial
 * response does not look complete. No error is passed to Bun, because Bun would write it to stderr.
 */
const bodyOf = (bytes: BlobBytes, failed: ServedFile['failed']): Blob | ReadableStream<Uint8Array> => {
  if (bytes instanceof Blob) return bytes
  const reader = bytes.getReader()
  return new ReadableStream({
    async pull(controller) {
      try {
        const next = await reader.read()
        if (next.done) controller.close()
        else controller.enqueue(next.value)
      } catch (error) {
        failed(error)
        controller.error()
      }
    },
    cancel: (reason) => reader.cancel(reason),
  })
}

/**
 * The body of a HEAD response. Elysia runs the GET route, reads the body to its end and uses `byteLength` for
 * `Content-Length`; this avoids reading the file.
 */
const headBody = (byteLength: number): ReadableStream =>
  new ReadableStream({
    start(controller) {
      controller.enqueue({ byteLength })
      controller.close()
    },
  })

/** Sends a file or a part of it. The content is untrusted, so nothing in it may run in the server's origin. */
export const sendContent = async (
  { file, read, shared, failed }: ServedFile,
  request: Request,
  set: Context['set'],
) => {
  const etag = `"${file.sha256}"`
  const known = isKnown(request, etag)
  const part = known ? null : partOf(request, file.size, etag)
  const first = part?.first ?? 0
  // For HEAD, it is enough to know that the bytes exist.
  const end = request.method === 'HEAD' ? 0 : part === null ? file.size : part.last + 1
  const bytes = known ? null : await read(first, end)
  const { headers } = set
  headers.etag = etag
  // Caches must revalidate each time, because a link can be revoked.
  headers['cache-control'] = 'private, no-cache'
  headers['content-security-policy'] = "sandbox; default-src 'none'"
  if (shared) headers['cross-origin-resource-policy'] = 'cross-origin'
  if (bytes === null) {
    set.status = 304
    return new Response(null, { status: 304 })
  }
  headers['accept-ranges'] = 'bytes'
  headers['content-disposition'] = disposition(file)
  if (request.method === 'HEAD') {
    return new Response(headBody(file.size), { headers: { 'content-type': typeOf(file) } })
  }
  const body = bodyOf(bytes, failed)
  if (part === null) return new Response(body, { headers: { 'content-type': typeOf(file) } })
  set.status = 206
  headers['content-range'] = `bytes ${part.first}-${part.last}/${file.size}`
  return new Response(body, { status: 206, headers: { 'content-type': typeOf(file) } })
}
