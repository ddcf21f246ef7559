/** Every error of the core, as a stable slug that clients see as `code`. */
export type ErrorCode =
  | 'backup_running'
  | 'batch_too_large'
  | 'being_deleted'
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
  | 'invalid_token'
  | 'job_done'
  | 'job_running'
  | 'last_admin'
  | 'managed_by_files'
  | 'not_empty'
  | 'not_found'
  | 'not_unique'
  | 'overloaded'
  | 'page_too_deep'
  | 'password_required'
  | 'quota_exceeded'
  | 'records_do_not_fit'
  | 'referenced'
  | 'signup_closed'
  | 'storage_full'
  | 'storage_reserved'
  | 'too_many_links'
  | 'too_many_requests'
  | 'unauthenticated'
  | 'unavailable'
  | 'validation_failed'
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
  /** Every fault of the input, if there may be several. */
  readonly faults?: readonly Fault[] | undefined
  /** The records that do not fit a definition. */
  readonly misfits?: Misfits | undefined
}

/** Records that do not fit a definition: how many, and the first ones by their ids. */
export interface Misfits {
  readonly count: number
  readonly first: readonly {
    readonly id: number
    readonly faults: readonly Fault[]
    /** The name of its collection, if definitions of several were changed. */
    readonly collection?: string
  }[]
}

/** One fault of an input. */
export interface Fault {
  /** The part of a request that has the fault; its body if absent. */
  readonly in?: 'body' | 'query'
  /** A JSON Pointer (RFC 6901) into the input. */
  readonly pointer: string
  /** What was expected, or why it is refused. Never the value. */
  readonly detail: string
}

const MAX_POINTER_LENGTH = 200

/** A pointer for a response: truncated if long, because it may contain a property name from the client. */
export const shortPointer = (pointer: string): string =>
  pointer.length <= MAX_POINTER_LENGTH ? pointer : `${pointer.slice(0, MAX_POINTER_LENGTH - 1)}…`

/** A failure that the caller can act on. If thrown inside a unit of work, it rolls the transaction back. */
export class AppError extends Error {
  readonly code: ErrorCode
  readonly retryAfterSeconds: number | undefined
  readonly index: number | undefined
  readonly field: string | undefined
  readonly faults: readonly Fault[] | undefined
  readonly misfits: Misfits | undefined

  constructor(code: ErrorCode, message: string, options: AppErrorOptions = {}) {
    super(message, 'cause' in options ? { cause: options.cause } : undefined)
    this.name = 'AppError'
    this.code = code
    this.retryAfterSeconds = options.retryAfterSeconds
    this.index = options.index
    this.field = options.field
    this.faults = options.faults
    this.misfits = options.misfits
  }
}

export const notFound = (what: string) => new AppError('not_found', `${what} not found`)
