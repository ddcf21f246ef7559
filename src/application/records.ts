import { type Collection, nounOf, type RecordChange } from '../domain/collection.ts'
import { AppError, notFound } from '../domain/errors.ts'
import type { JsonObject } from '../domain/merge-patch.ts'
import type { Page } from '../domain/page.ts'
import {
  BATCH_LIMITS,
  charactersOf,
  newRecord,
  patchedRecord,
  recordEvent,
  type StoredRecord,
} from '../domain/record.ts'
import type { Actor, Principal } from '../domain/session.ts'
import type { Instant } from '../domain/user.ts'
import { requireActiveActor, requireOwnOrAdmin } from './access.ts'
import { type IdempotencyRequest, type IdempotentResult, withIdempotency } from './idempotency.ts'
import type { ReadTx, RecordQuery, Tx, UnitOfWork } from './ports/persistence.ts'
import type { Clock, Reserve } from './ports/system.ts'
import { requireRoom } from './reserve.ts'

/** A version that a change may apply to; in any epoch if that is null. */
export interface ExpectedVersion {
  readonly version: number
  readonly epoch: string | null
}

/** The versions that a change may apply to; null for any. */
export type Expected = readonly ExpectedVersion[] | null

export type RecordOperation =
  | { readonly op: 'create'; readonly draft: JsonObject }
  | { readonly op: 'update'; readonly id: number; readonly patch: JsonObject; readonly expected: Expected }
  | { readonly op: 'delete'; readonly id: number; readonly expected: Expected }

/**
 * The records of one collection. Only the owner and admins can see and change a record; for all others it does not
 * exist (`not_found`). Drafts and patches have passed the schema of the collection.
 */
export interface Records {
  /**
   * Throws `data_too_large`, `idempotency_mismatch`, `invalid_token` if the account is gone, and, like every write that
   * needs space, `quota_exceeded` and `storage_reserved`.
   */
  create(
    actor: Actor,
    draft: JsonObject,
    idempotency: IdempotencyRequest<StoredRecord> | null,
  ): Promise<IdempotentResult<StoredRecord>>
  /** Throws `not_found`. */
  get(actor: Principal, id: number): Promise<StoredRecord>
  /**
   * Throws `not_found`, `version_mismatch`, `data_too_large`. Concurrent writers see each other's changes. A patch that
   * changes nothing leaves version and time unchanged.
   */
  update(actor: Actor, id: number, patch: JsonObject, expected: Expected): Promise<StoredRecord>
  /** Throws `not_found`, `version_mismatch`. */
  remove(actor: Actor, id: number, expected: Expected): Promise<void>
  /** The actor's own records; an admin may list another user's (`ownerId`) or all (null). Throws `forbidden`. */
  list(actor: Principal, query: RecordQuery): Promise<Page<StoredRecord>>
  /**
   * All or nothing, in order; the record of each operation, or null for a delete. A record that is changed more than
   * once has one event, with its last state. The error of an operation has its `index`; for `batch_too_large` it is the
   * first operation whose record does not fit into the response.
   */
  batch(
    actor: Actor,
    operations: readonly RecordOperation[],
    idempotency: IdempotencyRequest<readonly (StoredRecord | null)[]> | null,
  ): Promise<IdempotentResult<readonly (StoredRecord | null)[]>>
}

/** Who makes changes and when, and the data for their log entries. */
interface Change {
  readonly actor: Actor
  readonly now: Instant
  /** By record, in the order of the last change of each. */
  readonly events: Map<number, { readonly change: RecordChange; readonly record: StoredRecord }>
  /** Changed records that are not stored yet: each is stored once, however often it changes. */
  readonly changed: Map<number, StoredRecord>
}

const isDelete = ({ op }: RecordOperation) => op === 'delete'

const batchTooLarge = () =>
  new AppError('batch_too_large', 'The records of this batch are too large together: send fewer operations')

const atIndex = (error: unknown, index: number): unknown =>
  error instanceof AppError
    ? new AppError(error.code, error.message, { cause: error, index, field: error.field })
    : error

/**
 * Each record has one event in a transaction, with its last state, because nobody can see the states in between. A
 * record created and deleted in one transaction has no event.
 */
const noteEvent = (change: RecordChange, record: StoredRecord, { events }: Change): void => {
  const before = events.get(record.id)
  events.delete(record.id)
  const wasCreated = before?.change === 'created'
  if (wasCreated && change === 'deleted') return
  events.set(record.id, { change: wasCreated ? 'created' : change, record })
}

/**
 * Every batch locks its records in the same order, whatever the order of its operations, so that batches cannot
 * deadlock.
 */
const lockAll = (tx: Tx, name: string, operations: readonly RecordOperation[]): Promise<unknown> => {
  const ids = new Set(operations.flatMap((operation) => (operation.op === 'create' ? [] : [operation.id])))
  if (ids.size < 2) return Promise.resolve()
  return Promise.all([...ids].sort((one, other) => one - other).map((id) => tx.records(name).findById(id)))
}

