import { DEFINITIONS, type LoggedEvent } from '../domain/event.ts'
import { isJsonObject, type JsonObject } from '../domain/merge-patch.ts'
import { isDeletion, type StoredRecord, withFields } from '../domain/record.ts'
import type { CompiledCollection } from './catalog.ts'
import type { ApplyPatch } from './ports/collections.ts'
import type { EventChunk } from './ports/events.ts'
import type { ReadTx } from './ports/persistence.ts'
import { transformed } from './record-forms.ts'

/** The limit of what is read of the log at once. */
const MAX_READ_BYTES = 1_024 * 1_024
/** How many changes of its definition the versions of a record are followed through. */
const MAX_DEFINITIONS_COUNT = 100

/** Of a collection that was deleted, another one with the same name has no history. */
const isOlder = ({ stored }: CompiledCollection, { createdAt }: LoggedEvent): boolean =>
  stored !== null && createdAt < stored.createdAt

interface Transform {
  /** Of the event of the definition that had it. */
  readonly position: number
  readonly operations: readonly JsonObject[]
}

/** The transforms of the last definitions of a collection, in their order. */
const transformsOf = async (tx: ReadTx, { stored }: CompiledCollection): Promise<readonly Transform[]> => {
  if (stored === null) return []
  const query = { kind: DEFINITIONS, subjectId: stored.id, before: null, maxCount: MAX_DEFINITIONS_COUNT }
  const { events } = await tx.events.newestOf({ ...query, maxBytes: MAX_READ_BYTES })
  return events.toReversed().flatMap(({ position, data: { transform } }) => {
    const operations = Array.isArray(transform) ? transform.filter(isJsonObject) : []
    return operations.length === 0 ? [] : [{ position, operations }]
  })
}

/** Reads the log of one record. */
export interface Versions {
  /** The events before a position, newest first. */
  newest(before: number | null, maxCount: number): Promise<Pick<EventChunk, 'events' | 'complete'>>
  /** The last event, if that is the record's deletion. */
  deletion(): Promise<LoggedEvent | null>
  /** The event that led to a version; null if the log does not have it. */
  find(version: number): Promise<LoggedEvent | null>
  /** The record of an event in the form of the present definition, by the transforms since. */
  recordOf(event: Pick<LoggedEvent, 'position' | 'data'>): Promise<StoredRecord>
}

export const createVersions = (
  tx: ReadTx,
  compiled: CompiledCollection,
  id: number,
  applyPatch: ApplyPatch,
): Versions => {
  const { name: kind } = compiled.collection
  const newest = async (before: number | null, maxCount: number) => {
    const query = { kind, subjectId: id, before, maxCount, maxBytes: MAX_READ_BYTES }
    const { events, complete } = await tx.events.newestOf(query)
    const own = events.filter((event) => !isOlder(compiled, event))
    return { events: own, complete: complete || own.length < events.length }
  }
  const following = async (position: number): Promise<LoggedEvent | null> => {
    const { events } = await tx.events.chunk({
      scope: { kind, subjectId: id },
      after: position,
      maxCount: 1,
      maxBytes: 1,
    })
    return events[0] ?? null
  }
  let transforms: Promise<readonly Transform[]> | null = null

  return {
    newest,
    async deletion() {
      const [last] = (await newest(null, 1)).events
      return last !== undefined && isDeletion(last.event) ? last : null
    },
    // Searches by halves, because positions increase with versions.
    async find(version) {
      const { last, removed } = await tx.events.bounds()
      let low = removed
      let high = last
      while (low < high) {
        const middle = Math.floor((low + high) / 2)
        const found = await following(middle)
        if (found === null || Number(found.data.version) >= version) high = middle
        else low = found.position
      }
      const found = await following(low)
      return found === null || found.data.version !== version || isOlder(compiled, found) ? null : found
    },
    async recordOf({ position, data }) {
      transforms ??= transformsOf(tx, compiled)
      const { id, ownerId, version, epoch, createdAt, updatedAt, ...fields } = data as StoredRecord
      let own: JsonObject = fields
      for (const { operations } of (await transforms).filter((each) => each.position > position)) {
        try {
          own = transformed(applyPatch, { transform: operations }, own)
        } catch {
          // What does not go through keeps the fields that the definition still has.
        }
      }
      return withFields(compiled.collection, { id, ownerId, version, epoch, createdAt, updatedAt }, own)
    },
  }
}
