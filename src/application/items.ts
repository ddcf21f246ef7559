import { AppError, notFound } from '../domain/errors.ts'
import type { ItemEventName } from '../domain/event.ts'
import {
  charactersOf,
  ITEM_LIMITS,
  type Item,
  type ItemDraft,
  type ItemPatch,
  newItem,
  patchedItem,
} from '../domain/item.ts'
import type { Page } from '../domain/page.ts'
import type { Actor, Principal } from '../domain/session.ts'
import type { Instant } from '../domain/user.ts'
import { confirm } from './access.ts'
import { type Once, type Outcome, once } from './idempotency.ts'
import type { ItemQuery, ReadTx, Tx, UnitOfWork } from './ports/persistence.ts'
import type { Clock, Reserve } from './ports/system.ts'
import { requireRoom } from './reserve.ts'

/** A version that a change may meet; of whatever epoch if that is null. */
export interface ExpectedVersion {
  readonly version: number
  readonly epoch: string | null
}

/** The versions a change may meet; null for any. */
export type Expected = readonly ExpectedVersion[] | null

export type ItemOperation =
  | { readonly op: 'create'; readonly draft: ItemDraft }
  | { readonly op: 'update'; readonly id: number; readonly patch: ItemPatch; readonly expected: Expected }
  | { readonly op: 'delete'; readonly id: number; readonly expected: Expected }

/** An item is seen and changed by its owner and by admins; to all others it does not exist (`not_found`). */
export interface Items {
  /**
   * Throws `data_too_large`, `idempotency_mismatch`, `invalid_token` when the account is gone, `quota_exceeded` and
   * `storage_reserved`, as all that takes room.
   */
  create(actor: Actor, draft: ItemDraft, wish: Once<Item> | null): Promise<Outcome<Item>>
  /** Throws `not_found`. */
  get(actor: Principal, id: number): Promise<Item>
  /**
   * Throws `not_found`, `version_mismatch`, `data_too_large`. Of writers that race, each sees what the others did. What
   * changes nothing leaves version and time as they are.
   */
  update(actor: Actor, id: number, patch: ItemPatch, expected: Expected): Promise<Item>
  /** Throws `not_found`, `version_mismatch`. */
  remove(actor: Actor, id: number, expected: Expected): Promise<void>
  /** One's own; an admin may ask for another's (`ownerId`) or for all (null). Throws `forbidden`. */
  list(actor: Principal, query: ItemQuery): Promise<Page<Item>>
  /**
   * All or nothing, in order; the item of each operation, or null for a delete. An item that is changed more than once
   * has one event, with its last state.
   * What an operation throws has its `index`: with `batch_too_large` the first whose item does not fit into the answer.
   */
  batch(
    actor: Actor,
    operations: readonly ItemOperation[],
    wish: Once<readonly (Item | null)[]> | null,
  ): Promise<Outcome<readonly (Item | null)[]>>
}

const visible = async (tx: ReadTx, actor: Principal, id: number): Promise<Item> => {
  const item = await tx.items.findById(id)
  if (item === null || (item.ownerId !== actor.userId && actor.role !== 'admin')) throw notFound('Item')
  return item
}

const checkVersion = (item: Item, expected: Expected): void => {
  const isExpected = ({ version, epoch }: ExpectedVersion) =>
    version === item.version && (epoch === null || epoch === item.epoch)
  if (expected === null || expected.some(isExpected)) return
  throw new AppError('version_mismatch', 'The item was changed meanwhile')
}

/** Who makes changes and when, and what the log is to say of them. */
interface Change {
  readonly actor: Actor
  readonly now: Instant
  /** By item, in the order of the last change of each. */
  readonly events: Map<number, { readonly event: ItemEventName; readonly item: Item }>
  /** Changed items that are still to be stored: each once, however often it changes. */
  readonly changed: Map<number, Item>
}

/**
 * Each item has one event in a transaction, with its last state: nobody ever sees those between. One that was created
 * and deleted was never there for anyone.
 */
const record = (event: ItemEventName, item: Item, { events }: Change): void => {
  const before = events.get(item.id)
  events.delete(item.id)
  const wasCreated = before?.event === 'item.created'
  if (wasCreated && event === 'item.deleted') return
  events.set(item.id, { event: wasCreated ? 'item.created' : event, item })
}

const store = async (tx: Tx, { actor, now, events, changed }: Change): Promise<void> => {
  for (const item of changed.values()) await tx.items.update(item)
  for (const { event, item } of events.values()) {
    await tx.events.append({ event, item, actorId: actor.userId, requestId: actor.requestId, createdAt: now })
  }
}

