import { type Collection, nounOf } from '../domain/collection.ts'
import { AppError, notFound } from '../domain/errors.ts'
import { type Expression, FALSE, TRUE } from '../domain/expression.ts'
import { bind } from '../domain/expression-binding.ts'
import type { JsonObject } from '../domain/merge-patch.ts'
import type { Page } from '../domain/page.ts'
import type { StoredRecord } from '../domain/record.ts'
import type { Actor, Principal } from '../domain/session.ts'
import type { Instant } from '../domain/user.ts'
import { requireActiveActor, requireOwnOrAdmin } from './access.ts'
import type { Catalog, CompiledCollection } from './catalog.ts'
import { type IdempotencyRequest, type IdempotentResult, withIdempotency } from './idempotency.ts'
import type { ApplyPatch, CompileValidator } from './ports/collections.ts'
import type { ReadTx, RecordQuery, Tx, UnitOfWork } from './ports/persistence.ts'
import type { Clock, Reserve } from './ports/system.ts'
import {
  type Anonymous,
  createTester,
  isAnonymous,
  isOwnerRule,
  type RecordReaderRole,
  refuse,
  ruleFor,
} from './record-access.ts'
import { createBatches } from './record-batches.ts'
import { beginChange, type Change, storeChanges } from './record-changes.ts'
import { createPendingForms } from './record-forms.ts'
import { createRecordOperations } from './record-operations.ts'
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

/** An operation of a batch, and the collection that it is for. */
export type BatchOperation = RecordOperation & { readonly collection: string }

/** Who makes a change: a user, or someone without an account where a rule admits anyone. */
export type Caller = Actor | (Anonymous & { readonly requestId: string })

/** Who reads. */
export type Reader = Principal | Anonymous

/** Whether drafts and patches have passed the schema of their collection already. */
export interface Validation {
  readonly isValidated?: boolean
}

/** A list of records as a client asks for it. */
export interface ListRequest {
  readonly query: RecordQuery
  /** An expression over the fields; null for none. */
  readonly filter: string | null
}

/**
 * The records of every collection, by its name. Every method throws `not_found` for an unknown collection. What its
 * rules do not let the caller read does not exist for them (`not_found`); what they may read but not change is
 * `forbidden`. Rules are evaluated inside the transaction that relies on them.
 */
export interface Records {
  /**
   * Throws `forbidden`, `validation_failed`, `not_unique`, `data_too_large`, `idempotency_mismatch`, `invalid_token` if
   * the account is gone, and, like every write that needs space, `quota_exceeded` and `storage_reserved`.
   */
  create(
    caller: Caller,
    name: string,
    draft: JsonObject,
    idempotency: IdempotencyRequest<StoredRecord> | null,
    validation?: Validation,
  ): Promise<IdempotentResult<StoredRecord>>
  get(caller: Reader, name: string, id: number): Promise<StoredRecord>
  /**
   * Throws `not_found`, `forbidden`, `version_mismatch` and what `create` throws. Concurrent writers see each other's
   * changes. A patch (RFC 7396) that changes nothing leaves version and time unchanged.
   */
  update(
    caller: Caller,
    name: string,
    id: number,
    patch: JsonObject,
    expected: Expected,
    validation?: Validation,
  ): Promise<StoredRecord>
  /** Throws `not_found`, `forbidden`, `version_mismatch`, `referenced`. */
  remove(caller: Caller, name: string, id: number, expected: Expected): Promise<void>
  /**
   * Those that the caller may read. With `ownerId`, those of one owner; `forbidden` unless that is the caller, or they
   * are an admin. Throws `validation_failed` for a filter that cannot be used.
   */
  list(caller: Reader, name: string, request: ListRequest): Promise<Page<StoredRecord>>
  /**
   * All or nothing, in order; the record of each operation, or null for a delete. A record that is changed more than
   * once has one event, with its last state. The error of an operation has its `index`; for `batch_too_large` it is the
   * first operation whose record does not fit into the response.
   */
  batch(
    caller: Caller,
    operations: readonly BatchOperation[],
    idempotency: IdempotencyRequest<readonly (StoredRecord | null)[]> | null,
    validation?: Validation,
  ): Promise<IdempotentResult<readonly (StoredRecord | null)[]>>
}

export interface RecordsDeps {
  readonly catalog: Catalog
  readonly unitOfWork: UnitOfWork
  readonly clock: Clock
  readonly reserve: Reserve
  readonly applyPatch: ApplyPatch
  readonly compileValidator: CompileValidator
  readonly maxRecordBytes: number
}

/** Whether a caller may read a record; throws if not. */
export const requireReadable = async (
  tx: ReadTx,
  catalog: Catalog,
  collection: CompiledCollection,
  caller: RecordReaderRole,
  record: StoredRecord | null,
  now: Instant,
): Promise<StoredRecord> => {
  if (caller.role === 'admin' && record !== null) return record
  if (isOwnerRule(collection, 'read')) {
    if (record !== null && record.ownerId !== null && record.ownerId === caller.userId) return record
    if (isAnonymous(caller)) return refuse(caller, '')
    throw notFound(nounOf(collection.collection))
  }
  const rule = await ruleFor(tx, collection, 'read', caller, now)
  if (rule === FALSE && isAnonymous(caller)) return refuse(caller, '')
  if (record !== null && (await createTester(tx, catalog)(rule, record))) return record
  throw notFound(nounOf(collection.collection))
}

