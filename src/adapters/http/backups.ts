import { Type } from '@sinclair/typebox'
import { Elysia, type Static, t } from 'elysia'
import type { BackupLink, Backups } from '../../application/backups.ts'
import type { Log } from '../../application/ports/system.ts'
import { BACKUP_LINK_LIFE_SECONDS, BACKUP_STATES, type Backup } from '../../domain/backup.ts'
import { backupContentRoutes } from './backup-content.ts'
import { actorOf, callerOf } from './call.ts'
import { integer } from './integer.ts'
import type { Kernel } from './kernel.ts'
import { NEWEST_FIRST, pageQuery, pageResponse, toPageRequest, toPageResponse } from './pages.ts'
import { problems } from './problems.ts'
import { body, choiceOf, Id, IdParams, NoContent, queryOf, Timestamp } from './schemas.ts'
import { toTimestamp } from './timestamps.ts'

const SIGNATURE = 'Yb2Xd9Lk4Rf6Hs1Ng8Ta3Ue5Io7Mp1Zt3q8Jc0m5Vw7'
const SHA_256 = '9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08'

const State = choiceOf(BACKUP_STATES, { examples: ['done'] })

const BackupResponse = t.Object(
  {
    id: Id,
    state: State,
    name: t.Nullable(
      t.String({
        description: 'The name of the archive at BACKUP_URL; null if it has none',
        examples: ['skep-20260131T030000Z-7.tar.zst'],
      }),
    ),
    size: t.Nullable(integer({ minimum: 0, description: 'The size of the archive in bytes', examples: [1_048_576] })),
    sha256: t.Nullable(t.String({ description: 'The SHA-256 of the archive', examples: [SHA_256] })),
    encrypted: t.Boolean({ examples: [true] }),
    created_at: Timestamp,
    finished_at: t.Nullable(Timestamp),
    verified_at: t.Nullable(
      t.String({
        description: 'The last verification that found no fault',
        openapi: { type: 'string', format: 'date-time', examples: ['2026-01-31T09:30:00.000Z'] },
      }),
    ),
    detail: t.Nullable(
      t.String({
        description: 'Why it failed, or what the last verification found',
        examples: ['Verified: 1204 rows, 31 files'],
      }),
    ),
  },
  { title: 'Backup' },
)

const instant = (time: number | null) => (time === null ? null : toTimestamp(time))

const toResponse = (backup: Backup): Static<typeof BackupResponse> => ({
  id: backup.id,
  state: backup.state,
  name: backup.state === 'done' ? backup.name : null,
  size: backup.size,
  sha256: backup.sha256,
  encrypted: backup.encrypted,
  created_at: toTimestamp(backup.createdAt),
  finished_at: instant(backup.finishedAt),
  verified_at: instant(backup.verifiedAt),
  detail: backup.detail,
})

const LinkBody = body('BackupLinkCreate', {
  expires_in: Type.Integer({
    ...BACKUP_LINK_LIFE_SECONDS,
    description: 'Seconds until the link expires',
    examples: [300],
  }),
})

const contentPath = (id: number) => `/api/v1/admin/backups/${id}/content`

const LinkResponse = t.Object(
  {
    url: t.String({
      description: 'Gives access to the archive without a token',
      openapi: { type: 'string', format: 'uri' },
      examples: [`https://api.example.com${contentPath(1)}?session=12&expires=1769855400&signature=${SIGNATURE}`],
    }),
    expires_at: Timestamp,
  },
  { title: 'BackupLink' },
)

const createResponses = (publicUrl: () => string) => ({
  created: (backup: Backup) => ({
    status: 202,
    headers: { location: `/api/v1/admin/backups/${backup.id}` },
    body: JSON.stringify(toResponse(backup)),
  }),
  linked({ parts, signature }: BackupLink) {
    const { backupId, sessionId, expires } = parts
    const path = contentPath(backupId)
    const response: Static<typeof LinkResponse> = {
      url: `${publicUrl()}${path}?session=${sessionId}&expires=${expires}&signature=${signature}`,
      expires_at: toTimestamp(expires * 1_000),
    }
    const headers = { location: path, 'cache-control': 'no-store' }
    return { status: 201, headers, body: JSON.stringify(response) }
  },
})