const add = async (tx: Tx, draft: ItemDraft, change: Change): Promise<Item> => {
  const { actor, now } = change
  const item = await tx.items.insert(newItem(draft, actor.userId, now))
  record('item.created', item, change)
  return item
}

/** The item as the operations before have left it. */
const current = async (tx: Tx, id: number, { actor, changed }: Change): Promise<Item> =>
  changed.get(id) ?? (await visible(tx, actor, id))

const alter = async (tx: Tx, id: number, patch: ItemPatch, expected: Expected, change: Change): Promise<Item> => {
  const item = await current(tx, id, change)
  checkVersion(item, expected)
  const changed = patchedItem(item, patch, change.now)
  if (changed === item) return item
  const written = { ...changed, epoch: tx.epochs.current }
  change.changed.set(id, written)
  record('item.updated', written, change)
  return written
}

const erase = async (tx: Tx, id: number, expected: Expected, change: Change): Promise<void> => {
  const item = await current(tx, id, change)
  checkVersion(item, expected)
  change.changed.delete(id)
  await tx.items.delete(id)
  record('item.deleted', item, change)
}

const perform = async (tx: Tx, operation: ItemOperation, change: Change): Promise<Item | null> => {
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

/** Each batch takes what it changes in the same order, whatever its own: so no two wait for each other. */
const holdAll = (tx: Tx, operations: readonly ItemOperation[]): Promise<unknown> => {
  const ids = new Set(operations.flatMap((operation) => (operation.op === 'create' ? [] : [operation.id])))
  if (ids.size < 2) return Promise.resolve()
  return Promise.all([...ids].sort((one, other) => one - other).map((id) => tx.items.findById(id)))
}

const batchTooLarge = () =>
  new AppError('batch_too_large', 'The items of this batch are too large together: send fewer operations')

const atIndex = (error: unknown, index: number): unknown =>
  error instanceof AppError ? new AppError(error.code, error.message, { cause: error, index }) : error

interface Deps {
  readonly unitOfWork: UnitOfWork
  readonly clock: Clock
  readonly reserve: Reserve
}

const isDelete = ({ op }: ItemOperation) => op === 'delete'

const performAll = async (
  tx: Tx,
  operations: readonly ItemOperation[],
  change: Change,
): Promise<readonly (Item | null)[]> => {
  await holdAll(tx, operations)
  const results: (Item | null)[] = []
  let size = 0
  for (const [index, operation] of operations.entries()) {
    try {
      const item = await perform(tx, operation, change)
      size += item === null ? 0 : charactersOf(item)
      if (size > ITEM_LIMITS.batch.maxCharacters) throw batchTooLarge()
      results.push(item)
    } catch (error) {
      throw atIndex(error, index)
    }
  }
  return results
}

export const createItems = ({ unitOfWork, clock, reserve }: Deps): Items => {
  const changing = <T>(actor: Actor, work: (tx: Tx, change: Change) => Promise<T>): Promise<T> =>
    unitOfWork.write(async (tx) => {
      const now = clock.now()
      const change: Change = { actor: await confirm(tx, actor, now), now, events: new Map(), changed: new Map() }
      const result = await work(tx, change)
      await store(tx, change)
      return result
    })

  /** As {@link changing}, for what takes room. */
  const adding = <T>(actor: Actor, work: (tx: Tx, change: Change) => Promise<T>): Promise<T> =>
    changing(actor, (tx, change) => {
      requireRoom(reserve, change.actor)
      return work(tx, change)
    })

  return {
    create: (actor, draft, wish) =>
      adding(actor, (tx, change) =>
        once(tx, change.actor, wish, change.now, {
          work: () => add(tx, draft, change),
          owners: (item) => [item.ownerId],
        }),
      ),

    get: (actor, id) => unitOfWork.read((tx) => visible(tx, actor, id)),

    update: (actor, id, patch, expected) => adding(actor, (tx, change) => alter(tx, id, patch, expected, change)),

    remove: (actor, id, expected) => changing(actor, (tx, change) => erase(tx, id, expected, change)),

    async list(actor, query) {
      if (query.ownerId !== actor.userId && actor.role !== 'admin') {
        throw new AppError('forbidden', 'Only an admin may list what others own')
      }
      return unitOfWork.read((tx) => tx.items.list(query))
    },

    batch: (actor, operations, wish) =>
      (operations.every(isDelete) ? changing : adding)(actor, (tx, change) =>
        once(tx, change.actor, wish, change.now, {
          work: () => performAll(tx, operations, change),
          owners: (results) => results.flatMap((item) => (item === null ? [] : [item.ownerId])),
        }),
      ),
  }
}
