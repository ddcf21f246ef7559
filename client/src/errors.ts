/** Every `code` of a problem that a server answers. */
export type ProblemCode =
  | 'backup_running'
  | 'batch_too_large'
  | 'collection_built_in'
  | 'data_too_large'
  | 'email_taken'
  | 'forbidden'
  | 'idempotency_in_progress'
  | 'idempotency_mismatch'
  | 'inactive_user'
  | 'internal_error'
  | 'invalid_cursor'
  | 'invalid_file_type'
  | 'invalid_grant'
  | 'invalid_link'
  | 'invalid_request'
  | 'invalid_token'
  | 'job_done'
  | 'job_running'
  | 'last_admin'
  | 'malformed_body'
  | 'managed_by_files'
  | 'method_not_allowed'
  | 'misdirected_request'
  | 'not_empty'
  | 'not_found'
  | 'being_deleted'
  | 'not_unique'
  | 'number_not_exact'
  | 'overloaded'
  | 'page_too_deep'
  | 'password_required'
  | 'payload_too_large'
  | 'quota_exceeded'
  | 'range_not_satisfiable'
  | 'records_do_not_fit'
  | 'referenced'
  | 'signup_closed'
  | 'storage_full'
  | 'storage_reserved'
  | 'too_many_links'
  | 'too_many_requests'
  | 'unauthenticated'
  | 'unavailable'
  | 'unsupported_grant_type'
  | 'unsupported_media_type'
  | 'upgrade_required'
  | 'validation_failed'
  | 'version_mismatch'
  | 'weak_password'
  | 'wrong_password'

/** What the client adds: a request without an answer, one that its `signal` ended, an answer that is not Skep's. */
export type ClientCode = 'network_error' | 'aborted' | 'unexpected_response'

export type SkepErrorCode = ProblemCode | ClientCode

/** What is wrong with one part of a request. `pointer` is a JSON Pointer into that part. */
export interface Fault {
  readonly in: 'body' | 'query' | 'path' | 'header'
  readonly pointer: string
  readonly detail: string
}

export interface SkepErrorDetails {
  readonly status?: number | undefined
  readonly errors?: readonly Fault[] | undefined
  readonly requestId?: string | undefined
  readonly index?: number | undefined
  readonly cause?: unknown
}

/** The only error that calls reject with. Its `message` is the server's explanation for people. */
export class SkepError<Code extends SkepErrorCode = SkepErrorCode> extends Error {
  readonly code: Code
  /** The HTTP status; 0 if there was no answer. */
  readonly status: number
  readonly errors: readonly Fault[]
  /** Names the request in the server's log; empty if there was no answer. */
  readonly requestId: string
  /** The operation of a batch that failed. */
  readonly index: number | undefined

  constructor(code: Code, message: string, details: SkepErrorDetails = {}) {
    super(message, 'cause' in details ? { cause: details.cause } : undefined)
    this.name = 'SkepError'
    this.code = code
    this.status = details.status ?? 0
    this.errors = details.errors ?? []
    this.requestId = details.requestId ?? ''
    this.index = details.index
  }
}

/**
 * Whether an error is a {@link SkepError}, with one of these codes if any are given.
 *
 * @example
 * ```ts
 * const task = await client.collection('tasks').create({ title: 'Milk' })
 * await client.collection('tasks').update(task.id, { done: true })
 * try {
 *   await client.collection('tasks').update(task.id, { title: 'Oat milk' }, { version: task.version })
 * } catch (error) {
 *   if (!isSkepError(error, 'version_mismatch')) throw error
 *   console.log('Somebody changed it meanwhile')
 * }
 * ```
 */
export const isSkepError = <Code extends SkepErrorCode = SkepErrorCode>(
  error: unknown,
  ...codes: readonly Code[]
): error is SkepError<Code> =>
  error instanceof SkepError && (codes.length === 0 || codes.some((code) => code === error.code))

interface ProblemBody {
  readonly code?: SkepErrorCode
  readonly detail?: string
  readonly errors?: readonly Fault[]
  readonly request_id?: string
  readonly index?: number
}

/** The error for a refusal. `text` is its body. */
export const problemOf = (status: number, text: string): SkepError => {
  const { code, detail, errors, request_id: requestId, index } = parsed(text)
  if (code === undefined) return new SkepError('unexpected_response', `The server answered ${status}`, { status })
  return new SkepError(code, detail ?? code, { status, errors, requestId, index })
}

const parsed = (text: string): ProblemBody => {
  try {
    return JSON.parse(text) ?? {}
  } catch {
    return {}
  }
}
