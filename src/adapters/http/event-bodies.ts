import { collectionNamed } from '../../domain/collections/index.ts'
import { type EndedJob, JOBS, type LoggedEvent } from '../../domain/event.ts'
import type { StoredRecord } from '../../domain/record.ts'
import { toResponse as toJobBody } from './jobs.ts'
import { toRecordBody } from './record-schemas.ts'

/** The subject of an event, as its own routes show it; as it is, if its kind is not known. */
export const toEventBody = ({ kind, data }: LoggedEvent): object => {
  // What is in the log was written by `recordEvent` and `jobEvent`.
  if (kind === JOBS) return toJobBody(data as unknown as EndedJob)
  const collection = collectionNamed(kind)
  return collection === null ? data : toRecordBody(collection, data as unknown as StoredRecord)
}
