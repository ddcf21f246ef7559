import { Elysia, type Static, t } from 'elysia'
import type { Sessions } from '../../application/sessions.ts'
import type { Session } from '../../domain/session.ts'
import { actorOf, callerOf } from './call.ts'
import type { Kernel } from './kernel.ts'
import { NEWEST_FIRST, pageQuery, pageResponse, toPageRequest, toPageResponse } from './pages.ts'
import { problems } from './problems.ts'
import { choiceOf, Id, IdParams, NoContent, queryOf, Timestamp } from './schemas.ts'
import { toTimestamp } from './timestamps.ts'

const SessionResponse = t.Object(
  {
    id: Id,
    device: t.String({ description: 'The User-Agent at sign-in', examples: ['Mozilla/5.0'] }),
    address: t.String({ description: 'The address it was last used from', examples: ['203.0.113.7'] }),
    created_at: Timestamp,
    last_used_at: Timestamp,
    expires_at: Timestamp,
    current: t.Boolean({ description: 'Whether this request belongs to it', examples: [true] }),
  },
  { title: 'Session' },
)

const toResponse = (session: Session, current: number): Static<typeof SessionResponse> => ({
  id: session.id,
  device: session.device,
  address: session.address,
  created_at: toTimestamp(session.createdAt),
  last_used_at: toTimestamp(session.lastUsedAt),
  expires_at: toTimestamp(session.expiresAt),
  current: session.id === current,
})

const SORTS = ['created_at'] as const

const EndQuery = queryOf({
  force_reset: t.Optional(
    choiceOf(['true', 'false'], {
      description: '`true`: also invalidates the password, and mails a link to choose another',
    }),
  ),
})

/** Admins' access to the sessions of other users. */
export const userSessionRoutes = (kernel: Kernel, sessions: Sessions) =>
  new Elysia({ prefix: '/users/:id/sessions', tags: ['users'] })
    .use(kernel)
    .get(
      '',
      async ({ call, params, query, request, noteRead }) => {
        const actor = actorOf(call)
        const asked = toPageRequest(query, SORTS, NEWEST_FIRST)
        const userId = Number(params.id)
        const page = await sessions.listOf(actor, userId, asked)
        const owners = [{ ownerId: userId }]
        await noteRead(call, request, { action: 'user.read', subject: `users/${userId}`, owners })
        return toPageResponse(page, asked, (session) => toResponse(session, actor.sessionId))
      },
      {
        admit: { who: 'admin' },
        params: IdParams,
        query: queryOf(pageQuery(SORTS)),
        response: { 200: pageResponse(SessionResponse), ...problems() },
        detail: {
          operationId: 'listUserSessions',
          summary: 'List the sessions of a user (admin)',
          description: 'For admins: lists the active sessions of another user.',
        },
      },
    )
    .delete(
      '',
      async ({ call, params, query, request, status, addressOf }) => {
        await sessions.endAllOf(callerOf(call, addressOf(request)), Number(params.id), query.force_reset === 'true')
        return status(204, undefined)
      },
      {
        admit: { who: 'admin' },
        params: IdParams,
        query: EndQuery,
        response: { 204: NoContent, ...problems() },
        detail: {
          operationId: 'endUserSessions',
          summary: 'Sign a user out everywhere (admin)',
          description:
            'For admins: ends every session of another user immediately. With `force_reset=true` the password stops working too, and the user is mailed a link to choose another.',
        },
      },
    )

export const sessionRoutes = (kernel: Kernel, sessions: Sessions) =>
  new Elysia({ prefix: '/auth/sessions', tags: ['auth'] })
    .use(kernel)
    .get(
      '',
      async ({ call, query }) => {
        const actor = actorOf(call)
        const request = toPageRequest(query, SORTS, NEWEST_FIRST)
        const page = await sessions.list(actor, request)
        return toPageResponse(page, request, (session) => toResponse(session, actor.sessionId))
      },
      {
        admit: { who: 'user' },
        query: queryOf(pageQuery(SORTS)),
        response: { 200: pageResponse(SessionResponse), ...problems() },
        detail: {
          operationId: 'listSessions',
          summary: 'List your sessions',
          description: 'Lists your active sessions: the device, the address and the last use of each.',
        },
      },
    )
    .delete(
      '',
      async ({ call, request, status, addressOf }) => {
        await sessions.endAll(callerOf(call, addressOf(request)))
        return status(204, undefined)
      },
      {
        admit: { who: 'user' },
        response: { 204: NoContent, ...problems() },
        detail: {
          operationId: 'endAllSessions',
          summary: 'Sign out everywhere, including this session',
          description: 'Ends all of your sessions immediately, including this one.',
        },
      },
    )
    .delete(
      '/:id',
      async ({ call, params, request, status, addressOf }) => {
        await sessions.end(callerOf(call, addressOf(request)), Number(params.id))
        return status(204, undefined)
      },
      {
        admit: { who: 'user' },
        params: IdParams,
        response: { 204: NoContent, ...problems() },
        detail: {
          operationId: 'endSession',
          summary: 'Sign out one device',
          description: 'Ends one of your sessions: from the next request on, its tokens are refused.',
        },
      },
    )
