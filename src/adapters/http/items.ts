import { Elysia, type Static } from 'elysia'
import type { Items } from '../../application/items.ts'
import type { ItemQuery } from '../../application/ports/persistence.ts'
import type { Item } from '../../domain/item.ts'
import { actorOf } from './call.ts'
import { furtherCostOf } from './costs.ts'
import { createAtOnce } from './files/at-once.ts'
import {
  BatchBody,
  BatchResponse,
  ItemBody,
  ItemPatchBody,
  ItemResponse,
  ItemsQuery,
  SORTS,
  toBatchAnswer,
  toDraft,
  toOperation,
  toPatch,
  toResponse,
} from './item-schemas.ts'
import type { Kernel, Rule } from './kernel.ts'
import { pageResponse, toPageRequest, toPageResponse } from './pages.ts'
import { etagOf, ifMatch, isKnown } from './preconditions.ts'
import { problems } from './problems.ts'
import { hasId, IdParams, NoContent, NotModified, parseTimestamp } from './schemas.ts'

const PATH = '/api/v1/items'

/** Batches of one user under way in one process: each may answer a hundred large items. */
const MAX_OPEN_BATCHES_COUNT = 4

const created = (item: Item) => ({
  status: 201,
  headers: { location: `${PATH}/${item.id}`, etag: etagOf(item) },
  body: JSON.stringify(toResponse(item)),
})

const toQuery = (query: Static<typeof ItemsQuery>, actor: { userId: number; role: string }): ItemQuery => {
  const everyone = actor.role === 'admin' ? null : actor.userId
  return {
    ...toPageRequest(query, SORTS, { field: 'created_at', descending: true }),
    ownerId: query.owner_id === undefined ? everyone : Number(query.owner_id),
    text: query.q === undefined || query.q === '' ? null : query.q,
    createdAfter:
      query.created_after === undefined ? null : parseTimestamp(query.created_after, '/created_after').floor,
    createdBefore:
      query.created_before === undefined ? null : parseTimestamp(query.created_before, '/created_before').ceiling,
  }
}

export const itemRoutes = (kernel: Kernel, items: Items) => {
  const changer: Rule = {
    who: 'user',
    body: 'json',
    may: (actor, params) => hasId(params) && items.get(actor, Number(params.id)),
  }
  const beginBatch = createAtOnce(MAX_OPEN_BATCHES_COUNT)
  return new Elysia({ prefix: '/items', tags: ['items'] })
    .use(kernel)
    .post(
      '/',
      ({ call, body, request, idempotently }) => {
        const actor = actorOf(call)
        return idempotently({ request, actor, route: `POST ${PATH}`, sent: body, answer: created }, (wish) =>
          items.create(actor, toDraft(body), wish),
        )
      },
      {
        admit: { who: 'user', body: 'json', idempotent: true },
        body: ItemBody,
        response: { 201: ItemResponse, ...problems(400, 401, 409, 413, 415, 422, 429, 503, 507) },
        detail: {
          operationId: 'createItem',
          summary: 'Create an item',
          description:
            'You own what you create. Sent with an `Idempotency-Key`, it is created once however often the request is repeated.',
        },
      },
    )
    .get(
      '/',
      async ({ call, query }) => {
        const actor = actorOf(call)
        const request = toQuery(query, actor)
        return toPageResponse(await items.list(actor, request), request, toResponse)
      },
      {
        admit: { who: 'user', large: true },
        query: ItemsQuery,
        response: { 200: pageResponse(ItemResponse), ...problems(400, 401, 403, 422, 429, 503) },
        detail: {
          operationId: 'listItems',
          summary: 'List items: your own or, for an admin, all',
          description:
            'By page or, at constant cost at any depth, by `cursor`. `q` searches title and description; `owner_id` is for admins.',
        },
      },
    )
    .post(
      '/batch',
      async ({ call, body, request, set, idempotently, limits, addressOf }) => {
        const actor = actorOf(call)
        using _ = beginBatch(actor.userId)
        const cost = furtherCostOf(body.operations.length)
        await limits.general(actor, () => addressOf(request), set.headers, cost)
        const operations = body.operations.map(toOperation)
        return await idempotently(
          { request, actor, route: `POST ${PATH}/batch`, sent: body, answer: toBatchAnswer },
          (wish) => items.batch(actor, operations, wish),
        )
      },
      {
        admit: { who: 'user', body: 'json', large: true, idempotent: true },
        body: BatchBody,
        response: { 200: BatchResponse, ...problems(400, 401, 404, 409, 412, 413, 415, 422, 429, 503, 507) },
        detail: {
          operationId: 'batchItems',
          summary: 'Create, update and delete up to 100 items, all or nothing',
          description:
            'All operations take effect in one transaction, or none does: then the answer is the problem of the first that failed, with its `index`.',
        },
      },
    )
    .get(
      '/:id',
      async ({ call, params, request, set, status }) => {
        const item = await items.get(actorOf(call), Number(params.id))
        const etag = etagOf(item)
        set.headers.etag = etag
        return isKnown(request, etag) ? status(304, undefined) : toResponse(item)
      },
      {
        admit: { who: 'user' },
        params: IdParams,
        response: {
          200: ItemResponse,
          304: NotModified,
          ...problems(400, 401, 404, 422, 429, 503),
        },
        detail: {
          operationId: 'getItem',
          summary: 'An item, with the ETag of its version',
          description: 'With `If-None-Match`, 304 without content while nothing has changed.',
        },
      },
    )
    .patch(
      '/:id',
      async ({ call, params, body, request, set }) => {
        const item = await items.update(actorOf(call), Number(params.id), toPatch(body), ifMatch(request))
        set.headers.etag = etagOf(item)
        return toResponse(item)
      },
      {
        admit: changer,
        params: IdParams,
        body: ItemPatchBody,
        response: { 200: ItemResponse, ...problems(400, 401, 404, 412, 413, 415, 422, 429, 503, 507) },
        detail: {
          operationId: 'updateItem',
          summary: 'Change the named fields; data is merged (RFC 7396)',
          description:
            'Fields that are not named stay as they are. With `If-Match`, nothing is changed at any other version than the one you know.',
        },
      },
    )
    .delete(
      '/:id',
      async ({ call, params, request, status }) => {
        await items.remove(actorOf(call), Number(params.id), ifMatch(request))
        return status(204, undefined)
      },
      {
        admit: { who: 'user' },
        params: IdParams,
        response: { 204: NoContent, ...problems(400, 401, 404, 412, 422, 429, 503, 507) },
        detail: {
          operationId: 'deleteItem',
          summary: 'Delete an item',
          description: 'With `If-Match`, only at the version you know.',
        },
      },
    )
}
