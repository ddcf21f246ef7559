import type { Context } from 'elysia'
import { acceptsGzip, addVary, compressOnce } from './compression.ts'
import { isKnown } from './preconditions.ts'

type Headers = Context['set']['headers']

/** Content that does not change while the program runs. */
export interface Content {
  readonly body: () => Bun.BodyInit
  readonly type: string
  readonly etag: string
  /** The gzipped form. */
  readonly gzipped?: Uint8Array<ArrayBuffer>
}

export const contentEtag = (content: string | Uint8Array) => `"${Bun.hash(content).toString(36)}"`

export const fromText = (text: string, type: string): Content => ({ body: () => text, type, etag: contentEtag(text) })

/** As {@link fromText}, with a gzipped form. */
export const fromLongText = async (text: string, type: string): Promise<Content> => {
  const gzipped = await compressOnce(text)
  return { ...fromText(text, type), ...(gzipped === null ? {} : { gzipped }) }
}

/** Clients revalidate each time, so that a new version shows at once; unchanged content gets a 304. */
export const send = (content: Content, request: Request, headers: Headers): Response => {
  const { body, type, gzipped } = content
  const packed = gzipped !== undefined && acceptsGzip(request) ? gzipped : null
  // Each form has its own tag, because the bytes differ.
  const etag = packed === null ? content.etag : content.etag.replace(/"$/, '-gzip"')
  headers['cache-control'] = 'no-cache'
  headers.etag = etag
  if (gzipped !== undefined) addVary(headers, 'Accept-Encoding')
  if (isKnown(request, etag)) return new Response(null, { status: 304 })
  if (packed === null) return new Response(body(), { headers: { 'content-type': type } })
  return new Response(packed, { headers: { 'content-type': type, 'content-encoding': 'gzip' } })
}
