import { AppError } from '../../domain/errors.ts'
import { textOf } from './xml.ts'

/** An answer of S3 that is no success. */
export class S3Refusal extends Error {
  readonly status: number
  /** As S3 names it, such as `NoSuchKey`; '' when it said nothing, as to a HEAD. */
  readonly code: string

  constructor(method: string, status: number, xml: string) {
    const code = textOf(xml, 'Code')
    super(`S3 answered ${[method, status, code, textOf(xml, 'Message')].filter((part) => part !== '').join(' ')}`)
    this.name = 'S3Refusal'
    this.status = status
    this.code = code
  }
}

const FULL = [
  'InsufficientStorage',
  'QuotaExceeded',
  'StorageFull',
  'XMinioAdminBucketQuotaExceeded',
  'XMinioStorageFull',
]

/** Whether there is nothing by that name. A bucket that is not there is another matter. */
export const isMissing = (error: unknown): boolean =>
  error instanceof S3Refusal && error.status === 404 && error.code !== 'NoSuchBucket'

const TRANSIENT_STATUSES = [408, 429, 500, 502, 503, 504]

/** Whether the same call may succeed soon. What is no answer of S3 is a network that failed. */
export const isTransient = (error: unknown): boolean =>
  !(error instanceof S3Refusal) || TRANSIENT_STATUSES.includes(error.status) || error.code === 'RequestTimeout'

/** The error that callers get for a failure. What was refused for good, as by wrong keys, waits for people. */
export const toAppError = (error: unknown): AppError => {
  if (error instanceof AppError) return error
  if (error instanceof S3Refusal && (error.status === 507 || FULL.includes(error.code))) {
    return new AppError('storage_full', 'The storage is full', { cause: error, retryAfter: 60 })
  }
  const retryAfter = isTransient(error) ? 5 : 60
  return new AppError('unavailable', 'The file storage cannot be used at the moment', { cause: error, retryAfter })
}
