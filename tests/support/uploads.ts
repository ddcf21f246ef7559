import type { Answer } from './call.ts'

export interface FileBody {
  readonly id: number
  readonly filename: string
  readonly content_type: string
  readonly size: number
  readonly sha256: string
  readonly owner_id: number
  readonly created_at: string
  readonly path: string
  /** Of a refusal. */
  readonly code?: string
  readonly detail?: string
}

/** The smallest PNG there is: one pixel. */
export const PNG = Uint8Array.fromBase64(
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==',
)

const BOUNDARY = 'a-boundary-of-the-tests'

export const MULTIPART = `multipart/form-data; boundary=${BOUNDARY}`

/** One part, with its headers as they are to be sent. */
export const part = (disposition: string, content: Uint8Array | string, type = 'application/octet-stream') =>
  Buffer.concat([
    Buffer.from(`--${BOUNDARY}\r\nContent-Disposition: form-data; ${disposition}\r\nContent-Type: ${type}\r\n\r\n`),
    Buffer.from(content),
    Buffer.from('\r\n'),
  ])

export const END = Buffer.from(`--${BOUNDARY}--\r\n`)

export const multipart = (...parts: readonly Uint8Array[]) => new Uint8Array(Buffer.concat([...parts, END]))

type Caller = <T>(
  method: string,
  path: string,
  options: { token?: string; body: Uint8Array<ArrayBuffer> | ReadableStream; headers: Record<string, string> },
) => Promise<Answer<T>>

interface Options {
  readonly token?: string
  readonly content?: Uint8Array | string
  readonly filename?: string
  readonly type?: string
  readonly headers?: Readonly<Record<string, string>>
}

/** Uploads one file: the picture {@link PNG}, unless told otherwise. */
export const upload = (call: Caller, options: Options = {}): Promise<Answer<FileBody>> => {
  const { token, content = PNG, filename = 'picture.png', type, headers } = options
  return call<FileBody>('POST', '/files/', {
    ...(token === undefined ? {} : { token }),
    body: multipart(part(`name="file"; filename="${filename}"`, content, type)),
    headers: { 'content-type': MULTIPART, ...headers },
  })
}

/** So many bytes of `part`, again and again, as one multipart body that nobody holds whole. */
export const streamedUpload = (size: number, piece: Uint8Array): ReadableStream<Uint8Array> => {
  let left = size
  const head = part('name="file"; filename="large.bin"', '').subarray(0, -2)
  return new ReadableStream({
    start: (controller) => controller.enqueue(head),
    pull(controller) {
      if (left === 0) {
        controller.enqueue(Buffer.concat([Buffer.from('\r\n'), END]))
        controller.close()
        return
      }
      const next = piece.subarray(0, Math.min(left, piece.byteLength))
      left -= next.byteLength
      controller.enqueue(next)
    },
  })
}
