import { Elysia, t } from 'elysia'
import type { RecordHistory, RecordResult, Records } from '../../application/records.ts'
import type { JsonObject } from '../../domain/merge-patch.ts'
import type { Actor, Anonymous, Principal } from '../../domain/session.ts'
import { JSON_TYPE } from './body.ts'
import { actorOf, type Call } from './call.ts'
import type { Kernel, Rule } from './kernel.ts'
import { pageResponse, toPageResponse } from './pages.ts'
import { ifMatch, isKnown, recordEtag } from './preconditions.ts'
import { problems } from './problems.ts'
import { AnyRecord, isPublic, recordShown, type ShowRecord, showRead } from './record-bodies.ts'
import { historyRoutes } from './record-history.ts'
import { AnyListQuery, AnyRecordQuery, parseExpand, toListOptions, toListRequest } from './record-query.ts'
import { hasId, IdText, NoContent, NotModified } from './schemas.ts'
import { shownAsPage } from './shown-once.ts'

const MERGE_PATCH_TYPE = 'application/merge-patch+json'

/** Rules of collections decide who may do what, so callers without a token are admitted. */
const everyone: Rule['who'] = () => {}

const CollectionParams = t.Object({ collection: t.String() })
const RecordParams = t.Object({ collection: t.String(), id: IdText })

/** A record or patch: the core checks it against the schema of its collection. */
const AnyFields = t.Object({}, { additionalProperties: true })

/** One route serves every collection; these operations are described once for each, in `docs/collection.ts`. */
const hidden = () => ({ hide: true })

const authorOf = (call: Call): Actor | Anonymous =>
  call.principal === null ? { userId: null, requestId: call.id } : actorOf(call)

const MAX_CREATORS_COUNT = 10_000

type Params = Readonly<Record<string, string>>

/** Who could create records when last checked, each with the name of the collection. */
type Creators = Set<string>

const creatorOf = (userId: number | null, collection: string) => `${userId} ${collection}`

const createRules = (records: Records, creators: Creators = new Set()) => {
  // An async function, so that a collection that does not exist is a rejection.
  const exists = async (_: Principal | null, { collection = '' }: Params) => records.collection(collection)
  const creatable = (principal: Principal | null, { collection = '' }: Params) =>
    records.checkCreate(principal, collection)
  /** Creating the record finds out whether someone who could create one still may. */
  const creatableUnlessKnown = (principal: Principal | null, params: Params) => {
    const creator = creatorOf(principal?.userId ?? null, params.collection ?? '')
    if (creators.has(creator)) return undefined
    return creatable(principal, params).then(() => {
      if (creators.size >= MAX_CREATORS_COUNT) creators.clear()
      creators.add(creator)
    })
  }
  /** Where nothing else can be refused first, reading the record finds out. */
  const existsIfNeeded = (principal: Principal | null, params: Params, request: Request) =>
    hasId(params) && !request.url.includes('?') ? undefined : exists(principal, params)
  const changeable = (principal: Principal | null, params: Params) =>
    hasId(params)
      ? records.checkChange(principal, String((params as Params).collection), Number(params.id))
      : exists(principal, params)
  return {
    create: {
      ...{ who: everyone, checkPublicAccess: creatableUnlessKnown, recheck: creatable },
      ...{ body: 'json', idempotent: true },
    },
    list: { who: everyone, checkPublicAccess: exists, largeResponse: true },
    read: { who: everyone, checkPublicAccess: existsIfNeeded },
    single: { who: everyone, checkPublicAccess: exists },
    remove: { who: everyone, checkPublicAccess: exists, mayTakeLong: true },
    update: { who: everyone, checkPublicAccess: changeable, body: 'json', mediaTypes: [JSON_TYPE, MERGE_PATCH_TYPE] },
  } satisfies Readonly<Record<string, Rule>>
}

