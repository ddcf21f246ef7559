import type { BlobEntry } from '../../application/ports/blobs.ts'
import type { S3Client } from './client.ts'
import { S3Refusal } from './errors.ts'
import { elements, textOf } from './xml.ts'

/** Whether this store may have created it. */
export const isKey = (text: string): boolean => /^[0-9a-f]{2}\/[0-9a-f]{32}$/.test(text)

interface Unfinished extends BlobEntry {
  readonly uploadId: string
}

/** The content of a bucket under a prefix. */
export const listsOf = (s3: S3Client, prefix: string) => {
  /** All entries, page by page: `next` extracts the parameters of the next page from a response. */
  const pages = async function* (
    query: Readonly<Record<string, string>>,
    next: (xml: string) => Readonly<Record<string, string>>,
  ): AsyncGenerator<string> {
    for (let more: Readonly<Record<string, string>> | null = {}; more !== null; ) {
      const { text }: { readonly text: string } = await s3.send({ method: 'GET', query: { ...query, ...more } })
      yield text
      more = textOf(text, 'IsTruncated') === 'true' ? next(text) : null
    }
  }

  /** Null for an entry that is not Skep's. */
  const keyOf = (xml: string): string | null => {
    const path = textOf(xml, 'Key')
    const key = path.startsWith(prefix) ? path.slice(prefix.length) : ''
    return isKey(key) ? key : null
  }

  const objects = async function* (): AsyncGenerator<BlobEntry> {
    const following = (xml: string) => ({ 'continuation-token': textOf(xml, 'NextContinuationToken') })
    for await (const page of pages({ 'list-type': '2', prefix }, following)) {
      for (const object of elements(page, 'Contents')) {
        const key = keyOf(object)
        if (key !== null) yield { key, modifiedAt: Date.parse(textOf(object, 'LastModified')) }
      }
    }
  }

  /** `silent`: statuses that are ignored, because S3 may refuse the listing. */
  const unfinishedUploads = async function* (within: string, silent: readonly number[]): AsyncGenerator<Unfinished> {
    const following = (xml: string) => ({
      'key-marker': textOf(xml, 'NextKeyMarker'),
      'upload-id-marker': textOf(xml, 'NextUploadIdMarker'),
    })
    try {
      for await (const page of pages({ uploads: '', prefix: within }, following)) {
        for (const upload of elements(page, 'Upload')) {
          const key = keyOf(upload)
          if (key === null) continue
          const modifiedAt = Date.parse(textOf(upload, 'Initiated'))
          yield { key, modifiedAt, uploadId: textOf(upload, 'UploadId') }
        }
      }
    } catch (error) {
      if (!(error instanceof S3Refusal && silent.includes(error.status))) throw error
    }
  }

  /** A server that cannot list them cleans up itself. */
  const uploadsOf = (key: string) => unfinishedUploads(prefix + key, [501])

  const uploads = async function* (): AsyncGenerator<Unfinished> {
    let found = false
    for await (const upload of unfinishedUploads(prefix, [501])) {
      found = true
      yield upload
    }
    // MinIO lists those of one key, or of the whole bucket, which the access keys may not be allowed to list.
    if (!found && prefix !== '') yield* unfinishedUploads('', [403, 501])
  }

  return { objects, uploads, uploadsOf }
}
