import type { RecordChange } from '../domain/collection.ts'
import type { JsonObject } from '../domain/merge-patch.ts'
import { type NewRecord, recordEvent, type StoredRecord } from '../domain/record.ts'
import type { Instant } from '../domain/user.ts'
import type { Catalog, CompiledCollection } from './catalog.ts'
import type { Tx } from './ports/persistence.ts'
import { createTester, type Tester } from './record-access.ts'
import type { Caller } from './records.ts'

interface Changed {
  readonly collection: CompiledCollection
  readonly record: StoredRecord
}

interface Noted extends Changed {
  readonly change: RecordChange
  /** Before the transaction; null if it was created. */
  readonly previous: StoredRecord | null
}

/** Who makes changes and when, what they have changed so far, and the data for their log entries. */
export interface Change {
  readonly tx: Tx
  readonly caller: Caller
  readonly now: Instant
  readonly tester: Tester
  /** By record, in the order of the last change of each. */
  readonly events: Map<string, Noted>
  /** Changed records that are not stored yet: each is stored once, however often it changes. */
  readonly changed: Map<string, Changed>
}

export const beginChange = (tx: Tx, catalog: Catalog, caller: Caller, now: Instant): Change => ({
  tx,
  caller,
  now,
  tester: createTester(tx, catalog),
  events: new Map(),
  changed: new Map(),
})

const keyOf = ({ collection }: CompiledCollection, id: number): string => `${collection.name}/${id}`

/**
 * Each record has one event in a transaction, with its last state, because nobody can see the states in between. A
 * record created and deleted in one transaction has no event.
 */
const note = (change: Change, noted: Noted): void => {
  const key = keyOf(noted.collection, noted.record.id)
  const before = change.events.get(key)
  change.events.delete(key)
  const wasCreated = before?.change === 'created'
  if (wasCreated && noted.change === 'deleted') return
  const previous = before === undefined ? noted.previous : before.previous
  change.events.set(key, { ...noted, previous, change: wasCreated ? 'created' : noted.change })
}

/** The record after the changes so far; null if there is none. */
export const currentRecord = async (
  change: Change,
  collection: CompiledCollection,
  id: number,
): Promise<StoredRecord | null> =>
  change.changed.get(keyOf(collection, id))?.record ?? (await change.tx.records(collection.storage).findById(id))

export const noteCreated = (change: Change, collection: CompiledCollection, record: StoredRecord): void =>
  note(change, { collection, record, change: 'created', previous: null })

/** The record as it is stored at the end, in the current epoch. */
export const putChanged = (
  change: Change,
  collection: CompiledCollection,
  before: StoredRecord,
  after: StoredRecord,
): StoredRecord => {
  const record = { ...after, epoch: change.tx.epochs.current }
  change.changed.set(keyOf(collection, record.id), { collection, record })
  note(change, { collection, record, change: 'updated', previous: before })
  return record
}

export const deleteRecord = async (
  change: Change,
  collection: CompiledCollection,
  record: StoredRecord,
): Promise<void> => {
  change.changed.delete(keyOf(collection, record.id))
  await change.tx.records(collection.storage).delete(record.id)
  note(change, { collection, record, change: 'deleted', previous: record })
}

/** The form of a record under the pending definition of its collection; undefined if there is none. */
export type PendingForm = (collection: CompiledCollection, record: NewRecord | StoredRecord) => JsonObject | undefined

/** Stores the records that have changed so far, so that the indexes know them. */
export const storeRecords = async ({ tx, changed }: Change, pendingForm: PendingForm): Promise<void> => {
  for (const { collection, record } of changed.values()) {
    await tx.records(collection.storage).update(record, pendingForm(collection, record))
  }
  changed.clear()
}

/** Stores what has changed, and appends the events. */
export const storeChanges = async (change: Change, pendingForm: PendingForm): Promise<void> => {
  const { tx, caller, now } = change
  const author = { actorId: caller.userId, requestId: caller.requestId, createdAt: now }
  await storeRecords(change, pendingForm)
  for (const { collection, change: kind, record, previous } of change.events.values()) {
    const event = recordEvent(collection.collection, kind, record, author)
    await tx.events.append(collection.stored === null ? event : { ...event, previous })
  }
}
