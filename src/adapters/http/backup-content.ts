import { type Context, Elysia, type Static, t } from 'elysia'
import type { Backups, StoredArchive } from '../../application/backups.ts'
import type { Log } from '../../application/ports/system.ts'
import { AppError, notFound } from '../../domain/errors.ts'
import { actorOf, type Call } from './call.ts'
import { sendContent } from './files/content.ts'
import type { Kernel, Rule } from './kernel.ts'
import { problems } from './problems.ts'
import { characters, IdParams, NotModified, queryOf } from './schemas.ts'

const SIGNED = ['session', 'expires', 'signature'] as const

/** Whether the request has the parameters of a signed link. */
const isSigned = (request: Request): boolean => {
  const { searchParams } = new URL(request.url)
  return SIGNED.every((name) => searchParams.has(name))
}

const withTokenOrLink: Rule = {
  who: (principal, request) => {
    if (isSigned(request)) return
    if (principal === null) throw new AppError('unauthenticated', 'Sign in to do this')
    if (principal.role !== 'admin') throw new AppError('forbidden', 'Only an admin may do this')
  },
  grantsAccess: isSigned,
}

const SignedQuery = queryOf({
  session: t.Optional(
    characters(
      { maxLength: 20 },
      { description: 'Part of a signed link, like `expires` and `signature`', examples: ['12'] },
    ),
  ),
  expires: t.Optional(characters({ maxLength: 20 }, { examples: ['1769855400'] })),
  signature: t.Optional(characters({ maxLength: 100 }, { examples: ['Yb2Xd9Lk4Rf6Hs1Ng8Ta3Ue5Io7Mp1Zt3q8Jc0m5Vw7'] })),
})

const binary = (description: string) =>
  t.String({
    description,
    contentMediaType: 'application/octet-stream',
    openapi: { type: 'string', format: 'binary' },
  })

interface AskedContent {
  readonly call: Call
  readonly params: Static<typeof IdParams>
  readonly query: Static<typeof SignedQuery>
  readonly request: Request
  readonly set: Context['set']
}

/** `GET` of `/:id/content`. */
export const backupContentRoutes = (kernel: Kernel, backups: Backups, log: Log) => {
  const find = (call: Call, backupId: number, query: Static<typeof SignedQuery>): Promise<StoredArchive> => {
    const { session, expires, signature } = query
    if (session === undefined || expires === undefined || signature === undefined) {
      return backups.open(actorOf(call), backupId)
    }
    if (!/^[1-9]\d{0,14}$/.test(session) || !/^[1-9]\d{0,11}$/.test(expires)) throw notFound('Archive')
    const parts = { backupId, sessionId: Number(session), expires: Number(expires) }
    return backups.resolve(parts, signature, call.id)
  }

  const content = async ({ call, params, query, request, set }: AskedContent) => {
    const archive = await find(call, Number(params.id), query)
    const { name: filename, size, sha256, read } = archive
    const failed = (error: unknown) => log.warn('a download was interrupted', { request_id: call.id, error })
    const file = { filename, size, sha256, contentType: 'application/octet-stream' }
    return sendContent({ file, read, shared: false, failed }, request, set)
  }

  return new Elysia({ tags: ['admin'] }).use(kernel).get('/:id/content', content, {
    admit: withTokenOrLink,
    params: IdParams,
    query: SignedQuery,
    response: {
      200: binary('The archive'),
      206: binary('The requested range'),
      304: NotModified,
      ...problems(403, 409, 416),
    },
    detail: {
      operationId: 'getBackupContent',
      summary: 'Download an archive, or a part of it',
      description: "Takes an admin's access token or a signed link. Supports `Range`.",
    },
  })
}
