import { Elysia, t } from 'elysia'
import { notFound } from '../../domain/errors.ts'
import type { JsonObject } from '../../domain/merge-patch.ts'
import type { Principal } from '../../domain/session.ts'
import { JSON_TYPE } from './body.ts'
import { actorOf, type Call } from './call.ts'
import type { Kernel, Rule } from './kernel.ts'
import { pageResponse, toPageResponse } from './pages.ts'
import type { AnyRecords, Caller } from './ports-tmp.ts'
import { ifMatch, isKnown, recordEtag } from './preconditions.ts'
import { problems } from './problems.ts'
import { AnyRecord, shownRecord } from './record-bodies.ts'
import { AnyListQuery, AnyRecordQuery, parseExpand, toListRequest } from './record-query.ts'
import { hasId, IdText, NoContent, NotModified } from './schemas.ts'

export const recordsPath = (collection: string) => `/api/v1/collections/${collection}/records`

const MERGE_PATCH_TYPE = 'application/merge-patch+json'

/** Rules of collections decide who may do what, so callers without a token are admitted. */
const everyone: Rule['who'] = () => {}

export const CollectionParams = t.Object({ collection: t.String() })
const RecordParams = t.Object({ collection: t.String(), id: IdText })

/** The core checks it against the schema of the collection. */
const AnyDraft = t.Object({}, { additionalProperties: true })

/** One route serves every collection, so these operations are described once for each: see `docs/collection.ts`. */
const hidden = { hide: true }

export const recordCallerOf = (call: Call): Caller => (call.principal === null ? null : actorOf(call))

const toCaller = (principal: Principal | null): Caller => principal && { ...principal, requestId: '' }

const createRules = (records: AnyRecords) => {
  const known = async (_: Principal | null, { collection = '' }: Readonly<Record<string, string>>) => {
    if ((await records.find(collection)) === null) throw notFound('Collection')
  }
  const readable = async (principal: Principal | null, params: Readonly<Record<string, string>>) => {
    const { collection = "" } = params
    if (!hasId(params)) return known(principal, params)
    await records.get(toCaller(principal), collection, Number(params.id), [])
  }
  return {
    create: { who: everyone, checkPublicAccess: known, body: 'json', idempotent: true },
    list: { who: everyone, checkPublicAccess: known, largeResponse: true },
    single: { who: everyone, checkPublicAccess: known },
    update: { who: everyone, checkPublicAccess: readable, body: 'json', mediaTypes: [JSON_TYPE, MERGE_PATCH_TYPE] },
  } satisfies Readonly<Record<string, Rule>>
}

/** The routes of the records of every collection, `/collections/NAME/records/…`. */
export const collectionRecordRoutes = (kernel: Kernel, records: AnyRecords) => {
  const rules = createRules(records)
  return new Elysia({ prefix: '/collections/:collection/records' })
    .use(kernel)
    .post(
      '/',
      ({ call, params, body, request, withIdempotency }) => {
        const path = recordsPath(params.collection)
        const responseOf = (shown: Parameters<typeof shownRecord>[0]) => ({
          status: 201,
          headers: { location: `${path}/${shown.record.id}`, etag: recordEtag(shown.record) },
          body: JSON.stringify(shownRecord(shown)),
        })
        return withIdempotency(
          { request, actor: call.principal, route: `POST ${path}`, sent: body, responseOf },
          (idempotency) => records.create(recordCallerOf(call), params.collection, body as JsonObject, idempotency),
        )
      },
      {
        admit: rules.create,
        params: CollectionParams,
        body: AnyDraft,
        response: { 201: AnyRecord, ...problems() },
        detail: hidden,
      },
    )
    .get(
      '/',
      async ({ call, params, query }) => {
        const collection = await records.find(params.collection)
        if (collection === null) throw notFound('Collection')
        const request = toListRequest(query, collection)
        return toPageResponse(
          await records.list(recordCallerOf(call), params.collection, request),
          request,
          shownRecord,
        )
      },
      {
        admit: rules.list,
        params: CollectionParams,
        query: AnyListQuery,
        response: { 200: pageResponse(AnyRecord), ...problems() },
        detail: hidden,
      },
    )
    .get(
      '/:id',
      async ({ call, params, query, request, set, status }) => {
        const expand = parseExpand(query.expand)
        const shown = await records.get(recordCallerOf(call), params.collection, Number(params.id), expand)
        // What is expanded changes without a new version of this record.
        if (expand.length > 0) return shownRecord(shown)
        const etag = recordEtag(shown.record)
        set.headers.etag = etag
        return isKnown(request, etag) ? status(304, undefined) : shownRecord(shown)
      },
      {
        admit: rules.single,
        params: RecordParams,
        query: AnyRecordQuery,
        response: { 200: AnyRecord, 304: NotModified, ...problems() },
        detail: hidden,
      },
    )
    .patch(
      '/:id',
      async ({ call, params, body, request, set }) => {
        const { collection, id } = params
        const caller = recordCallerOf(call)
        const shown = await records.update(caller, collection, Number(id), body as JsonObject, ifMatch(request))
        set.headers.etag = recordEtag(shown.record)
        return shownRecord(shown)
      },
      {
        admit: rules.update,
        params: RecordParams,
        body: AnyDraft,
        response: { 200: AnyRecord, ...problems() },
        detail: hidden,
      },
    )
    .delete(
      '/:id',
      async ({ call, params, request, status }) => {
        await records.remove(recordCallerOf(call), params.collection, Number(params.id), ifMatch(request))
        return status(204, undefined)
      },
      { admit: rules.single, params: RecordParams, response: { 204: NoContent, ...problems() }, detail: hidden },
    )
}