const listRoutes = (kernel: Kernel, records: Records, show: ShowRecord) => {
  const creators: Creators = new Set()
  const rules = createRules(records, creators)
  const create: Records['create'] = async (author, collection, draft, options) => {
    try {
      return await records.create(author, collection, draft, options)
    } catch (error) {
      creators.delete(creatorOf(author.userId, collection))
      throw error
    }
  }
  const shown = showRead(show)
  return new Elysia()
    .use(kernel)
    .post(
      '/',
      ({ call, params, body, request, withIdempotency }) => {
        const path = `/api/v1/collections/${params.collection}/records`
        const responseOf = (result: RecordResult) => ({
          status: 201,
          headers: { location: `${path}/${result.record.id}`, etag: recordEtag(result) },
          body: JSON.stringify(show(result)),
        })
        return withIdempotency(
          { request, actor: call.principal, route: `POST ${path}`, sent: body, responseOf },
          (idempotency) => create(authorOf(call), params.collection, body as JsonObject, { idempotency }),
        )
      },
      {
        admit: rules.create,
        params: CollectionParams,
        body: AnyFields,
        response: { 201: AnyRecord, ...problems() },
        detail: hidden(),
      },
    )
    .get(
      '/',
      async ({ call, params, query, request, noteRead }) => {
        const { principal } = call
        const asked = toListRequest(query, await records.collection(params.collection), principal)
        const result = await records.list(principal, params.collection, asked, toListOptions(query))
        const { collection, page, expanded } = result
        const owners = isPublic(collection) ? [] : page.items
        const noted = noteRead(call, request, { action: 'record.read', subject: collection.name, owners })
        if (noted !== undefined) await noted
        const response = toPageResponse(page, asked, (record) =>
          shown({ collection, record }, expanded && (expanded.get(record.id) ?? {})),
        )
        return shownAsPage(response)
      },
      {
        admit: rules.list,
        params: CollectionParams,
        query: AnyListQuery,
        response: { 200: pageResponse(AnyRecord), ...problems() },
        detail: hidden(),
      },
    )
}

const singleRoutes = (kernel: Kernel, records: Records, show: ShowRecord) => {
  const rules = createRules(records)
  const shown = showRead(show)
  return new Elysia()
    .use(kernel)
    .get(
      '/:id',
      async ({ call, params, query, request, set, status, noteRead }) => {
        const expand = parseExpand(query.expand)
        const result = await records.get(call.principal, params.collection, Number(params.id), { expand })
        if (call.principal?.role === 'admin') await noteRead(call, request, recordShown(result))
        const etag = recordEtag(result)
        set.headers.etag = etag
        // What is expanded changes without a new version of this record.
        const isUnchanged = expand.length === 0 && isKnown(request, etag)
        return isUnchanged ? status(304, undefined) : shown(result, result.expanded)
      },
      {
        admit: rules.read,
        params: RecordParams,
        query: AnyRecordQuery,
        response: { 200: AnyRecord, 304: NotModified, ...problems() },
        detail: hidden(),
      },
    )
    .patch(
      '/:id',
      async ({ call, params, body, request, set }) => {
        const { collection, id } = params
        const options = { expected: ifMatch(request) }
        const result = await records.update(authorOf(call), collection, Number(id), body as JsonObject, options)
        set.headers.etag = recordEtag(result)
        return show(result)
      },
      {
        admit: rules.update,
        params: RecordParams,
        body: AnyFields,
        response: { 200: AnyRecord, ...problems() },
        detail: hidden(),
      },
    )
    .delete(
      '/:id',
      async ({ call, params, request, status }) => {
        await records.remove(authorOf(call), params.collection, Number(params.id), ifMatch(request))
        return status(204, undefined)
      },
      { admit: rules.remove, params: RecordParams, response: { 204: NoContent, ...problems() }, detail: hidden() },
    )
}

/** The routes of the records of every collection, `/collections/NAME/records/…`. */
export const collectionRecordRoutes = (kernel: Kernel, records: Records & RecordHistory, show: ShowRecord) =>
  new Elysia({ prefix: '/collections/:collection/records' })
    .use(listRoutes(kernel, records, show))
    .use(singleRoutes(kernel, records, show))
    .use(
      historyRoutes(kernel, records, show, {
        ...{ collection: null, who: everyone, exists: createRules(records).single.checkPublicAccess },
        ...{ authorOf, Record: AnyRecord },
      }),
    )
