import { Type } from '@sinclair/typebox'
import { Elysia, type TSchema, t } from 'elysia'
import type { RecordHistory, Version } from '../../application/records.ts'
import { type Collection, RECORD_CHANGES, titleOf } from '../../domain/collection.ts'
import type { Page } from '../../domain/page.ts'
import type { Actor, Anonymous } from '../../domain/session.ts'
import type { Call } from './call.ts'
import { integer } from './integer.ts'
import type { Kernel, Rule } from './kernel.ts'
import { pageQuery, pageResponse, toPageRequest, toPageResponse } from './pages.ts'
import { ifMatch, recordEtag } from './preconditions.ts'
import { problems } from './problems.ts'
import type { ShowRecord } from './record-bodies.ts'
import { body, characters, choiceOf, hasId, Id, IdParams, IdText, queryOf, Timestamp } from './schemas.ts'
import { toTimestamp } from './timestamps.ts'

const { size } = pageQuery([])

const CURSOR = 'WyItdmVyc2lvbiIsMSwxXQ'

export const HistoryQuery = queryOf({
  size,
  cursor: t.Optional(
    characters({ maxLength: 2_000 }, { description: 'The `next_cursor` of the previous page', examples: [CURSOR] }),
  ),
})

const ORDER = { field: 'version', descending: true } as const

const FieldChange = t.Object(
  { from: t.Any({ examples: ['Milk'] }), to: t.Any({ examples: ['Oat milk'] }) },
  { title: 'FieldChange' },
)

/** An entry of a history in a response. */
export const RecordVersion = t.Object(
  {
    version: integer({ minimum: 1, examples: [2] }),
    change: choiceOf(RECORD_CHANGES, { description: 'A record that was restored is `created` again' }),
    created_at: Timestamp,
    actor: t.Nullable(
      t.Object(
        { id: Id, name: t.Nullable(t.String({ examples: ['Ann'] })) },
        {
          title: 'VersionActor',
          description: 'Null for the server, and for someone without a token; without a name if the account is gone',
        },
      ),
    ),
    session_id: t.Nullable(integer({ description: 'The session of the actor', examples: [7] })),
    job_id: t.Nullable(integer({ description: 'The job that made the change', examples: [null] })),
    changes: t.Nullable(
      t.Record(t.String(), FieldChange, {
        description:
          'The fields that changed, each with the value before and after. Null if the version before is not known, or not yours to read',
        examples: [{ title: { from: 'Milk', to: 'Oat milk' } }],
      }),
    ),
  },
  { title: 'RecordVersion' },
)

export const Revert = body('RecordRevert', {
  version: Type.Integer({ minimum: 1, maximum: 2_147_483_647, description: 'The version to return to', examples: [1] }),
})

/** Descriptions of every collection's operations, for the OpenAPI document. */
export const HISTORY_DESCRIPTIONS = {
  history:
    'Newest first, also of a record that was deleted. Versions that you may not read under the present rules are left out.',
  revert:
    'The record gets the fields of an earlier version as a new version. A record that was deleted is restored with its id; that takes the right to delete and to create it. With `If-Match`, nothing is changed unless the current version matches.',
} as const

const shownVersion = ({ version, change, createdAt, actor, sessionId, jobId, changes }: Version) => ({
  version,
  change,
  created_at: toTimestamp(createdAt),
  actor,
  session_id: sessionId,
  job_id: jobId,
  changes,
})

interface Resource {
  /** Null for a route whose collection is in its path. */
  readonly collection: Collection | null
  readonly who: Rule['who']
  readonly authorOf: (call: Call) => Actor | Anonymous
  readonly exists?: NonNullable<Rule['checkPublicAccess']>
  readonly Record: TSchema
}

/** History and undo, `/ID/history` and `/ID/revert`, below the path of records. */
export const historyRoutes = (kernel: Kernel, history: RecordHistory, show: ShowRecord, resource: Resource) => {
  const { collection, who, authorOf, exists, Record } = resource
  const named = (given: Readonly<globalThis.Record<string, string>>) => collection?.name ?? given.collection ?? ''
  const rule: Rule = { who, ...(exists && { checkPublicAccess: exists }) }
  const revertRule: Rule = {
    ...{ who, body: 'json' },
    checkPublicAccess: (principal, given, request) =>
      hasId(given)
        ? history.checkRevert(principal, named(given), Number(given.id))
        : exists?.(principal, given, request),
  }
  const params = collection === null ? t.Object({ collection: t.String(), id: IdText }) : IdParams
  const described = (operationId: string, summary: string, description: string) =>
    collection === null ? { hide: true } : { operationId, summary, description }
  const title = collection === null ? '' : titleOf(collection)
  return new Elysia({ tags: collection === null ? [] : [collection.name] })
    .use(kernel)
    .get(
      '/:id/history',
      async ({ call, params, query, request: sent, noteRead }) => {
        const request = toPageRequest({ ...query, total: 'false' }, ['version'], ORDER, (_, key) =>
          Number.isSafeInteger(key),
        )
        const before = 'after' in request.from ? Number(request.from.after.key) : null
        const id = Number(params.id)
        const { versions, next } = await history.history(call.principal, named(params), id, {
          size: request.size,
          before,
        })
        // The owner of a deleted record is not known here, but who has changed it.
        const owners = versions.map(({ actor }) => ({ ownerId: actor?.id ?? null }))
        await noteRead(call, sent, { action: 'record.read', subject: `${named(params)}/${id}`, owners })
        const page: Page<Version> = { items: versions, total: null, next: next === null ? null : { key: next, id } }
        return toPageResponse(page, request, shownVersion)
      },
      {
        admit: { ...rule, largeResponse: true },
        params,
        query: HistoryQuery,
        response: { 200: pageResponse(RecordVersion), ...problems() },
        detail: described(`get${title}History`, 'List the versions of a record', HISTORY_DESCRIPTIONS.history),
      },
    )
    .post(
      '/:id/revert',
      async ({ call, params, body, request, set }) => {
        const options = { expected: ifMatch(request) }
        const result = await history.revert(authorOf(call), named(params), Number(params.id), body.version, options)
        set.headers.etag = recordEtag(result)
        return show(result)
      },
      {
        admit: revertRule,
        params,
        body: Revert,
        response: { 200: Record, ...problems(403, 409, 412) },
        detail: described(`revert${title}`, 'Return to an earlier version', HISTORY_DESCRIPTIONS.revert),
      },
    )
}
