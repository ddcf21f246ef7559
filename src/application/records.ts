import { type Collection, nounOf, type RecordChange } from '../domain/collection.ts'
import { AppError, type ErrorCode, type Fault, notFound } from '../domain/errors.ts'
import type { StoredFile } from '../domain/file.ts'
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
import type { Actor, Anonymous, Principal } from '../domain/session.ts'
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

/** The input of a change. */
export interface Checkable {
  /** Whether it has passed the schema of the collection, which must be one defined in code. */
  readonly isChecked?: boolean
}

export type RecordOperation = { readonly collection: string } & (
  | ({ readonly op: 'create'; readonly draft: JsonObject } & Checkable)
  | ({
      readonly op: 'update'
      readonly id: number
      readonly patch: JsonObject
      readonly expected: Expected
    } & Checkable)
  | { readonly op: 'delete'; readonly id: number; readonly expected: Expected }
)

/** A record, and the definition of its collection in the same transaction. */
export interface RecordResult {
  readonly collection: Collection
  readonly record: StoredRecord
}

/** What is shown in the place of references, by their fields; without those that the caller may not read. */
export type Expanded = Readonly<Record<string, ExpandedReference | readonly ExpandedReference[]>>

export type ExpandedReference =
  | ({ readonly kind: 'record'; readonly expanded: Expanded | null } & RecordResult)
  | { readonly kind: 'user'; readonly id: number; readonly name: string }
  | { readonly kind: 'file'; readonly file: StoredFile }

export interface ReadOptions {
  /** Which references to expand: names of fields, `owner`, or `list.owner` for one behind another. */
  readonly expand?: readonly string[]
}

export interface ListOptions extends ReadOptions {
  /** What else must hold, as an expression over the fields of the collection. */
  readonly filter?: string | null
}

export interface ReadResult extends RecordResult {
  readonly expanded: Expanded | null
}

export interface ListResult {
  readonly collection: Collection
  readonly page: Page<StoredRecord>
  /** By the ids of the records of the page; null if nothing was to be expanded. */
  readonly expanded: ReadonlyMap<number, Expanded> | null
}

export interface CreateOptions<T> extends Checkable {
  readonly idempotency: IdempotencyRequest<T> | null
}

export interface UpdateOptions extends Checkable {
  readonly expected: Expected
}

/** Why a line of an import was refused. */
export interface RefusedLine {
  /** The first is 1. */
  readonly line: number
  readonly code: ErrorCode
  readonly detail: string
  readonly faults: readonly Fault[]
}

export interface ImportResult {
  readonly created: number
  readonly refused: number
  /** The first of them. */
  readonly lines: readonly RefusedLine[]
}

/**
 * The records of every collection. What the rules of a collection do not let someone read does not exist for them
 * (`not_found`); what they may read but not change, and what they may not create, is `forbidden`; for someone without
 * a token (null, {@link Anonymous}) it is all `unauthenticated`. A collection that does not exist is `not_found`.
 *
 * Input that does not fit the schema is `validation_failed` with every fault, or `data_too_large`. So is a reference to
 * something that does not exist or that the caller may not read. A value that another record has in a unique index is
 * `not_unique`. Every write that needs space may throw `quota_exceeded` and `storage_reserved`, and every write of a
 * user whose account is gone `invalid_token`.
 */
export interface Records {
  /** The present definition of a collection. */
  collection(name: string): Collection | Promise<Collection>
  /** Throws `idempotency_mismatch`. The caller becomes the owner. */
  create(
    author: Actor | Anonymous,
    name: string,
    draft: JsonObject,
    options: CreateOptions<RecordResult>,
  ): Promise<IdempotentResult<RecordResult>>
  get(principal: Principal | null, name: string, id: number, options?: ReadOptions): Promise<ReadResult>
  /** Throws unless the caller may change the record: for use before the body of a request is read. */
  checkChange(principal: Principal | null, name: string, id: number): Promise<void>
  /**
   * Applies a JSON Merge Patch (RFC 7396). Throws `version_mismatch`. Concurrent writers see each other's changes. A patch
   * that changes nothing leaves version and time unchanged.
   */
  update(
    author: Actor | Anonymous,
    name: string,
    id: number,
    patch: JsonObject,
    options: UpdateOptions,
  ): Promise<RecordResult>
  /**
   * Throws `version_mismatch`, and `referenced` if another record that references it does not allow it, or if more records
   * would change with it than one transaction may.
   */
  remove(author: Actor | Anonymous, name: string, id: number, expected: Expected): Promise<void>
  /**
   * The records that the caller may read. Of a collection defined in code, those of one owner (`ownerId`); those of others,
   * and of all (null), are for admins: throws `forbidden`. Throws `validation_failed` for a faulty filter, sort or expand.
   */
  list(principal: Principal | null, name: string, query: RecordQuery, options?: ListOptions): Promise<ListResult>
  /**
   * All or nothing, in order; the record of each operation, or null for a delete. A record that is changed more than
   * once has one event, with its last state. The error of an operation has its `index`; for `batch_too_large` it is the
   * first operation whose record does not fit into the response.
   */
  batch(
    actor: Actor,
    operations: readonly RecordOperation[],
    idempotency: IdempotencyRequest<readonly (RecordResult | null)[]> | null,
  ): Promise<IdempotentResult<readonly (RecordResult | null)[]>>
  /** All records, in the order of their ids, a part at a time. For admins: throws `forbidden`. */
  export(
    principal: Principal,
    name: string,
  ): Promise<{ readonly collection: Collection; readonly chunks: AsyncIterable<readonly StoredRecord[]> }>
  /**
   * Creates a record from each line, an object in JSON, in parts. The caller becomes the owner, unless a line has an
   * `owner_id`. A line that cannot be created is refused, and does not affect others. For admins: throws `forbidden`.
   */
  importLines(
    actor: Actor,
    name: string,
    lines: AsyncIterable<string>,
    options: { readonly isDryRun: boolean },
  ): Promise<ImportResult>
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
