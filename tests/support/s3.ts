import { createS3BlobStore, type S3BlobStore } from '../../src/adapters/s3/blob-store.ts'
import { createS3Client, type S3Client, type S3Keys, type S3Place } from '../../src/adapters/s3/client.ts'
import { recordingLog, settingsOf } from './skep.ts'
import { HAS_S3, s3Settings } from './stack.ts'

export { HAS_S3 }

/** What a test that needs S3 adds to its name. */
export const S3_NEEDED = HAS_S3 ? '' : ' (skipped: SKEP_TEST_S3_URL is not set)'

/** Settings for a place of its own, through `endpoint` if it is given. */
export const newS3Settings = (endpoint?: string) => s3Settings(crypto.randomUUID(), endpoint)

export const s3Endpoint = (): string => new URL(newS3Settings().FILES_URL ?? '').searchParams.get('endpoint') ?? ''

export interface TestS3 {
  readonly place: S3Place
  readonly keys: S3Keys
  readonly log: ReturnType<typeof recordingLog>
  readonly store: S3BlobStore
  /** For looking past the store. */
  readonly s3: S3Client
}

/** A store as `settings` say, which are those of a place of its own unless given. */
export const openTestS3 = (settings = newS3Settings(), keys?: Partial<S3Keys>): TestS3 => {
  const { FILES_URL: place, AWS_ACCESS_KEY_ID = '', AWS_SECRET_ACCESS_KEY = '' } = settingsOf(settings)
  if (typeof place === 'string') throw new Error('not on S3')
  const log = recordingLog()
  const access = { accessKeyId: AWS_ACCESS_KEY_ID, secretAccessKey: AWS_SECRET_ACCESS_KEY, ...keys }
  const store = createS3BlobStore({ place, keys: access, log })
  return { place, keys: access, log, store, s3: createS3Client(place, access) }
}
