import { AppError, notFound } from '../domain/errors.ts'
import { type Item, type ItemDraft, type ItemPatch, newItem, patchedItem } from '../domain/item.ts'
import type { Page } from '../domain/page.ts'
import type { Principal } from '../domain/session.ts'
import type { Instant } from '../domain/user.ts'
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
  /** Throws `data_too_large`, `idempotency_mismatch`. */
  create(actor: Principal, draft: ItemDraft, wish: Once<Item> | null): Promise<Outcome<Item>>
  /** Throws `not_found`. */
  get(actor: Principal, id: number): Promise<Item>
  /** Throws `not_found`, `version_mismatch`, `data_too_large`. Of writers that race, each sees what the others did. */
  update(actor: Principal, id: number, patch: ItemPatch, expected: Expected): Promise<Item>
  /** Throws `not_found`, `version_mismatch`. */
  remove(actor: Principal, id: number, expected: Expected): Promise<void>
  /** One's own; an admin may ask for another's (`ownerId`) or for all (null). Throws `forbidden`. */
  list(actor: Principal, query: ItemQuery): Promise<Page<Item>>
  /**
   * All or nothing, in order; the item of each operation, or null for a delete.
   * What an operation throws has its `index`.
   */
  batch(
    actor: Principal,
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

const change = async (
  tx: Tx,
  actor: Principal,
  { id, patch, expected }: { readonly id: number; readonly patch: ItemPatch; readonly expected: Expected },
  now: Instant,
): Promise<Item> => {
  const item = await visible(tx, actor, id)
  checkVersion(item, expected)
  const changed = patchedItem(item, patch, now)
  await tx.items.update(changed)
  return changed
}

const erase = async (tx: Tx, actor: Principal, id: number, expected: Expected): Promise<void> => {
  checkVersion(await visible(tx, actor, id), expected)
  await tx.items.delete(id)
}

const perform = async (tx: Tx, actor: Principal, operation: ItemOperation, now: Instant): Promise<Item | null> => {
  switch (operation.op) {
    case 'create':
      return tx.items.insert(newItem(operation.draft, actor.userId, now))
    case 'update':
      return change(tx, actor, operation, now)
    case 'delete':
      await erase(tx, actor, operation.id, operation.expected)
      return null
  }
}

const atIndex = (error: unknown, index: number): unknown =>
  error instanceof AppError ? new AppError(error.code, error.message, { cause: error, index }) : error

export const createItems = ({ unitOfWork, clock }: { unitOfWork: UnitOfWork; clock: Clock }): Items => ({
  create: (actor, draft, wish) =>
    unitOfWork.write((tx) => {
      const now = clock.now()
      return once(tx, actor, wish, now, () => tx.items.insert(newItem(draft, actor.userId, now)))
    }),

  get: (actor, id) => unitOfWork.read((tx) => visible(tx, actor, id)),

  update: (actor, id, patch, expected) =>
    unitOfWork.write((tx) => change(tx, actor, { id, patch, expected }, clock.now())),

  remove: (actor, id, expected) => unitOfWork.write((tx) => erase(tx, actor, id, expected)),

  async list(actor, query) {
    if (query.ownerId !== actor.userId && actor.role !== 'admin') {
      throw new AppError('forbidden', 'Only an admin may list what others own')
    }
    return unitOfWork.read((tx) => tx.items.list(query))
  },

  batch: (actor, operations, wish) =>
    unitOfWork.write((tx) => {
      const now = clock.now()
      return once(tx, actor, wish, now, async () => {
        const results: (Item | null)[] = []
        for (const [index, operation] of operations.entries()) {
          try {
            results.push(await perform(tx, actor, operation, now))
          } catch (error) {
            throw atIndex(error, index)
          }
        }
        return results
      })
    }),
})