interface Deps {
  readonly backups: Backups
  readonly publicUrl: () => string
  readonly log: Log
}

const SORTS = ['created_at'] as const

/** The routes that read and remove backups. */
const storedBackupRoutes = (kernel: Kernel, backups: Backups) =>
  new Elysia({ tags: ['admin'] })
    .use(kernel)
    .get(
      '',
      async ({ call, query }) => {
        const request = toPageRequest(query, SORTS, NEWEST_FIRST)
        return toPageResponse(await backups.list(actorOf(call), request), request, toResponse)
      },
      {
        admit: { who: 'admin' },
        query: queryOf(pageQuery(SORTS)),
        response: { 200: pageResponse(BackupResponse), ...problems() },
        detail: {
          operationId: 'listBackups',
          summary: 'List backups',
          description: 'For admins: backups with an archive, running ones, and failed ones with the reason.',
        },
      },
    )
    .get('/:id', async ({ call, params }) => toResponse(await backups.get(actorOf(call), Number(params.id))), {
      admit: { who: 'admin' },
      params: IdParams,
      response: { 200: BackupResponse, ...problems() },
      detail: {
        operationId: 'getBackup',
        summary: 'Read a backup',
        description: 'For admins: poll it until its `state` is `done` or `failed`.',
      },
    })
    .delete(
      '/:id',
      async ({ call, params, request, status, addressOf }) => {
        await backups.remove(callerOf(call, addressOf(request)), Number(params.id))
        return status(204, undefined)
      },
      {
        admit: { who: 'admin' },
        params: IdParams,
        response: { 204: NoContent, ...problems(409) },
        detail: {
          operationId: 'deleteBackup',
          summary: 'Remove a backup with its archive',
          description: 'For admins: removes a backup that is not running. A job removes the archive.',
        },
      },
    )

/** The routes of backups, for admins. */
export const backupRoutes = (kernel: Kernel, { backups, publicUrl, log }: Deps) => {
  const { created, linked } = createResponses(publicUrl)
  return new Elysia({ prefix: '/admin/backups', tags: ['admin'] })
    .use(kernel)
    .post(
      '',
      ({ call, request, withIdempotency, addressOf }) => {
        const actor = callerOf(call, addressOf(request))
        const route = 'POST /api/v1/admin/backups'
        return withIdempotency({ request, actor, route, sent: null, responseOf: created }, (idempotency) =>
          backups.create(actor, idempotency),
        )
      },
      {
        admit: { who: 'admin', idempotent: true },
        response: { 202: BackupResponse, ...problems(409, 422) },
        detail: {
          operationId: 'createBackup',
          summary: 'Start a backup of the whole installation',
          description:
            'For admins: a job writes one archive with the database and the files as they are now, while the server works. One backup runs at a time.',
        },
      },
    )
    .post(
      '/:id/verify',
      async ({ call, params, request, status, addressOf }) =>
        status(202, toResponse(await backups.verify(callerOf(call, addressOf(request)), Number(params.id)))),
      {
        admit: { who: 'admin' },
        params: IdParams,
        response: { 202: BackupResponse, ...problems(409) },
        detail: {
          operationId: 'verifyBackup',
          summary: 'Restore a backup into a scratch folder and compare',
          description: 'For admins: a job does it. `detail` has the result, and `verified_at` its time if it is sound.',
        },
      },
    )
    .post(
      '/:id/links',
      ({ call, params, body, request, withIdempotency, addressOf }) => {
        const actor = callerOf(call, addressOf(request))
        const id = Number(params.id)
        const route = 'POST /api/v1/admin/backups/:id/links'
        return withIdempotency({ request, actor, route, sent: { id, ...body }, responseOf: linked }, (idempotency) =>
          backups.createLink(actor, id, body.expires_in, idempotency),
        )
      },
      {
        admit: { who: 'admin', body: 'json', idempotent: true },
        params: IdParams,
        body: LinkBody,
        response: { 201: LinkResponse, ...problems(409) },
        detail: {
          operationId: 'createBackupLink',
          summary: 'Create a link that downloads the archive without a token',
          description:
            'For admins: it works until it expires, its creator signs out or is no longer an admin, or the backup is removed.',
        },
      },
    )
    .use(storedBackupRoutes(kernel, backups))
    .use(backupContentRoutes(kernel, backups, log))
}