const isDelete = ({ op }: RecordOperation) => op === 'delete'

const both = (one: Expression, other: Expression): Expression => {
  if (one === TRUE) return other
  return other === TRUE ? one : { kind: 'and', left: one, right: other }
}

/** Reads lists for callers. */
const createLists = ({ catalog, unitOfWork, clock }: Pick<RecordsDeps, 'catalog' | 'unitOfWork' | 'clock'>) => {
  const conditionOf = async (
    tx: ReadTx,
    collection: CompiledCollection,
    filter: string | null,
    now: Instant,
  ): Promise<Expression> => {
    if (filter === null) return TRUE
    return bind(await catalog.compileFilter(tx, collection, filter), { auth: null, now })
  }

  return (caller: Reader, name: string, { query, filter }: ListRequest): Promise<Page<StoredRecord>> =>
    unitOfWork.read(async (tx) => {
      const now = clock.now()
      const collection = await catalog.find(tx, name)
      const records = tx.records(collection.storage)
      const condition = await conditionOf(tx, collection, filter, now)
      const rest = condition === TRUE ? null : condition
      if (caller.role === 'admin') return records.list({ ...query, condition: rest })
      if (isOwnerRule(collection, 'read')) {
        if (isAnonymous(caller)) return refuse(caller, '')
        if (query.ownerId !== null) requireOwnOrAdmin(caller, query.ownerId)
        return records.list({ ...query, ownerId: caller.userId, condition: rest })
      }
      const rule = await ruleFor(tx, collection, 'read', caller, now)
      if (rule === FALSE && isAnonymous(caller)) return refuse(caller, '')
      const whole = both(rule, condition)
      return records.list({ ...query, condition: whole === TRUE ? null : whole })
    })
}

export const createRecords = (deps: RecordsDeps): Records => {
  const { catalog, unitOfWork, clock, reserve } = deps
  const pendingForm = createPendingForms(deps)
  const operations = createRecordOperations(deps, pendingForm)
  const performAll = createBatches(catalog, operations)

  const current = async (tx: Tx, caller: Caller, now: Instant): Promise<Caller> =>
    isAnonymous(caller) ? caller : requireActiveActor(tx, caller, now)

  const changing = <T>(caller: Caller, work: (change: Change) => Promise<T>): Promise<T> =>
    unitOfWork.write(async (tx) => {
      const now = clock.now()
      const change = beginChange(tx, catalog, await current(tx, caller, now), now)
      const result = await work(change)
      await storeChanges(change, pendingForm)
      return result
    })

  /** As {@link changing}, for changes that need space. */
  const adding = <T>(caller: Caller, work: (change: Change) => Promise<T>): Promise<T> =>
    changing(caller, (change) => {
      requireRoom(reserve, isAnonymous(change.caller) ? null : change.caller)
      return work(change)
    })

  /** Someone without an account has no idempotency keys. */
  const once = async <T>(
    { tx, caller, now }: Change,
    idempotency: IdempotencyRequest<T> | null,
    effect: { readonly work: () => Promise<T>; readonly owners: (result: T) => readonly (number | null)[] },
  ): Promise<IdempotentResult<T>> =>
    isAnonymous(caller) ? { result: await effect.work() } : withIdempotency(tx, caller, idempotency, now, effect)

  return {
    create: (caller, name, draft, idempotency, { isValidated = false } = {}) =>
      adding(caller, async (change) => {
        const collection = await catalog.find(change.tx, name)
        return once(change, idempotency, {
          work: () => operations.add(change, collection, draft, isValidated),
          owners: (record) => [record.ownerId],
        })
      }),

    get: (caller, name, id) =>
      unitOfWork.read(async (tx) => {
        const collection = await catalog.find(tx, name)
        const record = await tx.records(collection.storage).findById(id)
        return requireReadable(tx, catalog, collection, caller, record, clock.now())
      }),

    update: (caller, name, id, patch, expected, { isValidated = false } = {}) =>
      adding(caller, async (change) => {
        const collection = await catalog.find(change.tx, name)
        return operations.alter(change, collection, { id, patch, expected, isValidated })
      }),

    remove: (caller, name, id, expected) =>
      changing(caller, async (change) =>
        operations.erase(change, await catalog.find(change.tx, name), { id, expected }),
      ),

    list: createLists(deps),

    batch: (caller, all, idempotency, { isValidated = false } = {}) =>
      (all.every(isDelete) ? changing : adding)(caller, (change) =>
        once(change, idempotency, {
          work: () => performAll(change, all, isValidated),
          owners: (results) => results.flatMap((record) => (record === null ? [] : [record.ownerId])),
        }),
      ),
  }
}

/** How messages call one record. */
export const recordNoun = (collection: Collection): string => nounOf(collection)

export const versionMismatch = ({ singular }: Collection): AppError =>
  new AppError('version_mismatch', `The ${singular} was changed meanwhile`)
