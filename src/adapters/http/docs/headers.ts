import type { Node } from './node.ts'

const ETAG = '"3-k7d2q9x1"'
const PART = 'bytes 0-1023/52488'

const count = (example: number): Node => ({ type: 'integer', format: 'int64', minimum: 0, examples: [example] })
const seconds = (example: number): Node => ({ ...count(example), minimum: 1 })
const text = (example: string, rest: Node = {}): Node => ({ type: 'string', ...rest, examples: [example] })

/** What answers carry, for `components/headers`. */
export const RESPONSE_HEADERS: Readonly<Record<string, Node>> = {
  'Accept-Ranges': { description: '`bytes`: parts can be asked for by `Range`', schema: text('bytes') },
  'Content-Disposition': {
    description: '`inline` for an image that is safe to show, else `attachment`; with the name of the file (RFC 6266)',
    schema: text(`inline; filename="table.jpg"; filename*=UTF-8''table.jpg`),
  },
  'Content-Range': { description: 'Which bytes of how many (RFC 9110 section 14.4)', schema: text(PART) },
  ETag: {
    description: 'Names this version: send it back as `If-Match` or `If-None-Match`, quotes and all',
    schema: text(ETAG),
  },
  'Idempotency-Replayed': {
    description: '`true`: this is the answer to an earlier request with the same `Idempotency-Key`; absent otherwise',
    schema: { type: 'string', enum: ['true'], examples: ['true'] },
  },
  Location: {
    description: 'The path of what was created',
    schema: text('/api/v1/items/1', { format: 'uri-reference' }),
  },
  'Preference-Applied': {
    description: '`return=representation` when that was asked for by `Prefer` (RFC 7240)',
    schema: text('return=representation'),
  },
  'RateLimit-Limit': { description: 'How many requests one period allows; absent without a limit', schema: count(600) },
  'RateLimit-Remaining': { description: 'How many are left of them', schema: count(599) },
  'RateLimit-Reset': { description: 'Seconds until all of them are there again', schema: seconds(60) },
  'Retry-After': { description: 'Seconds after which the same call may succeed', schema: seconds(30) },
  'WWW-Authenticate': {
    description: 'How to prove who you are (RFC 6750)',
    schema: text('Bearer error="invalid_token"'),
  },
  'X-Request-Id': {
    description:
      'Names this request in the log of the server: what the caller sent, if it is 1 to 64 of `A-Za-z0-9_.-`',
    schema: text('5f0c9a52-6f0e-4c5b-9d3a-0a7c4f1e8b26', { pattern: '^[\\w.-]{1,64}$' }),
  },
}

const requestHeader = (name: string, description: string, schema: Node): Node => ({
  name,
  in: 'header',
  required: false,
  description,
  schema,
})

const IDEMPOTENCY_KEY = requestHeader(
  'Idempotency-Key',
  'A value of your choice, such as a UUID. Sent again with the same key within 24 hours, the same request takes effect once and is answered alike; another one is refused with `idempotency_mismatch`. For callers with a token',
  text('9b2d6a0e-4c1f-4d53-8f0b-2f6f0c7e1a94', { pattern: '^[\\x21-\\x7e]{1,255}$' }),
)

const IF_MATCH = requestHeader(
  'If-Match',
  'The `ETag` of the version you know, or several: at any other version nothing is changed, and the answer is 412',
  text(ETAG),
)

const IF_NONE_MATCH = requestHeader(
  'If-None-Match',
  'The `ETag` of what you have, or several: if that is still current, the answer is 304 without content',
  text(ETAG),
)

const RANGE = requestHeader(
  'Range',
  'The part you want, for a single range of bytes (RFC 9110 section 14): the answer is 206 with these alone',
  text('bytes=0-1023'),
)

const IF_RANGE = requestHeader(
  'If-Range',
  'The `ETag` of the part you have: `Range` counts only if the content is still the same, else all of it is sent',
  text(ETAG),
)

const PREFER = requestHeader(
  'Prefer',
  '`return=representation` asks for 200 with content where the answer would be 204 (RFC 7240)',
  text('return=representation'),
)

/** What is known of an operation before it is described. */
export interface OperationFacts {
  readonly path: string
  /** Those it declares. */
  readonly statuses: ReadonlySet<string>
  /** Whether it honours `Idempotency-Key`. */
  readonly idempotent: boolean
  /** Whether calls are counted. */
  readonly limited: boolean
  /** Whether it serves content of which parts can be had, or says what GET would. */
  readonly ranged: boolean
}

/** The headers an operation reads. They follow from the answers that only these can bring about. */
export const requestHeadersOf = ({ path, statuses, idempotent }: OperationFacts): readonly Node[] => [
  ...(idempotent ? [IDEMPOTENCY_KEY] : []),
  // Of the one thing that the path names: a batch names its own versions.
  ...(statuses.has('412') && path.endsWith('}') ? [IF_MATCH] : []),
  ...(statuses.has('304') ? [IF_NONE_MATCH] : []),
  ...(statuses.has('206') ? [RANGE, IF_RANGE] : []),
  ...(statuses.has('200') && statuses.has('204') ? [PREFER] : []),
]

const LIMIT = ['RateLimit-Limit', 'RateLimit-Remaining', 'RateLimit-Reset']

/** Statuses whose refusal says when the same call may succeed. */
const RETRYABLE_STATUSES: ReadonlySet<string> = new Set(['429', '503', '507'])

/** The headers of one answer. `versioned`: what it shows has a version; `problem`: it is a refusal. */
export const responseHeadersOf = (
  status: string,
  { statuses, idempotent, limited, ranged }: OperationFacts,
  { versioned, problem }: { readonly versioned: boolean; readonly problem: boolean },
): Node => {
  const isSuccess = status.startsWith('2')
  const hasContent = isSuccess && status !== '204'
  const names = [
    'X-Request-Id',
    // A wrong Host is refused before anything is counted.
    ...(limited && status !== '421' ? LIMIT : []),
    ...(status === '201' ? ['Location'] : []),
    ...(versioned || (statuses.has('304') && (hasContent || status === '304')) ? ['ETag'] : []),
    ...(idempotent && isSuccess ? ['Idempotency-Replayed'] : []),
    ...(ranged && (hasContent || status === '416') ? ['Accept-Ranges'] : []),
    ...(ranged && hasContent ? ['Content-Disposition'] : []),
    ...(status === '206' || status === '416' ? ['Content-Range'] : []),
    ...(status === '200' && statuses.has('204') ? ['Preference-Applied'] : []),
    ...(status === '401' ? ['WWW-Authenticate'] : []),
    ...(problem && RETRYABLE_STATUSES.has(status) ? ['Retry-After'] : []),
  ]
  return Object.fromEntries(names.map((name) => [name, { $ref: `#/components/headers/${name}` }]))
}
