import { Type } from '@sinclair/typebox'
import { Elysia, type Static, t } from 'elysia'
import type { FileLinks, SignedLink } from '../../../application/file-links.ts'
import type { Files } from '../../../application/files.ts'
import { LINK_LIFE_SECONDS } from '../../../domain/file.ts'
import { actorOf, callerOf } from '../call.ts'
import type { Kernel, Rule } from '../kernel.ts'
import { NEWEST_FIRST, pageQuery, pageResponse, toPageRequest, toPageResponse } from '../pages.ts'
import { problems } from '../problems.ts'
import { body, characters, hasId, Id, IdParams, IdText, NoContent, queryOf, Timestamp } from '../schemas.ts'
import { toTimestamp } from '../timestamps.ts'

const LinkBody = body('FileLinkCreate', {
  // Elysia's own type accepts "60" as a number.
  expires_in: Type.Integer({ ...LINK_LIFE_SECONDS, description: 'Seconds until the link expires', examples: [3_600] }),
})

const contentPath = (fileId: number) => `/api/v1/files/${fileId}/content`

const SIGNATURE = 'Yb2Xd9Lk4Rf6Hs1Ng8Ta3Ue5Io7Mp1Zt3q8Jc0m5Vw7'

const LinkResponse = t.Object(
  {
    id: Id,
    url: t.String({
      description: 'Gives access to the content without a token',
      openapi: { type: 'string', format: 'uri' },
      examples: [`https://api.example.com${contentPath(1)}?link=1&expires=1769855400&signature=${SIGNATURE}`],
    }),
    expires_at: Timestamp,
  },
  { title: 'FileLink' },
)

const LinkParams = t.Object({ ...IdParams.properties, link_id: IdText })

const SORTS = ['created_at'] as const

/** The query parameters of a signed link. */
export const SignedQuery = queryOf({
  link: t.Optional(
    characters(
      { maxLength: 20 },
      { description: 'Part of a signed link, like `expires` and `signature`', examples: ['1'] },
    ),
  ),
  expires: t.Optional(characters({ maxLength: 20 }, { examples: ['1769855400'] })),
  signature: t.Optional(characters({ maxLength: 100 }, { examples: [SIGNATURE] })),
})

const SIGNED = ['link', 'expires', 'signature'] as const

/** Whether the request has the parameters of a signed link. */
export const isSigned = (request: Request): boolean => {
  const { url } = request
  const start = url.indexOf('?')
  if (start === -1) return false
  const parameters = new URLSearchParams(url.slice(start))
  return SIGNED.every((name) => parameters.has(name))
}

const createResponses = (publicUrl: () => string) => {
  const toResponse = ({ link, parts, signature }: SignedLink): Static<typeof LinkResponse> => ({
    id: link.id,
    url: `${publicUrl()}${contentPath(link.fileId)}?link=${link.id}&expires=${parts.expires}&signature=${signature}`,
    expires_at: toTimestamp(link.expiresAt),
  })

  const created = (signed: SignedLink) => ({
    status: 201,
    headers: {
      location: `/api/v1/files/${signed.link.fileId}/links/${signed.link.id}`,
      'cache-control': 'no-store',
    },
    body: JSON.stringify(toResponse(signed)),
  })

  return { toResponse, created }
}

export const fileLinkRoutes = (kernel: Kernel, files: Files, links: FileLinks, publicUrl: () => string) => {
  const linkRule: Rule = {
    who: 'user',
    body: 'json',
    idempotent: true,
    checkAccess: (actor, params) => hasId(params) && files.get(actor, Number(params.id)),
  }
  const { toResponse, created } = createResponses(publicUrl)
  return new Elysia({ prefix: '/files/:id/links', tags: ['files'] })
    .use(kernel)
    .post(
      '',
      ({ call, params, body, request, withIdempotency, addressOf }) => {
        const actor = callerOf(call, addressOf(request))
        const fileId = Number(params.id)
        const sent = { fileId, ...body }
        return withIdempotency(
          { request, actor, route: 'POST /api/v1/files/:id/links', sent, responseOf: created },
          (idempotency) => links.create(actor, fileId, body.expires_in, idempotency),
        )
      },
      {
        admit: linkRule,
        params: IdParams,
        body: LinkBody,
        response: { 201: LinkResponse, ...problems() },
        detail: {
          operationId: 'createFileLink',
          summary: 'Create a link that gives access to a file without a token',
          description:
            'The link gives access to the content without a token until it expires, is deleted, or its creator or the owner of the file loses the right to the file.',
        },
      },
    )
    .get(
      '',
      async ({ call, params, query, set }) => {
        set.headers['cache-control'] = 'no-store'
        const request = toPageRequest(query, SORTS, NEWEST_FIRST)
        return toPageResponse(await links.list(actorOf(call), Number(params.id), request), request, toResponse)
      },
      {
        admit: { who: 'user' },
        params: IdParams,
        query: queryOf(pageQuery(SORTS)),
        response: { 200: pageResponse(LinkResponse), ...problems() },
        detail: {
          operationId: 'listFileLinks',
          summary: 'List the links to a file that have not expired',
          description: 'Includes every link to this file, whoever created it.',
        },
      },
    )
    .get(
      '/:link_id',
      async ({ call, params, set }) => {
        set.headers['cache-control'] = 'no-store'
        return toResponse(await links.get(actorOf(call), Number(params.id), Number(params.link_id)))
      },
      {
        admit: { who: 'user' },
        params: LinkParams,
        response: { 200: LinkResponse, ...problems() },
        detail: {
          operationId: 'getFileLink',
          summary: 'Read a link to a file',
          description: 'Returns the same representation as when the link was created.',
        },
      },
    )
    .delete(
      '/:link_id',
      async ({ call, params, request, status, addressOf }) => {
        await links.remove(callerOf(call, addressOf(request)), Number(params.id), Number(params.link_id))
        return status(204, undefined)
      },
      {
        admit: { who: 'user' },
        params: LinkParams,
        response: { 204: NoContent, ...problems() },
        detail: {
          operationId: 'deleteFileLink',
          summary: 'Revoke a link',
          description: 'The link stops working from the next request on.',
        },
      },
    )
}
