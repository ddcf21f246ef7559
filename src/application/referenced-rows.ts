import type { Referenced } from '../domain/expression-evaluation.ts'
import type { StoredRecord } from '../domain/record.ts'
import { type Awaitable, andThen } from './awaitable.ts'
import type { Catalog } from './catalog.ts'
import type { RecordStorage } from './ports/collections.ts'
import { Marked } from './ports/deletions.ts'
import type { ReadTx } from './ports/persistence.ts'
import type { RecordReader } from './ports/records.ts'

/** Where the records of a collection are; null if there is no such collection. */
export type StorageOf = (tx: ReadTx, name: string) => Awaitable<RecordStorage | null>

export const storageIn =
  (catalog: Pick<Catalog, 'named'>): StorageOf =>
  (tx, name) =>
    andThen(catalog.named(tx, name), (compiled) => compiled?.storage ?? null)

/** How many ids one look-up may have. */
export const MAX_LOOK_UP_COUNT = 100

/** The records with these ids, in parts. */
export const findInParts = (
  tx: ReadTx,
  storage: RecordStorage,
  ids: readonly number[],
): Awaitable<readonly StoredRecord[]> => {
  const records = tx.records(storage)
  return ids.length <= MAX_LOOK_UP_COUNT ? records.findAll(ids) : findPartByPart(records, ids)
}

const findPartByPart = async (
  records: Pick<RecordReader, 'findAll'>,
  ids: readonly number[],
): Promise<readonly StoredRecord[]> => {
  const found: StoredRecord[] = []
  for (let from = 0; from < ids.length; from += MAX_LOOK_UP_COUNT) {
    found.push(...(await records.findAll(ids.slice(from, from + MAX_LOOK_UP_COUNT))))
  }
  return found
}

/** Throws `Marked` if the record, which the same transaction has read, is being deleted. */
export const requireReferenceable = (tx: ReadTx, storage: RecordStorage, record: StoredRecord): Awaitable<void> => {
  if (typeof storage === 'string') return requireNotDeleted(tx, storage, [record])
  tx.records(storage).requireUnmarked([record])
}

/** Throws `Marked` for a record of a collection defined in code, or a file, that is being deleted. */
export const requireNotDeleted = async (
  tx: ReadTx,
  target: string,
  found: readonly { readonly id: number }[],
): Promise<void> => {
  for (const { id } of found) {
    const deletion = await tx.deletions.marking(target, id)
    if (deletion !== null) throw new Marked(deletion.id, null)
  }
}

/** The parts that expressions may read of referenced records, users or files: of those that exist, in no order. */
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
