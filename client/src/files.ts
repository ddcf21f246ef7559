import type { Credentials } from './auth.ts'
import type { Caller } from './call.ts'
import { problemOf, SkepError } from './errors.ts'
import { platform, randomKey } from './platform.ts'
import { aborted, headersOf } from './transport.ts'
import type { CallOptions, OnceOptions, Page } from './types.ts'

/** A file. */
export interface StoredFile {
  readonly id: number
  readonly filename: string
  readonly content_type: string
  /** Bytes. */
  readonly size: number
  readonly sha256: string
  readonly owner_id: number
  readonly created_at: string
  readonly path: string
}

/** A link that gives access to a file without signing in, until it expires. */
export interface FileLink {
  readonly id: number
  readonly url: string
  readonly expires_at: string
}

export interface UploadOptions extends OnceOptions {
  /** By default the name of a `File`. */
  readonly filename?: string
  /** Called with the bytes sent, and how many there are. Without XMLHttpRequest only at the end. */
  readonly onProgress?: (sentBytes: number, totalBytes: number) => void
}

export interface Files {
  /**
   * Uploads a file.
   *
   * @example
   * ```ts
   * const picture = new Blob([Uint8Array.from(atob(PNG), (c) => c.charCodeAt(0))])
   * const file = await client.files.upload(picture, {
   *   filename: 'dot.png',
   *   onProgress: (sentBytes, totalBytes) => console.log(sentBytes / totalBytes),
   * })
   * console.log(file.id)
   * ```
   */
  upload(content: Blob, options?: UploadOptions): Promise<StoredFile>
  /**
   * Lists files of one's own, newest first.
   *
   * @example
   * ```ts
   * const { items } = await client.files.list({ size: 100 })
   * ```
   */
  list(
    options?: CallOptions & { readonly page?: number; readonly size?: number; readonly cursor?: string },
  ): Promise<Page<StoredFile>>
  /**
   * Reads what is known of a file.
   *
   * @example
   * ```ts
   * const { filename, size } = await client.files.get(fileId)
   * ```
   */
  get(id: number, options?: CallOptions): Promise<StoredFile>
  /**
   * Downloads a file. Read the body of the response as a blob, or as a stream.
   *
   * @example
   * ```ts
   * const blob = await (await client.files.download(fileId)).blob()
   * ```
   */
  download(id: number, options?: CallOptions): Promise<Response>
  /**
   * Deletes a file.
   *
   * @example
   * ```ts
   * await client.files.delete(fileId)
   * ```
   */
  delete(id: number, options?: CallOptions): Promise<void>
  /**
   * Makes a link that works without signing in, for up to seven days.
   *
   * @example
   * ```ts
   * const { url } = await client.files.link(fileId, { expiresInSeconds: 3600 })
   * ```
   */
  link(id: number, options: CallOptions & { readonly expiresInSeconds: number }): Promise<FileLink>
  /**
   * Lists the links of a file that have not expired.
   *
   * @example
   * ```ts
   * const { items } = await client.files.links(fileId)
   * ```
   */
  links(id: number, options?: CallOptions): Promise<Page<FileLink>>
  /**
   * Ends a link.
   *
   * @example
   * ```ts
   * const link = await client.files.link(fileId, { expiresInSeconds: 60 })
   * await client.files.unlink(fileId, link.id)
   * ```
   */
  unlink(id: number, linkId: number, options?: CallOptions): Promise<void>
}

interface Upload {
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  readonly form: FormData
  readonly onProgress: (sentBytes: number, totalBytes: number) => void
  readonly signal: AbortSignal | undefined
}

/** `fetch` does not report how much it has sent. */
const sendByXhr = (Request: NonNullable<typeof platform.XMLHttpRequest>, upload: Upload): Promise<StoredFile> =>
  new Promise((resolve, reject) => {
    const { url, headers, form, onProgress, signal } = upload
    if (signal?.aborted) return reject(aborted(signal))
    const request = new Request()
    const abort = () => request.abort()
    const end = (work: () => void) => () => {
      signal?.removeEventListener('abort', abort)
      work()
    }
    request.open('POST', url)
    for (const [name, value] of Object.entries(headers)) request.setRequestHeader(name, value)
    request.upload.onprogress = ({ loaded, total }) => onProgress(loaded, total)
    request.onload = end(() => {
      if (request.status === 201) resolve(JSON.parse(request.responseText))
      else reject(problemOf(request.status, request.responseText))
    })
    request.onerror = end(() => reject(new SkepError('network_error', 'The server did not answer')))
    request.onabort = end(() => reject(aborted(signal)))
    signal?.addEventListener('abort', abort, { once: true })
    request.send(form)
  })

export const createFiles = ({ call, once, reply }: Caller, { token }: Credentials, base: string): Files => ({
  async upload(content, options = {}) {
    const { filename = 'name' in content ? String(content.name) : 'file', onProgress, signal } = options
    const { idempotencyKey = randomKey() } = options
    const form = new FormData()
    form.append('file', content, filename)
    if (onProgress === undefined || platform.XMLHttpRequest === undefined) {
      const file = await once<StoredFile>('/files/', { body: form, signal }, idempotencyKey)
      onProgress?.(content.size, content.size)
      return file
    }
    const headers = headersOf({ token: await token(), key: idempotencyKey })
    return sendByXhr(platform.XMLHttpRequest, { url: `${base}/api/v1/files/`, headers, form, onProgress, signal })
  },
  list: ({ signal, ...query } = {}) => call('GET', '/files/', { query, signal }),
  get: (id, options) => call('GET', `/files/${id}`, options),
  download: async (id, options) => (await reply('GET', `/files/${id}/content`, { ...options, streams: true })).response,
  delete: (id, options) => call('DELETE', `/files/${id}`, options),
  link: (id, { expiresInSeconds, signal }) =>
    once(`/files/${id}/links`, { json: { expires_in: expiresInSeconds }, signal }),
  links: (id, options) => call('GET', `/files/${id}/links`, { ...options, query: { size: 100 } }),
  unlink: (id, linkId, options) => call('DELETE', `/files/${id}/links/${linkId}`, options),
})
