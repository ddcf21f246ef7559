import { AppError, type ErrorCode, type Misfits, shortPointer } from '../../domain/errors.ts'
import {
  MAX_LISTED_FAULTS_COUNT,
  PROBLEM_STATUS,
  type ProblemCode,
  type ProblemStatus,
  type ProtocolCode,
} from './problem-codes.ts'
import { ProblemResponse } from './problem-schemas.ts'
import { statusPhrase } from './status-phrase.ts'

export { MAX_LISTED_FAULTS_COUNT, PROBLEM_STATUS, type ProblemCode, type ProblemStatus } from './problem-codes.ts'

/** A fault in one part of a request. `pointer` is a JSON Pointer (RFC 6901) into that part. */
export interface InvalidPart {
  readonly in: 'body' | 'query' | 'path' | 'header'
  readonly pointer: string
  readonly detail: string
}

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
  readonly misfits?: Misfits | undefined
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

const detailOf = ({ message, faults = [] }: AppError): string =>
  faults.length <= MAX_LISTED_FAULTS_COUNT
    ? message
    : `${message}; only the first ${MAX_LISTED_FAULTS_COUNT} faults are listed`

/** The problem for a failure that the client may see; null for an internal failure, which must be logged. */
export const toProblem = (error: unknown): Problem | null => {
  if (error instanceof AppError && error.code !== 'internal_error') {
    const retry = error.retryAfterSeconds === undefined ? {} : { 'retry-after': String(error.retryAfterSeconds) }
    const headers = { ...challenge(error.code), ...retry }
    const { index, misfits } = error
    return describe(error.code, detailOf(error), { headers, index, misfits, errors: invalidPartsOf(error) })
  }
  if (error instanceof OAuthProblem) {
    return describe(error.code, error.message, { oauthError: error.error, headers: { 'cache-control': 'no-store' } })
  }
  if (!(error instanceof HttpProblem)) return null
  return describe(error.code, error.message, { errors: error.errors, headers: error.headers })
}

export const internalProblem = (): Problem => describe('internal_error', 'Something went wrong on our side')

const misfitsOf = ({ count, first }: Misfits) => ({
  count,
  first: first.map(({ id, faults }) => ({
    id,
    errors: faults
      .slice(0, MAX_LISTED_FAULTS_COUNT)
      .map(({ pointer, detail }) => ({ pointer: shortPointer(pointer), detail })),
  })),
})

/**
 * A problem as `application/problem+json` (RFC 9457 section 3.1; `code` identifies the error). From an OAuth endpoint
 * it is `application/json` with the members of RFC 6749 section 5.2 in front.
 */
export const problemResponse = (problem: Problem, requestId: string): Response => {
  const { status, code, detail, errors, headers, index, misfits, oauthError } = problem
  const oauth = oauthError === undefined ? {} : { error: oauthError, error_description: detail }
  const title = statusPhrase(status) ?? 'Error'
  const records = misfits && misfitsOf(misfits)
  const about = { type: 'about:blank', title, status, detail, code, request_id: requestId }
  const body = { ...oauth, ...about, index, errors, records }
  const contentType = oauthError === undefined ? 'application/problem+json' : 'application/json'
  return new Response(JSON.stringify(body), { status, headers: { 'content-type': contentType, ...headers } })
}
