import { Elysia, type Static, t } from 'elysia'
import type { AuditLog } from '../../application/audit-log.ts'
import { AUDIT_ACTIONS, type AuditEntry } from '../../domain/audit.ts'
import { actorOf } from './call.ts'
import { integer } from './integer.ts'
import type { Kernel } from './kernel.ts'
import { NEWEST_FIRST, pageQuery, pageResponse, toPageRequest, toPageResponse } from './pages.ts'
import { problems } from './problems.ts'
import {
  choiceOf,
  Id,
  IdText,
  parseTimestamp,
  queryOf,
  Timestamp,
  TimestampText,
  text,
  textWithoutNul,
} from './schemas.ts'
import { toTimestamp } from './timestamps.ts'

const Details = t.Object(
  {},
  {
    additionalProperties: true,
    openapi: {
      type: 'object',
      additionalProperties: true,
      description:
        'What was changed: names of fields, roles and numbers, never their secrets. Of what is counted in one entry, also `count` and `last_at`',
      examples: [{ changed: 'role', role_before: 'user', role_after: 'admin' }],
    },
  },
)

const AuditEntryResponse = t.Object(
  {
    id: Id,
    created_at: Timestamp,
    actor_id: t.Nullable(
      integer({
        minimum: 1,
        description: 'The user who acted; null for the server, and for someone who was not signed in',
        examples: [1],
      }),
    ),
    action: choiceOf(AUDIT_ACTIONS, { title: 'AuditAction', examples: ['user.updated'] }),
    subject: t.Nullable(
      t.String({ description: 'The subject, such as `users/12` or `tasks/7`', examples: ['users/12'] }),
    ),
    address: t.Nullable(
      t.String({ description: 'Where the request came from; null for changes of records', examples: ['203.0.113.7'] }),
    ),
    session_id: t.Nullable(integer({ minimum: 1, description: 'The session of the actor', examples: [1] })),
    request_id: t.Nullable(
      t.String({
        description: 'The `X-Request-Id` of the request, or `job-ID` for a job',
        examples: ['5f0c9a52-6f0e-4c5b-9d3a-0a7c4f1e8b26'],
      }),
    ),
    details: Details,
  },
  { title: 'AuditEntry' },
)

const toResponse = (entry: AuditEntry): Static<typeof AuditEntryResponse> => ({
  id: entry.id,
  created_at: toTimestamp(entry.createdAt),
  actor_id: entry.actorId,
  action: entry.action,
  subject: entry.subject,
  address: entry.address,
  session_id: entry.sessionId,
  request_id: entry.requestId,
  details:
    entry.count === 1 ? entry.details : { ...entry.details, count: entry.count, last_at: toTimestamp(entry.lastAt) },
})

const SORTS = ['created_at'] as const
const { sort: _, ...newestFirst } = pageQuery(SORTS)

const ACTION = /^[a-z_]{1,50}\.[a-z_]{0,50}$/

const AuditParameters = queryOf({
  ...newestFirst,
  actor: t.Optional(IdText),
  action: t.Optional(
    text({
      accepts: (value) => ACTION.test(value),
      expects: 'an action, or the beginning of some that ends in a dot',
      openapi: {
        type: 'string',
        pattern: ACTION.source,
        description: 'An action such as `sign_in.failed`, or the beginning of some that ends in a dot, such as `user.`',
        examples: ['user.updated'],
      },
    }),
  ),
  subject: t.Optional(
    textWithoutNul({ maxLength: 200 }, { description: 'Exactly this subject', examples: ['users/12'] }),
  ),
  since: t.Optional(TimestampText),
  until: t.Optional(TimestampText),
})

/** The routes of the audit log, for admins. Nothing can be changed. */
export const auditRoutes = (kernel: Kernel, auditLog: AuditLog) =>
  new Elysia({ prefix: '/admin/audit', tags: ['admin'] }).use(kernel).get(
    '',
    async ({ call, query }) => {
      const request = toPageRequest(query, SORTS, NEWEST_FIRST)
      const { actor, action = null, subject = null, since, until } = query
      const page = await auditLog.list(actorOf(call), {
        ...request,
        actorId: actor === undefined ? null : Number(actor),
        action,
        subject,
        since: since === undefined ? null : parseTimestamp(since, '/since').ceiling,
        until: until === undefined ? null : parseTimestamp(until, '/until').floor,
      })
      return toPageResponse(page, request, toResponse)
    },
    {
      admit: { who: 'admin' },
      query: AuditParameters,
      response: { 200: pageResponse(AuditEntryResponse), ...problems() },
      detail: {
        operationId: 'listAuditEntries',
        summary: 'List who did what, newest first (admin)',
        description:
          'For admins: sign-ins, failed sign-ins, ended sessions, changes of accounts, definitions, records, files, links and jobs, backups, what admins have read of other users, and the settings at each start. Changes of records are kept as long as their history. Searching is bounded: a page may hold fewer entries than `size`, even none, and still have a `next_cursor`.',
      },
    },
  )
