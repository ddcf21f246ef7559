import { Elysia } from 'elysia'
import type { RecordQuery } from '../../application/ports/records.ts'
import type { Expanded, RecordHistory, RecordResult, Records } from '../../application/records.ts'
import { type Collection, pascalCase, sortsOf, titleOf } from '../../domain/collection.ts'
import type { JsonObject } from '../../domain/merge-patch.ts'
import { actorOf } from './call.ts'
import { furtherCostOf } from './costs.ts'
import { createConcurrencyLimit } from './files/concurrency-limit.ts'
import type { Kernel, Rule } from './kernel.ts'
import { NEWEST_FIRST, pageResponse, toPageRequest, toPageResponse } from './pages.ts'
import { ifMatch, isKnown, recordEtag } from './preconditions.ts'
import { problems } from './problems.ts'
import { recordShown, type ShowRecord, showRead } from './record-bodies.ts'
import { historyRoutes } from './record-history.ts'
import { AnyRecordQuery, parseExpand, toListOptions } from './record-query.ts'
import { createRecordSchemas, type RecordsQuery, toOperation } from './record-schemas.ts'
import { hasId, IdParams, NoContent, NotModified, parseTimestamp } from './schemas.ts'
import { shownAsPage } from './shown-once.ts'

/** Concurrent batches of one user in one process; limited because each may return a hundred large records. */
const MAX_OPEN_BATCHES_COUNT = 4

const toQuery = (
  query: RecordsQuery,
  sorts: readonly string[],
  actor: { readonly userId: number; readonly role: string },
): RecordQuery => {
  const everyone = actor.role === 'admin' ? null : actor.userId
  return {
    ...toPageRequest(query, sorts, NEWEST_FIRST),
    ownerId: query.owner_id === undefined ? everyone : Number(query.owner_id),
    text: query.q === undefined || query.q === '' ? null : query.q,
    createdAfter:
      query.created_after === undefined ? null : parseTimestamp(query.created_after, '/created_after').floor,
    createdBefore:
      query.created_before === undefined ? null : parseTimestamp(query.created_before, '/created_before').ceiling,
  }
}

/** Descriptions of every collection's operations, for the OpenAPI document. */
const DESCRIPTIONS = {
  create: 'The caller becomes the owner. With an `Idempotency-Key`, repeating the request does not create it again.',
  list: 'Paginated by `page`, or by `cursor`, which costs the same at any depth.',
  batch:
    'All operations take effect in one transaction, or none does. If one fails, the response is the problem of the first that failed, with its `index`.',
  get: 'With `If-None-Match`, the response is 304 without content if nothing has changed.',
  update: 'Omitted fields keep their values. With `If-Match`, nothing is changed unless the current version matches.',
  delete: 'With `If-Match`, nothing is deleted unless the current version matches.',
} as const

type Shown = (result: RecordResult, expanded?: Expanded | null) => never

/** What the routes of a collection share. */
const createResources = <const C extends Collection>(collection: C, records: Records, show: ShowRecord) => {
  const { name, singular } = collection
  return {
    name,
    path: `/api/v1/${name}`,
    records,
    title: titleOf(collection),
    one: `${/^[aeiou]/.test(singular) ? 'an' : 'a'} ${singular.replaceAll('_', ' ')}`,
    sorts: sortsOf(collection),
    searched: collection.search.length === 0 ? '' : ` \`q\` searches ${collection.search.join(' and ')}.`,
    schemas: createRecordSchemas(collection),
    // The response schema checks what the types cannot express here.
    shown: show as Shown,
    shownRead: showRead(show) as Shown,
  }
}

type Resources<C extends Collection> = ReturnType<typeof createResources<C>>

