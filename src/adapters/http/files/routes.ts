import { type Context, Elysia, type Static, t } from 'elysia'
import type { FileLinks } from '../../../application/file-links.ts'
import type { Files } from '../../../application/files.ts'
import type { Log } from '../../../application/ports/system.ts'
import { AppError, notFound } from '../../../domain/errors.ts'
import { MAX_OPEN_UPLOADS_COUNT, type StoredFile } from '../../../domain/file.ts'
import { actorOf, type Call, clientOf } from '../call.ts'
import type { Kernel, Rule } from '../kernel.ts'
import { pageQuery, pageResponse, toPageRequest, toPageResponse } from '../pages.ts'
import { problems } from '../problems.ts'
import { Id, IdParams, IdText, NoContent, NotModified, queryOf, Timestamp } from '../schemas.ts'
import { toTimestamp } from '../timestamps.ts'
import { createConcurrencyLimit } from './concurrency-limit.ts'
import { SAFE_IMAGES, type ServedFile, sendContent } from './content.ts'
import { isSigned, SignedQuery } from './links.ts'
import { readUpload } from './multipart.ts'

const PATH = '/api/v1/files'

/** The most memory that one upload uses while it arrives. */
const UPLOAD_WINDOW_BYTES = 524_288

export const FileResponse = t.Object(
  {
    id: Id,
    filename: t.String({ description: 'As it was uploaded, without a path', examples: ['table.jpg'] }),
    content_type: t.String({ description: 'Judged by content', examples: ['image/jpeg'] }),
    size: t.Integer({ minimum: 0, description: 'Bytes', examples: [52_488] }),
    sha256: t.String({
      description: 'Of the content, in hexadecimal',
      examples: ['9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08'],
    }),
    owner_id: Id,
    created_at: Timestamp,
    path: t.String({ description: 'Where the content is', examples: ['/api/v1/files/1/content'] }),
  },
  { title: 'StoredFile' },
)

const toResponse = (file: StoredFile, basePath: string): Static<typeof FileResponse> => ({
  id: file.id,
  filename: file.filename,
  content_type: file.contentType,
  size: file.size,
  sha256: file.sha256,
  owner_id: file.ownerId,
  created_at: toTimestamp(file.createdAt),
  path: `${basePath}${PATH}/${file.id}/content`,
})

const created = (basePath: string) => (file: StoredFile) => ({
  status: 201,
  headers: { location: `${PATH}/${file.id}` },
  body: JSON.stringify(toResponse(file, basePath)),
})

const SORTS = ['created_at'] as const

const FilesQuery = queryOf({ ...pageQuery(SORTS), owner_id: t.Optional(IdText) })

/** For the document: the body is read as it comes, and by no schema. */
const UPLOAD = {
  content: {
    'multipart/form-data': {
      schema: {
        type: 'object' as const,
        title: 'FileUpload',
        required: ['file'],
        additionalProperties: false,
        properties: { file: { type: 'string' as const, format: 'binary' } },
      },
    },
  },
}

const binary = (description: string) =>
  t.String({
    description,
    // What a browser may show comes as it is; the type of anything else is in `content_type` of the file.
    contentMediaType: ['application/octet-stream', ...SAFE_IMAGES].join(', '),
    openapi: { type: 'string', format: 'binary' },
  })

const withToken: Rule = { who: 'user' }

/** Requires a token or a signed link. With a link the token is ignored, since it may be stale. */
const withTokenOrLink: Rule = {
  who: (principal, request) => {
    if (principal === null && !isSigned(request)) throw new AppError('unauthenticated', 'Sign in to do this')
  },
  opens: isSigned,
}

/** What GET and HEAD of a content have in common. */
const CONTENT = { admit: withTokenOrLink, params: IdParams, query: SignedQuery }

interface AskedContent {
  readonly call: Call
  readonly params: Static<typeof IdParams>
  readonly query: Static<typeof SignedQuery>
  readonly request: Request
  readonly set: Context['set']
}

export interface FileRoutesDeps {
  readonly files: Files
  readonly fileLinks: FileLinks
  /** Bytes. */
  readonly maxUploadSize: number
  readonly log: Log
}

