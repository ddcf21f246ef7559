import { STATUS_CODES } from 'node:http'
import { t } from 'elysia'
import { AppError, type ErrorCode } from '../../domain/errors.ts'

/** Errors that only exist in HTTP, in addition to those of the core. */
type ProtocolCode =
  | 'invalid_request'
  | 'malformed_body'
  | 'method_not_allowed'
  | 'misdirected_request'
  | 'number_not_exact'
  | 'payload_too_large'
  | 'range_not_satisfiable'
  | 'unsupported_grant_type'
  | 'unsupported_media_type'
  | 'upgrade_required'

export type ProblemCode = ErrorCode | ProtocolCode

/** The status of every error. */
export const PROBLEM_STATUS = {
  batch_too_large: 422,
  collection_built_in: 409,
  data_too_large: 422,
  email_taken: 400,
  forbidden: 403,
  idempotency_in_progress: 409,
  idempotency_mismatch: 422,
  inactive_user: 400,
  internal_error: 500,
  invalid_cursor: 422,
  invalid_file_type: 400,
  invalid_grant: 400,
  invalid_link: 400,
  invalid_request: 400,
  invalid_token: 401,
  job_done: 409,
  job_running: 409,
  last_admin: 409,
  malformed_body: 400,
  managed_by_files: 409,
  method_not_allowed: 405,
  misdirected_request: 421,
  not_empty: 409,
  not_found: 404,
  not_unique: 409,
  number_not_exact: 422,
  overloaded: 503,
  page_too_deep: 422,
  password_required: 422,
  payload_too_large: 413,
  quota_exceeded: 507,
  range_not_satisfiable: 416,
  records_do_not_fit: 409,
  referenced: 409,
  signup_closed: 403,
  storage_full: 507,
  storage_reserved: 507,
  too_many_links: 409,
  too_many_requests: 429,
  unauthenticated: 401,
  unavailable: 503,
  unsupported_grant_type: 400,
  unsupported_media_type: 415,
  upgrade_required: 426,
  validation_failed: 422,
  version_mismatch: 412,
  weak_password: 422,
  wrong_password: 400,
} as const satisfies Readonly<Record<ProblemCode, ProblemStatus>>

export type ProblemStatus =
  | 400
  | 401
  | 403
  | 404
  | 405
  | 409
  | 412
  | 413
  | 415
  | 416
  | 421
  | 422
  | 426
  | 429
  | 500
  | 503
  | 507

/** A fault in one part of a request. `pointer` is a JSON Pointer (RFC 6901) into that part. */
export interface InvalidPart {
  readonly in: 'body' | 'query' | 'path' | 'header'
  readonly pointer: string
  readonly detail: string
}

/** How many faults a 422 lists. */
export const MAX_LISTED_FAULTS_COUNT = 20

const MAX_POINTER_LENGTH = 200

/** A pointer for a response: truncated if long, because it may contain a property name from the client. */
export const shortPointer = (pointer: string): string =>
  pointer.length <= MAX_POINTER_LENGTH ? pointer : `${pointer.slice(0, MAX_POINTER_LENGTH - 1)}…`

/** An error found by the HTTP adapter; also `weak_password`, which needs a pointer to the field. */
export class HttpProblem extends Error {
  readonly code: ProtocolCode | 'validation_failed' | 'weak_password'
  readonly errors: readonly InvalidPart[] | undefined
  readonly headers: Readonly<Record<string, string>>

  constructor(
    code: ProtocolCode | 'validation_failed' | 'weak_password',
    message: string,
    options: { errors?: readonly InvalidPart[]; headers?: Readonly<Record<string, string>> } = {},
  ) {
    super(message)
    this.code = code
    this.errors = options.errors
    this.headers = options.headers ?? {}
  }
}

/** The errors of RFC 6749 section 5.2 that this server uses. */
export const OAUTH_ERRORS = [
  'invalid_grant',
  'invalid_request',
  'unsupported_grant_type',
  'unsupported_token_type',
] as const
export type OAuthError = (typeof OAUTH_ERRORS)[number]

/** An error of an OAuth endpoint, which has its own body format. */
export class OAuthProblem extends Error {
  readonly error: OAuthError
  readonly code: ProblemCode

  constructor(error: OAuthError, message: string, code: ProblemCode) {
    super(message)
    this.error = error
    this.code = code
  }
}

