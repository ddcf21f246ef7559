import type { RecordChange } from '../domain/collection.ts'
import type { NewEvent } from '../domain/event.ts'
import type { JsonObject } from '../domain/merge-patch.ts'
import { erasedRecord, type NewRecord, recordEvent, type StoredRecord } from '../domain/record.ts'
import type { Instant } from '../domain/user.ts'
import type { Awaitable } from './awaitable.ts'
import type { Catalog, CompiledCollection } from './catalog.ts'
import type { StoredCollection } from './ports/collections.ts'
import type { Tx } from './ports/persistence.ts'
import { type Author, type Authorization, createAuthorization, principalOf } from './record-access.ts'
import { type PendingForm, toPendingMisfit } from './record-forms.ts'

interface Changed {
  readonly compiled: CompiledCollection
  readonly record: StoredRecord
}

interface Noted extends Changed {
  readonly change: RecordChange
  /** Before the transaction; null if it was created. */
  readonly previous: StoredRecord | null
  /** Whether `record` is without its content, because its owner is gone. */
  readonly isErased?: boolean
}

/** Who makes a change, as its event says. The server itself has none of these ids. */
export type ChangeAuthor = Pick<NewEvent, 'actorId' | 'requestId' | 'sessionId'>

/** What the log has of a caller. */
export const loggedAuthor = (author: Author | null): ChangeAuthor => ({
  actorId: author?.userId ?? null,
  requestId: author?.requestId ?? null,
  sessionId: author === null || author.userId === null ? null : author.sessionId,
})

/** Who makes changes and when, what they have changed so far, and the data for their log entries. */
export interface Change {
  readonly tx: Tx
  readonly catalog: Catalog
  readonly author: ChangeAuthor
  readonly now: Instant
  readonly authorization: Authorization
  readonly pendingForm: PendingForm
  /** How many records the deletion of one may delete or change in this transaction. */
  readonly maxAffectedCount: number
  /** By record, in the order of the last change of each. */
  readonly events: Map<string, Noted>
  /**
   * Changed records of collections defined in code that are not stored yet: each is stored once, however often it changes.
   */
  readonly changed: Map<string, Changed>
}

interface Begin {
  readonly catalog: Catalog
  readonly author: Author | null
  readonly now: Instant
  readonly pendingForm: PendingForm
  readonly maxAffectedCount: number
  /** Replaces what the author says. */
  readonly logged?: ChangeAuthor
}

export const beginChange = (
  tx: Tx,
  { catalog, author, now, pendingForm, maxAffectedCount, logged }: Begin,
): Change => ({
  tx,
  catalog,
  author: logged ?? loggedAuthor(author),
  now,
  authorization: createAuthorization(tx, catalog, author === null ? null : principalOf(author), now),
  pendingForm,
  maxAffectedCount,
  events: new Map(),
  changed: new Map(),
})

export const recordKey = ({ collection }: CompiledCollection, id: number): string => `${collection.name}/${id}`

/**
 * Each record has one event in a transaction, with its last state, because nobody can see the states in between. A
 * record created and deleted in one transaction has no event.
 */
const note = (change: Change, noted: Noted): void => {
  const key = recordKey(noted.compiled, noted.record.id)
  const before = change.events.get(key)
  change.events.delete(key)
  change.authorization.forget(noted.compiled.collection.name, noted.record.id)
  const wasCreated = before?.change === 'created'
  if (wasCreated && noted.change === 'deleted') return
  const previous = before === undefined ? noted.previous : before.previous
  change.events.set(key, { ...noted, previous, change: wasCreated ? 'created' : noted.change })
}

/** The record after the changes so far; null if there is none. */
export const currentRecord = async (
  { tx, changed }: Change,
  compiled: CompiledCollection,
  id: number,
): Promise<StoredRecord | null> =>
  changed.get(recordKey(compiled, id))?.record ?? (await tx.records(compiled.storage).findById(id))

const refusingMisfits = <T>(compiled: CompiledCollection, work: Promise<T>): Promise<T> => {
  const isPending = compiled.stored !== null && compiled.stored.pending !== null
  if (!isPending) return work
  return work.catch((error: unknown) => {
    throw toPendingMisfit(compiled, error)
  })
}

/** Stores what is still to be stored, so that everything else in the transaction sees it. */
export const storeRecords = async ({ tx, changed }: Change): Promise<void> => {
  for (const { compiled, record } of changed.values()) await tx.records(compiled.storage).update(record)
  changed.clear()
}

