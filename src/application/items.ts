import { AppError, notFound } from '../domain/errors.ts'
import type { ItemEventName } from '../domain/event.ts'
import { type Item, type ItemDraft, type ItemPatch, newItem, patchedItem } from '../domain/item.ts'
import type { Page } from '../domain/page.ts'
import type { Actor, Principal } from '../domain/session.ts'
import type { Instant } from '../domain/user.ts'
import { confirm } from './access.ts'
import { type Once, type Outcome, once } from './idempotency.ts'
import type { ItemQuery, ReadTx, Tx, UnitOfWork } from './ports/persistence.ts'
import type { Clock } from './ports/system.ts'

/** The versions a change may meet; null for any. */
export type Expected = readonly number[] | null

export type ItemOperation =
  | { readonly op: 'create'; readonly draft: ItemDraft }
  | { readonly op: 'update'; readonly id: number; readonly patch: ItemPatch; readonly expected: Expected }
  | { readonly op: 'delete'; readonly id: number; readonly expected: Expected }

/** An item is seen and changed by its owner and by admins; to all others it does not exist (`not_found`). */
export interface Items {
  /** Throws `data_too_large`, `idempotency_mismatch`, `invalid_token` when the account is gone. */
  create(actor: Actor, draft: ItemDraft, wish: Once<Item> | null): Promise<Outcome<Item>>
  /** Throws `not_found`. */
  get(actor: Principal, id: number): Promise<Item>
  /** Throws `not_found`, `version_mismatch`, `data_too_large`. Of writers that race, each sees what the others did. */
  update(actor: Actor, id: number, patch: ItemPatch, expected: Expected): Promise<Item>
  /** Throws `not_found`, `version_mismatch`. */
  remove(actor: Actor, id: number, expected: Expected): Promise<void>
  /** One's own; an admin may ask for another's (`ownerId`) or for all (null). Throws `forbidden`. */
  list(actor: Principal, query: ItemQuery): Promise<Page<Item>>
  /**
   * All or nothing, in order; the item of each operation, or null for a delete.
   * What an operation throws has its `index`.
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
  if (expected === null || expected.includes(item.version)) return
  throw new AppError('version_mismatch', 'The item was changed meanwhile')
}

/** Who makes it and when, for the log that is written with each change. */
interface Change {
  readonly actor: Actor
  readonly now: Instant
}

const record = (tx: Tx, event: ItemEventName, item: Item, { actor, now }: Change): Promise<void> =>
  tx.events.append({ event, item, actorId: actor.userId, requestId: actor.requestId, createdAt: now })

const add = async (tx: Tx, draft: ItemDraft, change: Change): Promise<Item> => {
  const { actor, now } = change
  const item = await tx.items.insert(newItem(draft, actor.userId, now))
  await record(tx, 'item.created', item, change)
  return item
}

const alter = async (tx: Tx, id: number, patch: ItemPatch, expected: Expected, change: Change): Promise<Item> => {
  const item = await visible(tx, change.actor, id)
  checkVersion(item, expected)
  const changed = patchedItem(item, patch, change.now)
  await tx.items.update(changed)
  await record(tx, 'item.updated', changed, change)
  return changed
}

const erase = async (tx: Tx, id: number, expected: Expected, change: Change): Promise<void> => {
  const item = await visible(tx, change.actor, id)
  checkVersion(item, expected)
  await tx.items.delete(id)
  await record(tx, 'item.deleted', item, change)
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

const atIndex = (error: unknown, index: number): unknown =>
  error instanceof AppError ? new AppError(error.code, error.message, { cause: error, index }) : error

const performAll = async (
  tx: Tx,
  operations: readonly ItemOperation[],
  change: Change,
): Promise<readonly (Item | null)[]> => {
  await holdAll(tx, operations)
  const results: (Item | null)[] = []
  for (const [index, operation] of operations.entries()) {
    try {
      results.push(await perform(tx, operation, change))
    } catch (error) {
      throw atIndex(error, index)
    }
  }
  return results
}

export const createItems = ({ unitOfWork, clock }: { unitOfWork: UnitOfWork; clock: Clock }): Items => {
  const changing = <T>(actor: Actor, work: (tx: Tx, change: Change) => Promise<T>): Promise<T> =>
    unitOfWork.write(async (tx) => {
      const now = clock.now()
      return work(tx, { actor: await confirm(tx, actor, now), now })
    })

  return {
    create: (actor, draft, wish) =>
      changing(actor, (tx, change) =>
        once(tx, change.actor, wish, change.now, {
          work: () => add(tx, draft, change),
          owners: (item) => [item.ownerId],
        }),
      ),

    get: (actor, id) => unitOfWork.read((tx) => visible(tx, actor, id)),

    update: (actor, id, patch, expected) => changing(actor, (tx, change) => alter(tx, id, patch, expected, change)),

    remove: (actor, id, expected) => changing(actor, (tx, change) => erase(tx, id, expected, change)),

    async list(actor, query) {
      if (query.ownerId !== actor.userId && actor.role !== 'admin') {
        throw new AppError('forbidden', 'Only an admin may list what others own')
      }
      return unitOfWork.read((tx) => tx.items.list(query))
    },

    batch: (actor, operations, wish) =>
      changing(actor, (tx, change) =>
        once(tx, change.actor, wish, change.now, {
          work: () => performAll(tx, operations, change),
          owners: (results) => results.flatMap((item) => (item === null ? [] : [item.ownerId])),
        }),
      ),
  }
}