/** The operations of users on the records of a collection, inside a transaction. */
const createChanges = (collection: Collection) => {
  const { name, singular } = collection
  const noun = nounOf(collection)

  const visible = async (tx: ReadTx, actor: Principal, id: number): Promise<StoredRecord> => {
    const record = await tx.records(name).findById(id)
    if (record === null || (record.ownerId !== actor.userId && actor.role !== 'admin')) throw notFound(noun)
    return record
  }

  const checkVersion = (record: StoredRecord, expected: Expected): void => {
    const isExpected = ({ version, epoch }: ExpectedVersion) =>
      version === record.version && (epoch === null || epoch === record.epoch)
    if (expected === null || expected.some(isExpected)) return
    throw new AppError('version_mismatch', `The ${singular} was changed meanwhile`)
  }

  const store = async (tx: Tx, { actor, now, events, changed }: Change): Promise<void> => {
    const author = { actorId: actor.userId, requestId: actor.requestId, createdAt: now }
    for (const record of changed.values()) await tx.records(name).update(record)
    for (const { change, record } of events.values()) {
      await tx.events.append(recordEvent(collection, change, record, author))
    }
  }

  const add = async (tx: Tx, draft: JsonObject, change: Change): Promise<StoredRecord> => {
    const { actor, now } = change
    const record = await tx.records(name).insert(newRecord(collection, draft, actor.userId, now))
    noteEvent('created', record, change)
    return record
  }

  /** The record after the previous operations. */
  const current = async (tx: Tx, id: number, { actor, changed }: Change): Promise<StoredRecord> =>
    changed.get(id) ?? (await visible(tx, actor, id))

  const alter = async (
    tx: Tx,
    id: number,
    patch: JsonObject,
    expected: Expected,
    change: Change,
  ): Promise<StoredRecord> => {
    const record = await current(tx, id, change)
    checkVersion(record, expected)
    const changed = patchedRecord(collection, record, patch, change.now)
    if (changed === record) return record
    const written = { ...changed, epoch: tx.epochs.current }
    change.changed.set(id, written)
    noteEvent('updated', written, change)
    return written
  }

  const erase = async (tx: Tx, id: number, expected: Expected, change: Change): Promise<void> => {
    const record = await current(tx, id, change)
    checkVersion(record, expected)
    change.changed.delete(id)
    await tx.records(name).delete(id)
    noteEvent('deleted', record, change)
  }

  const perform = async (tx: Tx, operation: RecordOperation, change: Change): Promise<StoredRecord | null> => {
    switch (operation.op) {
      case 'create':
        return add(tx, operation.draft, change)
      case 'update':
        return alter(tx, operation.id, operation.patch, operation.expected, change)
      case 'delete':
        await erase(tx, operation.id, operation.expected, change)
        return null
    }
  }

  const performAll = async (tx: Tx, operations: readonly RecordOperation[], change: Change) => {
    await lockAll(tx, name, operations)
    const results: (StoredRecord | null)[] = []
    let size = 0
    for (const [index, operation] of operations.entries()) {
      try {
        const record = await perform(tx, operation, change)
        size += record === null ? 0 : charactersOf(collection, record)
        if (size > BATCH_LIMITS.maxCharacters) throw batchTooLarge()
        results.push(record)
      } catch (error) {
        throw atIndex(error, index)
      }
    }
    return results
  }

  return { visible, store, add, alter, erase, performAll }
}

interface Deps {
  readonly unitOfWork: UnitOfWork
  readonly clock: Clock
  readonly reserve: Reserve
}

export const createRecords = (collection: Collection, { unitOfWork, clock, reserve }: Deps): Records => {
  const { visible, store, add, alter, erase, performAll } = createChanges(collection)

  const changing = <T>(actor: Actor, work: (tx: Tx, change: Change) => Promise<T>): Promise<T> =>
    unitOfWork.write(async (tx) => {
      const now = clock.now()
      const change: Change = {
        actor: await requireActiveActor(tx, actor, now),
        now,
        events: new Map(),
        changed: new Map(),
      }
      const result = await work(tx, change)
      await store(tx, change)
      return result
    })

  /** As {@link changing}, for changes that need space. */
  const adding = <T>(actor: Actor, work: (tx: Tx, change: Change) => Promise<T>): Promise<T> =>
    changing(actor, (tx, change) => {
      requireRoom(reserve, change.actor)
      return work(tx, change)
    })

  return {
    create: (actor, draft, idempotency) =>
      adding(actor, (tx, change) =>
        withIdempotency(tx, change.actor, idempotency, change.now, {
          work: () => add(tx, draft, change),
          owners: (record) => [record.ownerId],
        }),
      ),

    get: (actor, id) => unitOfWork.read((tx) => visible(tx, actor, id)),

    update: (actor, id, patch, expected) => adding(actor, (tx, change) => alter(tx, id, patch, expected, change)),

    remove: (actor, id, expected) => changing(actor, (tx, change) => erase(tx, id, expected, change)),

    async list(actor, query) {
      requireOwnOrAdmin(actor, query.ownerId)
      return unitOfWork.read((tx) => tx.records(collection.name).list(query))
    },

    batch: (actor, operations, idempotency) =>
      (operations.every(isDelete) ? changing : adding)(actor, (tx, change) =>
        withIdempotency(tx, change.actor, idempotency, change.now, {
          work: () => performAll(tx, operations, change),
          owners: (results) => results.flatMap((record) => (record === null ? [] : [record.ownerId])),
        }),
      ),
  }
}
