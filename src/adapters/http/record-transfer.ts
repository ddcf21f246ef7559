import { Elysia, t } from 'elysia'
import type { ImportResult as Imported } from '../../application/import-results.ts'
import type { EventLoopSlices, Log } from '../../application/ports/system.ts'
import type { Records } from '../../application/records.ts'
import type { Principal } from '../../domain/session.ts'
import { chunksOf, jsonProblem, requireType } from './body.ts'
import { actorOf, type Call } from './call.ts'
import { createConcurrencyLimit } from './files/concurrency-limit.ts'
import { extendFingerprint } from './idempotency.ts'
import { withIdleTimeout } from './idle-timeout.ts'
import { integer } from './integer.ts'
import type { Kernel, Rule } from './kernel.ts'
import { type Line, linesOf, NDJSON_TYPE } from './lines.ts'
import { ndjsonResponse } from './ndjson.ts'
import { Code, FieldFault } from './problem-schemas.ts'
import { HttpProblem, type InvalidPart, problems } from './problems.ts'
import { isPublic, type ShowRecord } from './record-bodies.ts'
import { choiceOf, queryOf } from './schemas.ts'

/** Exports and imports of one admin in this process. */
const MAX_OPEN_TRANSFERS_COUNT = 4

/** Unreadable lines that are listed in the response. */
const MAX_UNREADABLE_LINES_COUNT = 1_000

export const ImportQuery = queryOf({
  dry_run: t.Optional(
    choiceOf(['true', 'false'], {
      default: 'false',
      description:
        '`true` only checks the lines, and stores nothing. Duplicates within the file are found among the first 100,000 unique values',
    }),
  ),
})

export const ImportResult = t.Object(
  {
    created: integer({ minimum: 0, description: 'Records created, or with `dry_run` acceptable', examples: [2] }),
    refused: integer({ minimum: 0, description: 'Lines refused', examples: [1] }),
    lines: t.Array(
      t.Object(
        {
          line: integer({ minimum: 1, description: 'Counted from 1', examples: [3] }),
          code: Code,
          detail: t.String({ description: 'Why it was refused', examples: ['The line is not valid JSON'] }),
          errors: t.Array(FieldFault),
        },
        { title: 'RefusedLine', description: 'A line that was refused' },
      ),
      { description: 'The first refused lines' },
    ),
  },
  { title: 'ImportResult' },
)

/** Stands for a line that is not accepted, and for no other. It is not JSON, so the core refuses it. */
const unreadable = ({ text, digest }: Line): string => `?${text ?? digest}`

const problemOf = ({ text, fault = '' }: Line): HttpProblem | null =>
  text === null ? new HttpProblem('malformed_body', fault) : jsonProblem(text)

/** Lines as the core accepts them, and why some are refused. */
const readable = (lines: AsyncIterable<Line>) => {
  const refused = new Map<number, HttpProblem>()
  const texts = async function* () {
    for await (const line of lines) {
      const problem = problemOf(line)
      if (problem !== null && refused.size < MAX_UNREADABLE_LINES_COUNT) refused.set(line.number, problem)
      yield problem === null && line.text !== null ? line.text : unreadable(line)
    }
  }
  return { texts: texts(), refused }
}

type Fault = Pick<InvalidPart, 'pointer' | 'detail'>

const toErrors = (faults: readonly Fault[]) => faults.map(({ pointer, detail }) => ({ pointer, detail }))

const toResponse = ({ created, refused, lines }: Imported, problemsOf: ReadonlyMap<number, HttpProblem>) => ({
  created,
  refused,
  lines: lines.map(({ line, code, detail, faults }) => {
    const problem = problemsOf.get(line)
    return problem === undefined
      ? { line, code, detail, errors: toErrors(faults) }
      : { line, code: problem.code, detail: problem.message, errors: toErrors(problem.errors ?? []) }
  }),
})

interface Deps {
  readonly records: Records
  readonly show: ShowRecord
  readonly log: Log
  readonly slices: EventLoopSlices
  /** The limit of a line. */
  readonly maxLineBytes: number
}

const CollectionParams = t.Object({ collection: t.String() })
/** Described once for each collection, in `docs/collection.ts`. */
const hidden = { hide: true }

/** `/collections/NAME/records/export` and `…/import`, for admins. */
export const recordTransferRoutes = (kernel: Kernel, { records, show, log, slices, maxLineBytes }: Deps) => {
  const begin = createConcurrencyLimit(MAX_OPEN_TRANSFERS_COUNT)
  const checkAccess = (_: Principal, { collection = '' }: Readonly<Record<string, string>>) =>
    records.collection(collection)
  const exportRule: Rule = { who: 'admin', checkAccess }
  const importRule: Rule = { who: 'admin', checkAccess, body: 'stream', idempotent: true }
  const logInterruption = (call: Call) => (error: unknown) =>
    log.warn('an export was interrupted', { request_id: call.id, error })

  return new Elysia({ prefix: '/collections/:collection/records' })
    .use(kernel)
    .get(
      '/export',
      async ({ call, params, request, noteRead }) => {
        const actor = actorOf(call)
        if (request.method === 'HEAD') return new Response(null, { headers: { 'content-type': NDJSON_TYPE } })
        const slot = begin(actor.userId)
        try {
          const { collection, chunks } = await records.export(actor, params.collection)
          // Whoever the owners are, they are not known before the response begins.
          const owners = isPublic(collection) ? [] : [{ ownerId: 0 }]
          await noteRead(call, request, { action: 'record.read', subject: collection.name, owners })
          return ndjsonResponse(chunks, (record) => show({ collection, record }), {
            ended: () => slot[Symbol.dispose](),
            failed: logInterruption(call),
          })
        } catch (error) {
          slot[Symbol.dispose]()
          throw error
        }
      },
      { admit: exportRule, params: CollectionParams, detail: hidden },
    )
    .post(
      '/import',
      async ({ call, params, query, request, idleTimeout, withIdempotency }) => {
        const actor = actorOf(call)
        requireType(request, NDJSON_TYPE)
        using _ = begin(actor.userId)
        const chunks = withIdleTimeout(chunksOf(request), request, idleTimeout)
        const { texts, refused } = readable(linesOf(request, maxLineBytes, slices, chunks))
        const isDryRun = query.dry_run === 'true'
        const route = `POST /api/v1/collections/${params.collection}/records/import`
        const responseOf = (result: Imported) => ({
          status: 200,
          headers: {},
          body: JSON.stringify(toResponse(result, refused)),
        })
        return await withIdempotency({ request, actor, route, sent: null, responseOf }, (once) => {
          const idempotency = once && { ...once, extend: extendFingerprint }
          return records.importLines(actor, params.collection, texts, { isDryRun, idempotency })
        })
      },
      {
        admit: importRule,
        params: CollectionParams,
        query: ImportQuery,
        response: { 200: ImportResult, ...problems() },
        detail: hidden,
      },
    )
}
