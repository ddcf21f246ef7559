import type { Collection } from '../../domain/collection.ts'
import { COLLECTIONS } from '../../domain/collections/index.ts'
import { type EndedJob, JOBS, type LoggedEvent } from '../../domain/event.ts'
import type { StoredRecord } from '../../domain/record.ts'
import { toResponse as toJobBody } from './jobs.ts'
import { createRecordBody } from './record-schemas.ts'

const bodies = new Map(COLLECTIONS.map((collection: Collection) => [collection.name, createRecordBody(collection)]))

/** The subject of an event, as its own routes show it; unchanged if its kind is unknown. */
export const toEventBody = ({ kind, data }: LoggedEvent): object => {
  // The log is written only by `recordEvent` and `jobEvent`.
  if (kind === JOBS) return toJobBody(data as unknown as EndedJob)
  const toBody = bodies.get(kind)
  return toBody === undefined ? data : toBody(data as unknown as StoredRecord)
}

const recordBodies = new WeakMap<Collection, ReturnType<typeof createRecordBody>>()

/** A record as the routes of its collection show it. */
export const toRecordBody = (collection: Collection, record: StoredRecord): object => {
  const toBody = recordBodies.get(collection) ?? createRecordBody(collection)
  recordBodies.set(collection, toBody)
  return toBody(record)
}
