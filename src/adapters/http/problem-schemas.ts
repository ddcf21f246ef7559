import { t } from 'elysia'
import { integer } from './integer.ts'
import { MAX_LISTED_FAULTS_COUNT, PROBLEM_STATUS, type ProblemCode } from './problem-codes.ts'

export const Code = t.Unsafe<ProblemCode>(
  t.String({
    openapi: {
      type: 'string',
      title: 'ProblemCode',
      enum: Object.keys(PROBLEM_STATUS),
      examples: ['not_found'],
      description: 'Identifies the error; codes never change their meaning, and new ones may be added',
    },
  }),
)

const FieldError = t.Object(
  {
    in: t.Union([t.Literal('body'), t.Literal('query'), t.Literal('path'), t.Literal('header')]),
    pointer: t.String({
      description: 'A JSON Pointer (RFC 6901) to the fault; truncated if long',
      examples: ['/title'],
    }),
    detail: t.String({ description: 'What was expected', examples: ['Expected 1 to 200 visible characters'] }),
  },
  { title: 'FieldError', description: 'One fault of a request' },
)

const Pointer = t.String({
  description: 'A JSON Pointer (RFC 6901) to the fault; truncated if long',
  examples: ['/title'],
})

/** One fault of a record that is not the body of the request. */
export const FieldFault = t.Object(
  { pointer: Pointer, detail: t.String({ description: 'What was expected', examples: ['Expected a string'] }) },
  { title: 'RecordFault', description: 'One fault of a record' },
)

const Misfit = t.Object(
  {
    id: integer({ minimum: 1, description: 'The id of the record', examples: [1] }),
    errors: t.Array(FieldFault),
  },
  { title: 'RecordMisfit', description: 'A record that does not fit a definition' },
)

const RecordMisfits = t.Object(
  {
    count: integer({ minimum: 1, description: 'How many records do not fit', examples: [12] }),
    first: t.Array(Misfit, { description: 'The first ten, by their ids' }),
  },
  { title: 'RecordMisfits', description: 'The records that do not fit a definition' },
)

export const ProblemResponse = t.Object(
  {
    type: t.String({
      description: 'Always `about:blank`: the kind of problem is in `code`',
      examples: ['about:blank'],
    }),
    title: t.String({ description: 'What the status means', examples: ['Not Found'] }),
    status: integer({
      minimum: 400,
      maximum: 599,
      description: 'The same as the status of the response',
      examples: [404],
    }),
    detail: t.String({
      description: 'Explanation for people; may change',
      examples: ['File not found'],
    }),
    code: Code,
    request_id: t.String({
      description: "Identifies this request in the server's log",
      examples: ['5f0c9a52-6f0e-4c5b-9d3a-0a7c4f1e8b26'],
    }),
    index: t.Optional(
      integer({ minimum: 0, maximum: 99, description: 'Which operation of a batch failed, from 0', examples: [0] }),
    ),
    records: t.Optional(RecordMisfits),
    errors: t.Optional(t.Array(FieldError, { description: `The first ${MAX_LISTED_FAULTS_COUNT} faults` })),
  },
  { title: 'Problem', description: 'Problem details (RFC 9457)', contentMediaType: 'application/problem+json' },
)
