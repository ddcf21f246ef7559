import { Elysia, type Static, t } from 'elysia'
import type { FileLinks } from '../../../application/file-links.ts'
import type { Files } from '../../../application/files.ts'
import type { Log } from '../../../application/ports/system.ts'
import { MAX_OPEN_UPLOADS_COUNT, type StoredFile } from '../../../domain/file.ts'
import { actorOf, callerOf, clientOf } from '../call.ts'
import { integer } from '../integer.ts'
import type { Kernel, Rule } from '../kernel.ts'
import { NEWEST_FIRST, pageQuery, pageResponse, toPageRequest, toPageResponse } from '../pages.ts'
import { problems } from '../problems.ts'
import { Id, IdParams, IdText, NoContent, queryOf, Timestamp } from '../schemas.ts'
import { toTimestamp } from '../timestamps.ts'
import { createConcurrencyLimit } from './concurrency-limit.ts'
import { contentRoutes } from './content-routes.ts'
import { readUpload } from './multipart.ts'

const PATH = '/api/v1/files'

/** The maximum memory of one upload in progress. */
const UPLOAD_WINDOW_BYTES = 524_288

const FileResponse = t.Object(
  {
    id: Id,
    filename: t.String({ description: 'The name of the uploaded file, without a path', examples: ['table.jpg'] }),
    content_type: t.String({ description: 'Detected from the content', examples: ['image/jpeg'] }),
    size: integer({ minimum: 0, description: 'Bytes', examples: [52_488] }),
    sha256: t.String({
      description: 'The SHA-256 of the content, in hexadecimal',
      examples: ['9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08'],
    }),
    owner_id: Id,
    created_at: Timestamp,
    path: t.String({ description: 'The path of the content', examples: ['/api/v1/files/1/content'] }),
  },
  { title: 'StoredFile' },
)

/** A file as REST shows it. */
export const toFileResponse = (file: StoredFile, basePath: string): Static<typeof FileResponse> => ({
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
  body: JSON.stringify(toFileResponse(file, basePath)),
})

const SORTS = ['created_at'] as const

const FilesQuery = queryOf({ ...pageQuery(SORTS), owner_id: t.Optional(IdText) })

/** Only for the OpenAPI document: the body is streamed and not checked by a schema. */
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

const withToken: Rule = { who: 'user' }

export interface FileRoutesDeps {
  readonly files: Files
  readonly fileLinks: FileLinks
  readonly maxUploadBytes: number
  readonly log: Log
}

export const fileRoutes = (kernel: Kernel, deps: FileRoutesDeps, basePath: string) => {
  const { files, maxUploadBytes } = deps
  const shown = (file: StoredFile) => toFileResponse(file, basePath)
  const responseOf = created(basePath)
  const begin = createConcurrencyLimit(MAX_OPEN_UPLOADS_COUNT)

  return new Elysia({ prefix: '/files', tags: ['files'] })
    .use(kernel)
    .post(
      '/',
      async ({ call, request, withIdempotency, bodies, addressOf }) => {
        const actor = callerOf(call, addressOf(request))
        using _ = begin(actor.userId)
        using _reserved = bodies.take(clientOf(call), UPLOAD_WINDOW_BYTES)
        await using received = await files.receive(actor, await readUpload(request, maxUploadBytes))
        const sent = { sha256: received.sha256, filename: received.filename }
        return await withIdempotency({ request, actor, route: `POST ${PATH}`, sent, responseOf }, (idempotency) =>
          received.commit(idempotency),
        )
      },
      {
        admit: { who: 'user', body: 'stream', idempotent: true },
        response: { 201: FileResponse, ...problems() },
        detail: {
          operationId: 'uploadFile',
          summary: 'Upload a file',
          description:
            'Stores one file, sent as the part `file` of a form. The type is detected from the content, not from the name. A type that the server is not configured to accept is refused with `invalid_file_type`.',
          requestBody: UPLOAD,
        },
      },
    )
    .get(
      '/',
      async ({ call, query, request, noteRead }) => {
        const actor = actorOf(call)
        const asked = toPageRequest(query, SORTS, NEWEST_FIRST)
        const everyone = actor.role === 'admin' ? null : actor.userId
        const ownerId = query.owner_id === undefined ? everyone : Number(query.owner_id)
        const page = await files.list(actor, { ...asked, ownerId })
        await noteRead(call, request, { action: 'file.read', subject: 'files', owners: page.items })
        return toPageResponse(page, asked, shown)
      },
      {
        admit: withToken,
        query: FilesQuery,
        response: { 200: pageResponse(FileResponse), ...problems(403) },
        detail: {
          operationId: 'listFiles',
          summary: 'List your files or, as an admin, all files',
          description: 'Lists your files or, as an admin, those of all users. Only admins can use `owner_id`.',
        },
      },
    )
    .get(
      '/:id',
      async ({ call, params, request, noteRead }) => {
        const file = await files.get(actorOf(call), Number(params.id))
        await noteRead(call, request, { action: 'file.read', subject: `files/${file.id}`, owners: [file] })
        return shown(file)
      },
      {
        admit: withToken,
        params: IdParams,
        response: { 200: FileResponse, ...problems() },
        detail: {
          operationId: 'getFile',
          summary: 'Read the metadata of a file',
          description: 'Returns name, type, size and hash; the content is at `path`.',
        },
      },
    )
    .delete(
      '/:id',
      async ({ call, params, request, status, addressOf }) => {
        await files.remove(callerOf(call, addressOf(request)), Number(params.id))
        return status(204, undefined)
      },
      {
        admit: { ...withToken, mayTakeLong: true },
        params: IdParams,
        response: { 204: NoContent, ...problems(403, 409) },
        detail: {
          operationId: 'deleteFile',
          summary: 'Delete a file; its links stop working',
          description: 'Deletes a file and its content.',
        },
      },
    )
    .use(contentRoutes(kernel, deps))
}
