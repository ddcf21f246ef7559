import type { Node } from './node.ts'

const ETAG = '"3-k7d2q9x1"'
const PART = 'bytes 0-1023/52488'

const count = (example: number): Node => ({ type: 'integer', format: 'int64', minimum: 0, examples: [example] })
const seconds = (example: number): Node => ({ ...count(example), minimum: 1 })
const text = (example: string, rest: Node = {}): Node => ({ type: 'string', ...rest, examples: [example] })

/** Response headers, for `components/headers`. */
export const RESPONSE_HEADERS: Readonly<Record<string, Node>> = {
  Accept: {
    description: 'The media type that the body must have; absent if its media type was not the fault',
    schema: text('application/json'),
  },
  'Accept-Encoding': {
    description:
      '`identity`: the body must not be compressed; absent if that was not the fault (RFC 9110 section 12.5.3)',
    schema: text('identity'),
  },
  'Accept-Ranges': { description: '`bytes`: the server accepts `Range` requests', schema: text('bytes') },
  'Content-Disposition': {
    description: '`inline` for an image that is safe to display, otherwise `attachment`; with the file name (RFC 6266)',
    schema: text(`inline; filename="table.jpg"; filename*=UTF-8''table.jpg`),
  },
  'Content-Range': {
    description: 'The range of bytes sent, and the total size (RFC 9110 section 14.4)',
    schema: text(PART),
  },
  ETag: {
    description: 'Identifies this version: send it back as `If-Match` or `If-None-Match`, including the quotes',
    schema: text(ETAG),
  },
  'Idempotency-Replayed': {
    description: '`true`: the stored response to an earlier request with the same `Idempotency-Key`; absent otherwise',
    schema: { type: 'string', enum: ['true'], examples: ['true'] },
  },
  Location: {
    description: 'The path of the created resource',
    schema: text('/api/v1/files/1', { format: 'uri-reference' }),
  },
  'Preference-Applied': {
    description: '`return=representation` if the request asked for it with `Prefer` (RFC 7240)',
    schema: text('return=representation'),
  },
  'RateLimit-Limit': { description: 'Requests allowed per window; absent without a limit', schema: count(600) },
  'RateLimit-Remaining': { description: 'Requests left in the current window', schema: count(599) },
  'RateLimit-Reset': {
    description: 'Seconds until the window ends and the limit is available in full',
    schema: seconds(60),
  },
  'Retry-After': { description: 'Seconds to wait before the same call may succeed', schema: seconds(30) },
  'WWW-Authenticate': {
    description: 'How to authenticate (RFC 6750)',
    schema: text('Bearer error="invalid_token"'),
  },
  'X-Request-Id': {
    description:
      "Identifies this request in the server's log: the value sent by the caller, if it is 1 to 64 characters of `A-Za-z0-9_.-`",
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
  'A value of your choice, such as a UUID. If the same request is repeated with the same key within 24 hours, it takes effect once and gets the same response; a different request with that key is refused with `idempotency_mismatch`. Only for authenticated callers',
  text('9b2d6a0e-4c1f-4d53-8f0b-2f6f0c7e1a94', { pattern: '^[\\x21-\\x7e]{1,255}$' }),
)

const IF_MATCH = requestHeader(
  'If-Match',
  'One or more `ETag` values. If none matches the current version, nothing is changed and the response is 412',
  text(ETAG),
)

const IF_NONE_MATCH = requestHeader(
  'If-None-Match',
  'One or more `ETag` values. If one matches the current version, the response is 304 without content',
  text(ETAG),
)

const RANGE = requestHeader(
  'Range',
  'A single range of bytes (RFC 9110 section 14): the response is 206 with those bytes only',
  text('bytes=0-1023'),
)

const IF_RANGE = requestHeader(
  'If-Range',
  'The `ETag` of the content you have a part of: if the content has changed, `Range` is ignored and all of it is sent',
  text(ETAG),
)

const PREFER = requestHeader(
  'Prefer',
  '`return=representation` asks for 200 with content where the answer would be 204 (RFC 7240)',
  text('return=representation'),
)

/** The properties of an operation that determine its headers. */
export interface OperationFacts {
  readonly path: string
  /** The statuses it declares. */
  readonly statuses: ReadonlySet<string>
  /** Whether it supports `Idempotency-Key`. */
  readonly idempotent: boolean
  /** Whether it has a rate limit. */
  readonly limited: boolean
  /** Whether it serves content with range support, or is the HEAD of such content. */
  readonly ranged: boolean
}

/** The headers an operation reads, derived from the responses that only they can cause. */
export const requestHeadersOf = ({ path, statuses, idempotent }: OperationFacts): readonly Node[] => [
  ...(idempotent ? [IDEMPOTENCY_KEY] : []),
  // Only for a single resource; a batch names versions in its operations.
  ...(statuses.has('412') && path.endsWith('}') ? [IF_MATCH] : []),
  ...(statuses.has('304') ? [IF_NONE_MATCH] : []),
  ...(statuses.has('206') ? [RANGE, IF_RANGE] : []),
  ...(statuses.has('200') && statuses.has('204') ? [PREFER] : []),
]

const LIMIT = ['RateLimit-Limit', 'RateLimit-Remaining', 'RateLimit-Reset']

/** Statuses of errors with `Retry-After`. */
const RETRYABLE_STATUSES: ReadonlySet<string> = new Set(['429', '503', '507'])

/** The headers of one response. `versioned`: its resource has a version; `problem`: it is an error. */
export const responseHeadersOf = (
  status: string,
  { statuses, idempotent, limited, ranged }: OperationFacts,
  { versioned, problem }: { readonly versioned: boolean; readonly problem: boolean },
): Node => {
  const isSuccess = status.startsWith('2')
  const hasContent = isSuccess && status !== '204'
  const names = [
    'X-Request-Id',
    // A wrong Host is refused before the rate limit.
    ...(limited && status !== '421' ? LIMIT : []),
    ...(status === '201' ? ['Location'] : []),
    ...(versioned || (statuses.has('304') && (hasContent || status === '304')) ? ['ETag'] : []),
    ...(idempotent && isSuccess ? ['Idempotency-Replayed'] : []),
    ...(ranged && (hasContent || status === '416') ? ['Accept-Ranges'] : []),
    ...(ranged && hasContent ? ['Content-Disposition'] : []),
    ...(status === '206' || status === '416' ? ['Content-Range'] : []),
    ...(status === '200' && statuses.has('204') ? ['Preference-Applied'] : []),
    ...(status === '415' ? ['Accept', 'Accept-Encoding'] : []),
    ...(status === '401' ? ['WWW-Authenticate'] : []),
    ...(problem && RETRYABLE_STATUSES.has(status) ? ['Retry-After'] : []),
  ]
  return Object.fromEntries(names.map((name) => [name, { $ref: `#/components/headers/${name}` }]))
}