const listRoutes = <const C extends Collection>(kernel: Kernel, resources: Resources<C>) => {
  const { name, path, records, title, one, sorts, searched, shown, shownRead } = resources
  const { Create, Record, Batch, BatchResult, Query } = resources.schemas
  const created = (result: RecordResult) => ({
    status: 201,
    headers: { location: `${path}/${result.record.id}`, etag: recordEtag(result) },
    body: JSON.stringify(shown(result)),
  })
  const answered = (results: readonly (RecordResult | null)[]) => ({
    status: 200,
    headers: {},
    body: JSON.stringify({ results: results.map((result) => result && shown(result)) }),
  })
  const beginBatch = createConcurrencyLimit(MAX_OPEN_BATCHES_COUNT)

  return new Elysia({ tags: [name] })
    .use(kernel)
    .post(
      '/',
      ({ call, body, request, withIdempotency }) => {
        const actor = actorOf(call)
        return withIdempotency(
          { request, actor, route: `POST ${path}`, sent: body, responseOf: created },
          (idempotency) => records.create(actor, name, body as JsonObject, { idempotency, isChecked: true }),
        )
      },
      {
        admit: { who: 'user', body: 'json', idempotent: true },
        body: Create,
        response: { 201: Record, ...problems() },
        detail: { operationId: `create${title}`, summary: `Create ${one}`, description: DESCRIPTIONS.create },
      },
    )
    .get(
      '/',
      async ({ call, query, request, noteRead }) => {
        const actor = actorOf(call)
        const asked = toQuery(query, sorts, actor)
        const { collection, page, expanded } = await records.list(actor, name, asked, toListOptions(query))
        const noted = noteRead(call, request, { action: 'record.read', subject: name, owners: page.items })
        if (noted !== undefined) await noted
        const response = toPageResponse(page, asked, (record) =>
          shownRead({ collection, record }, expanded && (expanded.get(record.id) ?? {})),
        )
        return shownAsPage(response)
      },
      {
        admit: { who: 'user', largeResponse: true },
        query: Query,
        response: { 200: pageResponse(Record), ...problems(403) },
        detail: {
          operationId: `list${pascalCase(name)}`,
          summary: `List your ${name} or, as an admin, all ${name}`,
          description: `${DESCRIPTIONS.list}${searched} \`owner_id\` is for admins.`,
        },
      },
    )
    .post(
      '/batch',
      async ({ call, body, request, set, withIdempotency, limits, addressOf }) => {
        const actor = actorOf(call)
        using _ = beginBatch(actor.userId)
        const cost = furtherCostOf(body.operations.length)
        await limits.general(actor, () => addressOf(request), set.headers, cost)
        const operations = body.operations.map((operation) => toOperation(name, operation as JsonObject, true))
        return await withIdempotency(
          { request, actor, route: `POST ${path}/batch`, sent: body, responseOf: answered },
          (idempotency) => records.batch(actor, operations, idempotency),
        )
      },
      {
        admit: { who: 'user', body: 'json', largeResponse: true, idempotent: true },
        body: Batch,
        response: { 200: BatchResult, ...problems(404, 412) },
        detail: {
          operationId: `batch${pascalCase(name)}`,
          summary: `Create, update and delete up to 100 ${name}, all or nothing`,
          description: DESCRIPTIONS.batch,
        },
      },
    )
}

const singleRoutes = <const C extends Collection>(kernel: Kernel, resources: Resources<C>) => {
  const { name, records, title, one, shown, shownRead } = resources
  const { Update, Record } = resources.schemas
  const changeRule: Rule = {
    who: 'user',
    body: 'json',
    checkAccess: (actor, params) => hasId(params) && records.get(actor, name, Number(params.id)),
  }
  return new Elysia({ tags: [name] })
    .use(kernel)
    .get(
      '/:id',
      async ({ call, params, query, request, set, status, noteRead }) => {
        const expand = parseExpand(query.expand)
        const result = await records.get(actorOf(call), name, Number(params.id), { expand })
        if (call.principal?.role === 'admin') await noteRead(call, request, recordShown(result))
        const etag = recordEtag(result)
        set.headers.etag = etag
        // What is expanded changes without a new version of this record.
        const isUnchanged = expand.length === 0 && isKnown(request, etag)
        return isUnchanged ? status(304, undefined) : shownRead(result, result.expanded)
      },
      {
        admit: { who: 'user' },
        params: IdParams,
        query: AnyRecordQuery,
        response: {
          200: Record,
          304: NotModified,
          ...problems(),
        },
        detail: {
          operationId: `get${title}`,
          summary: `Read ${one}, with the ETag of its version`,
          description: DESCRIPTIONS.get,
        },
      },
    )
    .patch(
      '/:id',
      async ({ call, params, body, request, set }) => {
        const options = { expected: ifMatch(request), isChecked: true }
        const result = await records.update(actorOf(call), name, Number(params.id), body as JsonObject, options)
        set.headers.etag = recordEtag(result)
        return shown(result)
      },
      {
        admit: changeRule,
        params: IdParams,
        body: Update,
        response: { 200: Record, ...problems(412) },
        detail: {
          operationId: `update${title}`,
          summary: 'Change the given fields; objects are merged (RFC 7396)',
          description: DESCRIPTIONS.update,
        },
      },
    )
    .delete(
      '/:id',
      async ({ call, params, request, status }) => {
        await records.remove(actorOf(call), name, Number(params.id), ifMatch(request))
        return status(204, undefined)
      },
      {
        admit: { who: 'user', mayTakeLong: true },
        params: IdParams,
        response: { 204: NoContent, ...problems(409, 412) },
        detail: { operationId: `delete${title}`, summary: `Delete ${one}`, description: DESCRIPTIONS.delete },
      },
    )
}

/** The routes of one collection, `/NAME/…`: create, list, batch, read, change and delete. */
export const recordRoutes = <const C extends Collection>(
  kernel: Kernel,
  collection: C,
  records: Records & RecordHistory,
  show: ShowRecord,
) => {
  const resources = createResources(collection, records, show)
  return new Elysia({ prefix: `/${collection.name as C['name']}` })
    .use(listRoutes(kernel, resources))
    .use(singleRoutes(kernel, resources))
    .use(
      historyRoutes(kernel, records, show, {
        ...{ collection, who: 'user', authorOf: actorOf, Record: resources.schemas.Record },
      }),
    )
}
