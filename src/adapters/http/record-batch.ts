import { Elysia, t } from 'elysia'
import type { RecordResult, Records } from '../../application/records.ts'
import type { JsonObject } from '../../domain/merge-patch.ts'
import { BATCH_LIMITS } from '../../domain/record.ts'
import { actorOf } from './call.ts'
import { furtherCostOf } from './costs.ts'
import { createConcurrencyLimit } from './files/concurrency-limit.ts'
import type { Kernel } from './kernel.ts'
import { problems } from './problems.ts'
import { AnyRecord, type ShowRecord } from './record-bodies.ts'
import { SentId, toOperation, Version } from './record-schemas.ts'
import { body } from './schemas.ts'

const PATH = '/api/v1/batch'

/** Concurrent batches of one user in one process. */
const MAX_OPEN_BATCHES_COUNT = 4

const Name = t.String({ maxLength: 63, description: 'The name of a collection', examples: ['items'] })

/** An operation with fields of any collection, which the core checks. */
const operation = (title: string, properties: Parameters<typeof t.Object>[0]) =>
  t.Object({ collection: Name, ...properties }, { title, additionalProperties: true })

const Operation = t.Union(
  [
    operation('BatchCreate', { op: t.Literal('create') }),
    operation('BatchUpdate', { op: t.Literal('update'), id: SentId, version: Version }),
    body('BatchDelete', { collection: Name, op: t.Literal('delete'), id: SentId, version: Version }),
  ],
  { title: 'BatchOperation', expects: 'a create, update or delete' },
)

const Batch = body('Batch', {
  operations: t.Array(Operation, { minItems: BATCH_LIMITS.minOperations, maxItems: BATCH_LIMITS.maxOperations }),
})

const BatchResult = t.Object(
  {
    results: t.Array(t.Nullable(AnyRecord), {
      description: 'One result per operation, in the same order; null for a delete',
    }),
  },
  { title: 'BatchResult' },
)

/** `POST /batch`: changes of records of any collections in one transaction. */
export const recordBatchRoutes = (kernel: Kernel, records: Records, show: ShowRecord) => {
  const begin = createConcurrencyLimit(MAX_OPEN_BATCHES_COUNT)
  const responseOf = (results: readonly (RecordResult | null)[]) => ({
    status: 200,
    headers: {},
    body: JSON.stringify({ results: results.map((result) => result && show(result)) }),
  })
  return new Elysia({ prefix: '/batch', tags: ['collections'] }).use(kernel).post(
    '/',
    async ({ call, body: sent, request, set, withIdempotency, limits, addressOf }) => {
      const actor = actorOf(call)
      using _ = begin(actor.userId)
      const cost = furtherCostOf(sent.operations.length)
      await limits.general(actor, () => addressOf(request), set.headers, cost)
      const operations = sent.operations.map(({ collection, ...rest }) =>
        toOperation(collection, rest as JsonObject, false),
      )
      return await withIdempotency({ request, actor, route: `POST ${PATH}`, sent, responseOf }, (idempotency) =>
        records.batch(actor, operations, idempotency),
      )
    },
    {
      admit: { who: 'user', body: 'json', largeResponse: true, idempotent: true },
      body: Batch,
      response: { 200: BatchResult, ...problems(403, 404, 409, 412) },
      detail: {
        operationId: 'batchRecords',
        summary: 'Create, update and delete up to 100 records of any collections, all or nothing',
        description:
          'All operations take effect in one transaction, or none does. The fields of a record are members of its operation. If one fails, the response is the problem of the first that failed, with its `index`.',
      },
    },
  )
}
