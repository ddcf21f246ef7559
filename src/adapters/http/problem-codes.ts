import type { ErrorCode } from '../../domain/errors.ts'

/** Errors that only exist in HTTP, in addition to those of the core. */
export type ProtocolCode =
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
  backup_running: 409,
  batch_too_large: 422,
  being_deleted: 409,
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

/** How many faults a 422 lists. */
export const MAX_LISTED_FAULTS_COUNT = 20
