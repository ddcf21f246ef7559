import type { Referenced } from '../domain/expression-evaluation.ts'
import type { StoredRecord } from '../domain/record.ts'
import type { Catalog } from './catalog.ts'
import type { RecordStorage } from './ports/collections.ts'
import { Marked } from './ports/deletions.ts'
import type { ReadTx } from './ports/persistence.ts'

/** Where the records of a collection are; null if there is no such collection. */
export type StorageOf = (tx: ReadTx, name: string) => Promise<RecordStorage | null>

export const storageIn =
  (catalog: Pick<Catalog, 'named'>): StorageOf =>
  async (tx, name) =>
    (await catalog.named(tx, name))?.storage ?? null

/** How many ids one look-up may have. */
export const MAX_LOOK_UP_COUNT = 100

/** The records with these ids, in parts. */
export const findInParts = async (
  tx: ReadTx,
  storage: RecordStorage,
  ids: readonly number[],
): Promise<readonly StoredRecord[]> => {
  const found: StoredRecord[] = []
  for (let from = 0; from < ids.length; from += MAX_LOOK_UP_COUNT) {
    found.push(...(await tx.records(storage).findAll(ids.slice(from, from + MAX_LOOK_UP_COUNT))))
  }
  return found
}

/**
 * Throws `Marked` if one of these records or files, which the transaction has read to reference them, is being deleted.
 * `storage` is `files`, or that of the records.
 */
export const requireUnmarked = async (tx: ReadTx, storage: RecordStorage, ids: readonly number[]): Promise<void> => {
  if (typeof storage !== 'string') return tx.records(storage).requireUnmarked(ids)
  for (const id of ids) {
    const deletion = await tx.deletions.marking(storage, id)
    if (deletion !== null) throw new Marked(deletion.id, null)
  }
}

/** What expressions may know of referenced records, users or files: of those that exist, in no order. */
export const readReferenced = async (
  tx: ReadTx,
  storageOf: StorageOf,
  target: string,
  ids: readonly number[],
): Promise<readonly Referenced[]> => {
  if (target === 'users') {
    const users = await Promise.all(ids.map((id) => tx.users.findById(id)))
    return users.flatMap((user) => (user === null ? [] : [{ id: user.id, name: user.name }]))
  }
  if (target === 'files') {
    const files = await Promise.all(ids.map((id) => tx.files.findById(id)))
    return files.flatMap((file) => (file === null ? [] : [{ ...file }]))
  }
  const storage = await storageOf(tx, target)
  return storage === null ? [] : findInParts(tx, storage, ids)
}
