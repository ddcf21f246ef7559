import { Elysia, t } from 'elysia'
import type { CollectionDetails, Collections } from '../../application/collections.ts'
import { definitionOf } from '../../domain/definition.ts'
import type { JsonObject } from '../../domain/merge-patch.ts'
import { actorOf, callerOf } from './call.ts'
import { DefinitionBody, DefinitionResponse, type ShownDefinition } from './definition-schemas.ts'
import type { Kernel, Rule } from './kernel.ts'
import { pageQuery, pageResponse, toPageRequest, toPageResponse } from './pages.ts'
import { definitionEtag, ifMatch, ifMatchAny, ifNoneMatchAny, isKnown } from './preconditions.ts'
import { problems } from './problems.ts'
import { integerText, NoContent, NotModified, queryOf } from './schemas.ts'
import { toTimestamp } from './timestamps.ts'

const PATH = '/api/v1/collections'

/** A schema of 64 kB, rules, and a transformation of every field. */
const MAX_DEFINITION_BYTES = 262_144

const SORTS = ['name'] as const
const BY_NAME = { field: 'name', descending: false } as const

const ListQuery = queryOf(pageQuery(SORTS))

const CollectionName = t.String({
  openapi: { type: 'string', description: 'The name of a collection', examples: ['items'] },
})

const NameParams = t.Object({ collection: CollectionName })

const RemovalQuery = queryOf({
  records: t.Optional(
    integerText(/^(0|[1-9]\d{0,14})$/, 0, 999_999_999_999_999, {
      description: 'How many records will be deleted with it: exactly the number that it has',
      examples: [12],
    }),
  ),
})

const toResponse = (details: CollectionDetails): ShownDefinition => {
  const { collection, isBuiltIn, records, version, createdAt, updatedAt } = details
  return {
    ...definitionOf(collection),
    built_in: isBuiltIn,
    records,
    version,
    created_at: createdAt && toTimestamp(createdAt),
    updated_at: updatedAt && toTimestamp(updatedAt),
  }
}

/** Descriptions of the operations, for the OpenAPI document. */
const DESCRIPTIONS = {
  list: 'Each with its number of records, in the order of their names.',
  get: 'With every default filled in. As `If-Match`, its ETag matches until the definition is changed, whatever happens to records.',
  put: 'Takes effect on the next request. With `If-None-Match: *`, it must be new; with `If-Match`, its current version must match. If existing records do not fit the new schema, nothing changes and the response is 409 `records_do_not_fit`, with the first of them in `records`. A `transform` is applied to every record first, so that fields can be renamed, moved or removed in the same change.',
  check:
    'For editors: lists every fault of the schema, the rules, the `transform` and the rest, as storing it would. Existing records are not checked.',
  delete:
    'Refused with 409 `not_empty` if it has records, unless `records` states exactly how many. A collection that is defined in code cannot be deleted.',
} as const

const TAGS = ['collections']

const readRoutes = (kernel: Kernel, collections: Collections) =>
  new Elysia({ tags: TAGS })
    .use(kernel)
    .get(
      '/',
      async ({ call, query }) => {
        const request = toPageRequest(query, SORTS, BY_NAME)
        return toPageResponse(await collections.list(actorOf(call), request), request, toResponse)
      },
      {
        admit: { who: 'admin', largeResponse: true },
        query: ListQuery,
        response: { 200: pageResponse(DefinitionResponse), ...problems() },
        detail: {
          operationId: 'listCollections',
          summary: 'List the definitions of all collections (admin)',
          description: DESCRIPTIONS.list,
        },
      },
    )
    .get(
      '/:collection',
      async ({ call, params, request, set, status }) => {
        const details = await collections.get(actorOf(call), params.collection)
        const etag = definitionEtag(details)
        set.headers.etag = etag
        return isKnown(request, etag) ? status(304, undefined) : toResponse(details)
      },
      {
        admit: { who: 'admin' },
        params: NameParams,
        response: { 200: DefinitionResponse, 304: NotModified, ...problems() },
        detail: {
          operationId: 'getCollection',
          summary: 'Read the definition of a collection (admin)',
          description: DESCRIPTIONS.get,
        },
      },
    )

const changeRoutes = (kernel: Kernel, collections: Collections) => {
  const changeRule: Rule = {
    ...{ who: 'admin', body: 'json', maxBodyBytes: MAX_DEFINITION_BYTES },
    // As in files: whichever member was meant, a rule could be open to everyone.
    refusesRepeatedMembers: true,
  }
  return new Elysia({ tags: TAGS })
    .use(kernel)
    .put(
      '/:collection',
      async ({ call, params, body, request, set, status, addressOf }) => {
        const { transform, ...definition } = body as JsonObject
        const { details, isNew } = await collections.put(
          callerOf(call, addressOf(request)),
          params.collection,
          definition,
          {
            ...(transform !== undefined && { transform }),
            expected: ifMatch(request),
            mustNotExist: ifNoneMatchAny(request),
            mustExist: ifMatchAny(request),
          },
        )
        set.headers.etag = definitionEtag(details)
        if (!isNew) return toResponse(details)
        set.headers.location = `${PATH}/${details.collection.name}`
        return status(201, toResponse(details))
      },
      {
        admit: { ...changeRule, mayTakeLong: true },
        params: NameParams,
        body: DefinitionBody,
        response: { 200: DefinitionResponse, 201: DefinitionResponse, ...problems(409, 412) },
        detail: {
          operationId: 'putCollection',
          summary: 'Define a collection, or change its definition (admin)',
          description: DESCRIPTIONS.put,
        },
      },
    )
    .post(
      '/:collection/check',
      async ({ call, params, body, status }) => {
        const { transform, ...definition } = body as JsonObject
        await collections.check(actorOf(call), params.collection, definition, transform)
        return status(204, undefined)
      },
      {
        admit: changeRule,
        params: NameParams,
        body: DefinitionBody,
        response: { 204: NoContent, ...problems(409) },
        detail: {
          operationId: 'checkCollection',
          summary: 'Check a definition without storing it (admin)',
          description: DESCRIPTIONS.check,
        },
      },
    )
    .delete(
      '/:collection',
      async ({ call, params, query, request, status, addressOf }) => {
        await collections.remove(callerOf(call, addressOf(request)), params.collection, {
          expected: ifMatch(request),
          ...(query.records === undefined ? {} : { records: Number(query.records) }),
        })
        return status(204, undefined)
      },
      {
        admit: { who: 'admin' },
        params: NameParams,
        query: RemovalQuery,
        response: { 204: NoContent, ...problems(409, 412) },
        detail: {
          operationId: 'deleteCollection',
          summary: 'Delete a collection and its records (admin)',
          description: DESCRIPTIONS.delete,
        },
      },
    )
}

/** The routes of definitions, `/collections/…`, for admins. */
export const collectionRoutes = (kernel: Kernel, collections: Collections) =>
  new Elysia({ prefix: '/collections' }).use(readRoutes(kernel, collections)).use(changeRoutes(kernel, collections))