export const fileRoutes = (kernel: Kernel, deps: FileRoutesDeps, basePath: string) => {
  const { files, fileLinks, maxUploadSize, log } = deps
  const shown = (file: StoredFile) => toResponse(file, basePath)
  const answer = created(basePath)
  const find = async (call: Call, fileId: number, query: Static<typeof SignedQuery>): Promise<ServedFile> => {
    const failed = (error: unknown) => log.warn('a download broke off', { request_id: call.id, error })
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

  const begin = createConcurrencyLimit(MAX_OPEN_UPLOADS_COUNT)

  const content = async ({ call, params, query, request, set }: AskedContent) =>
    sendContent(await find(call, Number(params.id), query), request, set)

  return new Elysia({ prefix: '/files', tags: ['files'] })
    .use(kernel)
    .post(
      '/',
      async ({ call, request, withIdempotency, bodies }) => {
        const actor = actorOf(call)
        using _ = begin(actor.userId)
        using _reserved = bodies.take(clientOf(call), UPLOAD_WINDOW_BYTES)
        await using received = await files.receive(actor, await readUpload(request, maxUploadSize))
        const sent = { sha256: received.sha256, filename: received.filename }
        return await withIdempotency({ request, actor, route: `POST ${PATH}`, sent, answer }, (idempotency) =>
          received.keep(idempotency),
        )
      },
      {
        admit: { who: 'user', body: 'stream', idempotent: true },
        response: { 201: FileResponse, ...problems(400, 401, 409, 413, 415, 422, 429, 503, 507) },
        detail: {
          operationId: 'uploadFile',
          summary: 'Upload a file',
          description:
            'Stores one file, sent as the part `file` of a form. Its type is judged by its content, not by its name: one that the server is not set to accept is refused with `invalid_file_type`.',
          requestBody: UPLOAD,
        },
      },
    )
    .get(
      '/',
      async ({ call, query }) => {
        const actor = actorOf(call)
        const request = toPageRequest(query, SORTS, { field: 'created_at', descending: true })
        const everyone = actor.role === 'admin' ? null : actor.userId
        const ownerId = query.owner_id === undefined ? everyone : Number(query.owner_id)
        return toPageResponse(await files.list(actor, { ...request, ownerId }), request, shown)
      },
      {
        admit: withToken,
        query: FilesQuery,
        response: { 200: pageResponse(FileResponse), ...problems(400, 401, 403, 422, 429, 503) },
        detail: {
          operationId: 'listFiles',
          summary: 'List files: your own or, for an admin, all',
          description: 'Your own or, for an admin, everyone’s; `owner_id` is for admins.',
        },
      },
    )
    .get('/:id', async ({ call, params }) => shown(await files.get(actorOf(call), Number(params.id))), {
      admit: withToken,
      params: IdParams,
      response: { 200: FileResponse, ...problems(400, 401, 404, 422, 429, 503) },
      detail: {
        operationId: 'getFile',
        summary: 'What is known of a file',
        description: 'Name, type, size and hash; the content is at `path`.',
      },
    })
    .delete(
      '/:id',
      async ({ call, params, status }) => {
        await files.remove(actorOf(call), Number(params.id))
        return status(204, undefined)
      },
      {
        admit: withToken,
        params: IdParams,
        response: { 204: NoContent, ...problems(400, 401, 404, 422, 429, 503, 507) },
        detail: {
          operationId: 'deleteFile',
          summary: 'Delete a file; its links open nothing from now on',
          description: 'Deletes a file and its content.',
        },
      },
    )
    .get('/:id/content', content, {
      ...CONTENT,
      response: {
        200: binary('The content'),
        206: binary('The part that `Range` asked for'),
        304: NotModified,
        ...problems(400, 401, 404, 416, 422, 429, 503),
      },
      detail: {
        operationId: 'getFileContent',
        summary: 'The content of a file, or a part of it',
        description:
          'With an access token, or by a signed link without one. Takes `Range` for a part, and `If-None-Match` for what you have. Images that are safe to show come with their own type; other content is never run by a browser.',
      },
    })
    .head('/:id/content', content, {
      ...CONTENT,
      response: {
        200: t.Void({ description: 'What GET would say of the content' }),
        304: NotModified,
        ...problems(400, 401, 404, 422, 429, 503),
      },
      detail: {
        operationId: 'headFileContent',
        summary: 'What is said of the content of a file',
        description: 'The headers that GET answers, without the content.',
      },
    })
}