/** Removes what a deletion that has taken effect has left in unique indexes, where a record needs the place. */
const makeRoom = (
  change: Change,
  compiled: CompiledCollection,
  record: NewRecord | StoredRecord,
  next: JsonObject | undefined,
): Awaitable<void> => {
  const { stored } = compiled
  if (stored === null || stored.deletions.unfinished.length === 0) return
  return removeObstructing(change, compiled, stored, { record, next })
}

const removeObstructing = async (
  change: Change,
  compiled: CompiledCollection,
  stored: StoredCollection,
  { record, next }: { readonly record: NewRecord | StoredRecord; readonly next: JsonObject | undefined },
): Promise<void> => {
  for (const deleted of await change.tx.deletions.recordsOf(stored).obstructing(record, next)) {
    await removeDeleted(change, compiled, deleted)
  }
}

export const createRecord = async (
  change: Change,
  compiled: CompiledCollection,
  record: NewRecord,
): Promise<StoredRecord> => {
  const next = change.pendingForm(compiled, record)
  await makeRoom(change, compiled, record, next)
  const created = await refusingMisfits(compiled, change.tx.records(compiled.storage).insert(record, next))
  note(change, { compiled, record: created, change: 'created', previous: null })
  return created
}

/** Creates records of a collection whose definition is not changing, and in which nothing is being deleted. */
export const createRecords = async (
  change: Change,
  compiled: CompiledCollection,
  records: readonly NewRecord[],
): Promise<void> => {
  for (const record of await change.tx.records(compiled.storage).insertAll(records)) {
    note(change, { compiled, record, change: 'created', previous: null })
  }
}

/** The record as it is stored, in the current epoch. */
export const changeRecord = async (
  change: Change,
  compiled: CompiledCollection,
  before: StoredRecord,
  after: StoredRecord,
): Promise<StoredRecord> => {
  const record = { ...after, epoch: change.tx.epochs.current }
  if (compiled.stored === null) change.changed.set(recordKey(compiled, record.id), { compiled, record })
  else {
    const next = change.pendingForm(compiled, record)
    await makeRoom(change, compiled, record, next)
    await refusingMisfits(compiled, change.tx.records(compiled.storage).update(record, next))
  }
  note(change, { compiled, record, change: 'updated', previous: before })
  return record
}

export const deleteRecord = async (
  change: Change,
  compiled: CompiledCollection,
  record: StoredRecord,
  previous: StoredRecord | null = record,
): Promise<void> => {
  change.changed.delete(recordKey(compiled, record.id))
  await change.tx.records(compiled.storage).delete(record.id)
  note(change, { compiled, record, change: 'deleted', previous })
}

/**
 * Removes a record of a deletion that has taken effect: before this change, too, there was none for readers. The log has no
 * content of those whose owner is gone.
 */
export const removeDeleted = async (
  change: Change,
  compiled: CompiledCollection,
  record: StoredRecord,
): Promise<void> => {
  const isErased = record.ownerId !== null && (await change.tx.users.findById(record.ownerId)) === null
  await deleteRecord(change, compiled, record, null)
  if (isErased) noteErased(change, compiled, record, erasedRecord(compiled.collection, record))
}

/** A record that was deleted with its owner; `erased` is what the log gets to know of it. */
export const noteErased = (
  change: Change,
  compiled: CompiledCollection,
  record: StoredRecord,
  erased: StoredRecord,
): void => note(change, { compiled, record: erased, change: 'deleted', previous: record, isErased: true })

/** A record that has lost its owner. */
export const noteReleased = (
  change: Change,
  compiled: CompiledCollection,
  before: StoredRecord,
  record: StoredRecord,
): void => note(change, { compiled, record, change: 'updated', previous: before })

/** Stores what has changed so far, and appends the events. */
export const storeChanges = async (change: Change): Promise<void> => {
  const { tx, now } = change
  const author = { ...change.author, createdAt: now }
  if (change.changed.size > 0) await storeRecords(change)
  for (const { compiled, change: kind, record, previous, isErased = false } of change.events.values()) {
    const event = recordEvent(compiled.collection, kind, record, author)
    // Of an erased record too, until its owner's events are erased: subscribers must learn that it is gone.
    const hasPrevious = compiled.stored !== null || isErased
    await tx.events.append(hasPrevious ? { ...event, previous } : event)
  }
  change.events.clear()
}
