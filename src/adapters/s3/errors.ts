import { AppError } from '../../domain/errors.ts'
import { textOf } from './xml.ts'

/** An error response of S3. */
export class S3Refusal extends Error {
  readonly status: number
  /** S3's error code, such as `NoSuchKey`; '' if it sent none, as for a HEAD. */
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

/** Whether the object does not exist. A missing bucket is a different error. */
export const isMissing = (error: unknown): boolean =>
  error instanceof S3Refusal && error.status === 404 && error.code !== 'NoSuchBucket'

const TRANSIENT_STATUSES = [408, 429, 500, 502, 503, 504]

/** Whether the same request may succeed soon. Anything but a response of S3 is a network failure. */
export const isTransient = (error: unknown): boolean =>
  !(error instanceof S3Refusal) || TRANSIENT_STATUSES.includes(error.status) || error.code === 'RequestTimeout'

/** The error that callers get. Permanent errors, such as wrong access keys, need an operator. */
export const toAppError = (error: unknown): AppError => {
  if (error instanceof AppError) return error
  if (error instanceof S3Refusal && (error.status === 507 || FULL.includes(error.code))) {
    return new AppError('storage_full', 'The storage is full', { cause: error, retryAfterSeconds: 60 })
  }
  const retryAfterSeconds = isTransient(error) ? 5 : 60
  return new AppError('unavailable', 'The file storage cannot be used at the moment', {
    cause: error,
    retryAfterSeconds,
  })
}
