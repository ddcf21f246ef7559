import type { Context } from 'elysia'

type Headers = Context['set']['headers']

/** Something to serve that does not change while the program runs. */
export interface Content {
  readonly body: () => Bun.BodyInit
  readonly type: string
  readonly etag: string
}

export const etagOf = (content: string | Uint8Array) => `"${Bun.hash(content).toString(36)}"`

export const fromText = (text: string, type: string): Content => ({ body: () => text, type, etag: etagOf(text) })

/** Asked again each time, so that a new version shows at once; unchanged, it is not sent again. */
export const send = ({ body, type, etag }: Content, request: Request, headers: Headers): Response => {
  headers['cache-control'] = 'no-cache'
  headers.etag = etag
  if (request.headers.get('if-none-match') === etag) return new Response(null, { status: 304 })
  return new Response(body(), { headers: { 'content-type': type } })
}
