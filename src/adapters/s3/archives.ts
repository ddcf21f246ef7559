import type { Archives } from '../../application/ports/backups.ts'
import { createS3Client } from './client.ts'
import { download } from './download.ts'
import { isMissing, toAppError } from './errors.ts'
import type { S3BlobStoreOptions } from './blob-store.ts'
import { upload } from './upload.ts'

/** Keeps archives as objects below the prefix of a place. */
export const createS3Archives = ({ place, keys, log }: S3BlobStoreOptions): Archives => {
  const s3 = createS3Client(place, keys)
  const left = (error: unknown) => log.warn('a failed upload of an archive is left behind', { error })

  /** Null if there is no such archive. */
  const unlessMissing = async <T>(work: Promise<T>): Promise<T | null> => {
    try {
      return await work
    } catch (error) {
      if (isMissing(error)) return null
      throw toAppError(error)
    }
  }

  return {
    write: (name, body) => upload(s3, name, body, left),
    read: (name, first, end) => unlessMissing(download(s3, name, first, end)),
    size: (name) =>
      unlessMissing(
        s3.send({ method: 'HEAD', key: name }).then(({ headers }) => Number(headers.get('content-length'))),
      ),
    async delete(name) {
      await unlessMissing(s3.send({ method: 'DELETE', key: name }))
    },
  }
}