const Code = t.Unsafe<ProblemCode>(
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

export const ProblemResponse = t.Object(
  {
    type: t.String({
      description: 'Always `about:blank`: the kind of problem is in `code`',
      examples: ['about:blank'],
    }),
    title: t.String({ description: 'What the status means', examples: ['Not Found'] }),
    status: t.Integer({
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
      t.Integer({ minimum: 0, maximum: 99, description: 'Which operation of a batch failed, from 0', examples: [0] }),
    ),
    errors: t.Optional(t.Array(FieldError, { description: `The first ${MAX_LISTED_FAULTS_COUNT} faults` })),
  },
  { title: 'Problem', description: 'Problem details (RFC 9457)', contentMediaType: 'application/problem+json' },
)

/**
 * The problems of a route, for its `response`. To a typed client, every route may answer any problem. In the OpenAPI
 * document, a route lists `statuses` and those that follow from its method, rule and schemas.
 */
export const problems = (...statuses: readonly ProblemStatus[]) =>
  Object.fromEntries(statuses.map((status) => [status, ProblemResponse])) as Record<
    ProblemStatus,
    typeof ProblemResponse
  >

export interface Problem {
  readonly status: number
  readonly code: ProblemCode
  readonly detail: string
  readonly errors?: readonly InvalidPart[] | undefined
  readonly headers: Readonly<Record<string, string>>
  readonly index?: number | undefined
  /** Set for an error of an OAuth endpoint. */
  readonly oauthError?: OAuthError
}

const describe = (code: ProblemCode, detail: string, rest: Partial<Problem> = {}): Problem => ({
  status: PROBLEM_STATUS[code],
  code,
  detail,
  headers: {},
  ...rest,
})

const challenge = (code: ProblemCode): Record<string, string> => {
  if (code === 'unauthenticated') return { 'www-authenticate': 'Bearer' }
  return code === 'invalid_token' ? { 'www-authenticate': 'Bearer error="invalid_token"' } : {}
}

/** The errors of the core that are a fault in the request, with the part at fault. */
const INVALID_PARTS: Readonly<Record<Unprocessable, Pick<InvalidPart, 'in' | 'pointer'>>> = {
  batch_too_large: { in: 'body', pointer: '' },
  data_too_large: { in: 'body', pointer: '' },
  idempotency_mismatch: { in: 'header', pointer: '/idempotency-key' },
  invalid_cursor: { in: 'query', pointer: '/cursor' },
  page_too_deep: { in: 'query', pointer: '/page' },
  password_required: { in: 'body', pointer: '/current_password' },
  validation_failed: { in: 'body', pointer: '' },
  weak_password: { in: 'body', pointer: '/password' },
}

type Unprocessable = { [Code in ErrorCode]: (typeof PROBLEM_STATUS)[Code] extends 422 ? Code : never }[ErrorCode]

const isUnprocessable = (code: ErrorCode): code is Unprocessable => PROBLEM_STATUS[code] === 422

const invalidPartsOf = ({ code, message, index, field, faults }: AppError): readonly InvalidPart[] | undefined => {
  const operation = index === undefined ? '' : `/operations/${index}`
  if (faults !== undefined) {
    return faults.slice(0, MAX_LISTED_FAULTS_COUNT).map(({ in: part = 'body', pointer, detail }) => {
      return { in: part, pointer: shortPointer(part === 'body' ? `${operation}${pointer}` : pointer), detail }
    })
  }
  if (!isUnprocessable(code)) return undefined
  const part = INVALID_PARTS[code]
  const pointer = `${operation}${field === undefined ? part.pointer : `/${field}`}`
  return [{ in: part.in, pointer, detail: message }]
}

/** The problem for a failure that the client may see; null for an internal failure, which must be logged. */
export const toProblem = (error: unknown): Problem | null => {
  if (error instanceof AppError && error.code !== 'internal_error') {
    const retry = error.retryAfterSeconds === undefined ? {} : { 'retry-after': String(error.retryAfterSeconds) }
    const headers = { ...challenge(error.code), ...retry }
    return describe(error.code, error.message, { headers, index: error.index, errors: invalidPartsOf(error) })
  }
  if (error instanceof OAuthProblem) {
    return describe(error.code, error.message, { oauthError: error.error, headers: { 'cache-control': 'no-store' } })
  }
  if (!(error instanceof HttpProblem)) return null
  return describe(error.code, error.message, { errors: error.errors, headers: error.headers })
}

export const internalProblem = (): Problem => describe('internal_error', 'Something went wrong on our side')

/**
 * A problem as `application/problem+json` (RFC 9457 section 3.1; `code` identifies the error). From an OAuth endpoint
 * it is `application/json` with the members of RFC 6749 section 5.2 in front.
 */
export const problemResponse = (problem: Problem, requestId: string): Response => {
  const { status, code, detail, errors, headers, index, oauthError } = problem
  const oauth = oauthError === undefined ? {} : { error: oauthError, error_description: detail }
  const title = STATUS_CODES[status] ?? 'Error'
  const body = { ...oauth, type: 'about:blank', title, status, detail, code, request_id: requestId, index, errors }
  const contentType = oauthError === undefined ? 'application/problem+json' : 'application/json'
  return new Response(JSON.stringify(body), { status, headers: { 'content-type': contentType, ...headers } })
}
