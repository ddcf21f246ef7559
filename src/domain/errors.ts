/** Every error of the core. Stable slugs: clients see them as `code`. */
export type ErrorCode =
  | 'batch_too_large'
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
  | 'invalid_token'
  | 'job_done'
  | 'job_running'
  | 'last_admin'
  | 'not_found'
  | 'overloaded'
  | 'page_too_deep'
  | 'password_required'
  | 'quota_exceeded'
  | 'signup_closed'
  | 'storage_full'
  | 'storage_reserved'
  | 'too_many_links'
  | 'too_many_requests'
  | 'unauthenticated'
  | 'unavailable'
  | 'version_mismatch'
  | 'weak_password'
  | 'wrong_password'

export interface AppErrorOptions {
  readonly cause?: unknown
  /** Whole seconds after which the same request may succeed. */
  readonly retryAfterSeconds?: number
  /** Which of several operations failed, from 0. */
  readonly index?: number
  /** The field at fault. */
  readonly field?: string | undefined
}

/** A failure that the caller can act on. If thrown inside a unit of work, it rolls the transaction back. */
export class AppError extends Error {
  readonly code: ErrorCode
  readonly retryAfterSeconds: number | undefined
  readonly index: number | undefined
  readonly field: string | undefined

  constructor(code: ErrorCode, message: string, options: AppErrorOptions = {}) {
    super(message, 'cause' in options ? { cause: options.cause } : undefined)
    this.name = 'AppError'
    this.code = code
    this.retryAfterSeconds = options.retryAfterSeconds
    this.index = options.index
    this.field = options.field
  }
}

export const notFound = (what: string) => new AppError('not_found', `${what} not found`)
