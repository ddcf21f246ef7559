import { type Context, Elysia, type Static, t } from 'elysia'
import type { FileLinks } from '../../../application/file-links.ts'
import type { Files } from '../../../application/files.ts'
import type { Log } from '../../../application/ports/system.ts'
import { AppError, notFound } from '../../../domain/errors.ts'
import type { StoredFile } from '../../../domain/file.ts'
import { actorOf, type Call } from '../call.ts'
import type { Kernel, Rule } from '../kernel.ts'
import type { NoteRead } from '../noted-reads.ts'
import { problems } from '../problems.ts'
import { IdParams, NotModified } from '../schemas.ts'
import { SAFE_IMAGES, type ServedFile, sendContent } from './content.ts'
import { isSigned, SignedQuery } from './links.ts'

const binary = (description: string) =>
  t.String({
    description,
    // Types that browsers may display keep their content type; the type of other files is in the file's `content_type`.
    contentMediaType: ['application/octet-stream', ...SAFE_IMAGES].join(', '),
    openapi: { type: 'string', format: 'binary' },
  })

/** Requires a token or a signed link. With a link, a token in the same request is ignored, because it may be stale. */
const withTokenOrLink: Rule = {
  who: (principal, request) => {
    if (principal === null && !isSigned(request)) throw new AppError('unauthenticated', 'Sign in to do this')
  },
  grantsAccess: isSigned,
}

/** Shared by GET and HEAD of the content. */
const CONTENT = { admit: withTokenOrLink, params: IdParams, query: SignedQuery }

interface AskedContent {
  readonly call: Call
  readonly params: Static<typeof IdParams>
  readonly query: Static<typeof SignedQuery>
  readonly request: Request
  readonly set: Context['set']
  readonly noteRead: NoteRead
}

interface Deps {
  readonly files: Files
  readonly fileLinks: FileLinks
  readonly log: Log
}

/** `GET` and `HEAD` of `/:id/content`. */
export const contentRoutes = (kernel: Kernel, { files, fileLinks, log }: Deps) => {
  const find = async (
    call: Call,
    fileId: number,
    query: Static<typeof SignedQuery>,
  ): Promise<ServedFile & { readonly file: StoredFile }> => {
    const failed = (error: unknown) => log.warn('a download was interrupted', { request_id: call.id, error })
    const { link, expires, signature } = query
    if (link === undefined || expires === undefined || signature === undefined) {
      const file = await files.get(actorOf(call), fileId)
      return { file, read: (first, end) => files.read(file, first, end), shared: false, failed }
    }
    if (!/^[1-9]\d{0,14}$/.test(link) || !/^[1-9]\d{0,11}$/.test(expires)) throw notFound('File')
    const parts = { fileId, linkId: Number(link), expires: Number(expires) }
    const file = await fileLinks.resolve(parts, signature)
    return { file, read: (first, end) => files.read(file, first, end), shared: true, failed }
  }

  const content = async ({ call, params, query, request, set, noteRead }: AskedContent) => {
    const served = await find(call, Number(params.id), query)
    const { file, shared } = served
    // A signed link grants access to anyone.
    const owners = shared ? [] : [file]
    await noteRead(call, request, { action: 'file.read', subject: `files/${file.id}`, owners })
    return sendContent(served, request, set)
  }

  return new Elysia({ tags: ['files'] })
    .use(kernel)
    .get('/:id/content', content, {
      ...CONTENT,
      response: {
        200: binary('The content'),
        206: binary('The requested range'),
        304: NotModified,
        ...problems(416),
      },
      detail: {
        operationId: 'getFileContent',
        summary: 'Download a file, or a part of it',
        description:
          'Takes an access token or a signed link. Supports `Range` for a part, and `If-None-Match` for a cached copy. Images that are safe to display are sent with their own type; no browser runs any other content.',
      },
    })
    .head('/:id/content', content, {
      ...CONTENT,
      response: {
        200: t.Void({ description: 'The headers of GET' }),
        304: NotModified,
        ...problems(),
      },
      detail: {
        operationId: 'headFileContent',
        summary: 'Read the headers of a file',
        description: 'Returns the headers of GET, without the content.',
      },
    })
}
