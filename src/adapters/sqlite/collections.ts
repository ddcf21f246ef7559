import type {
  CollectionReader,
  CollectionRepository,
  RecordStorage,
  StoredCollection,
  StoredIndex,
} from '../../application/ports/collections.ts'
import { collections, type IndexRow } from '../sql/entities.ts'
import { indexesBeyond, type NewIndex, planIndexes } from '../sql/index-plan.ts'
import { activated, allIndexesOf, newCollection } from '../sql/stored-collections.ts'
import type { Connection } from './database.ts'
import type { Definitions } from './definitions.ts'
import type { PresentEpoch } from './epochs.ts'
import type { RecordCounts } from './record-counts.ts'
import type { RecordKeys } from './record-keys.ts'
import type { RowCache } from './row-cache.ts'
import { prepareChange } from './rows.ts'

export const createCollectionReader = (
  definitions: Definitions,
  countOf: (storage: RecordStorage) => number,
): CollectionReader => ({
  find: async (name) => definitions.find(name),
  all: async () => definitions.all(),
  countRecords: async (storage) => countOf(storage),
})

interface Parts {
  readonly definitions: Definitions
  readonly counts: RecordCounts
  readonly epoch: PresentEpoch
  readonly rowCache: Pick<RowCache, 'clear'>
  readonly keys: Pick<RecordKeys, 'flush'>
  /** Removes up to `limit` records of a collection and returns how many. */
  readonly removeRecords: (stored: StoredCollection, limit: number) => number
}

const MAX_NONCE = Number.MAX_SAFE_INTEGER

/** Removes what deleted collections, definitions and indexes have left. */
const createCleanUp = (connection: Connection, { definitions, keys, removeRecords }: Parts, changed: () => void) => {
  const unused = connection.prepare<Pick<IndexRow, 'id'>, []>(
    'SELECT id FROM record_indexes WHERE collection_id IS NULL LIMIT 1',
  )
  const removeKeys = prepareChange(
    connection,
    `DELETE FROM record_keys WHERE (index_id, key, created_at, record_id) IN (
       SELECT index_id, key, created_at, record_id FROM record_keys WHERE index_id = ? LIMIT +?)`,
  )
  const removeIndex = prepareChange(connection, 'DELETE FROM record_indexes WHERE id = ?')
  const deleted = connection.prepare<{ id: number }, []>('SELECT id FROM collections WHERE name IS NULL LIMIT 1')
  const remove = prepareChange(connection, 'DELETE FROM collections WHERE id = ?')

  return (limit: number): boolean => {
    const index = unused.get()
    if (index !== null) {
      keys.flush()
      if (removeKeys(index.id, limit) < limit) removeIndex(index.id)
      return true
    }
    const stored = definitions.findById(deleted.get()?.id ?? 0)
    if (stored === null) return false
    if (removeRecords(stored, limit) < limit) {
      remove(stored.id)
      changed()
    }
    return true
  }
}

export const createCollectionRepository = (connection: Connection, parts: Parts): CollectionRepository => {
  const { definitions, counts, epoch, rowCache } = parts
  const { inserted, valuesOf } = collections
  const columns = [...inserted, 'name', 'last_shape']
  const insert = connection.prepare<unknown>(
    `INSERT INTO collections (${columns.join(', ')}) VALUES (${columns.map(() => '?').join(', ')})`,
  )
  const update = prepareChange(
    connection,
    `UPDATE collections SET ${inserted.map((column) => `${column} = ?`).join(', ')}, last_shape = max(last_shape, ?)
     WHERE id = ?`,
  )
  const lastShape = connection.prepare<{ last_shape: number }, [number]>(
    'SELECT last_shape FROM collections WHERE id = ?',
  )
  const hide = prepareChange(connection, 'UPDATE collections SET name = NULL, pending = NULL WHERE id = ?')
  const addIndex = connection.prepare<unknown, [number]>('INSERT INTO record_indexes (collection_id) VALUES (?)')
  const dropIndex = prepareChange(connection, 'UPDATE record_indexes SET collection_id = NULL WHERE id = ?')
  const dropIndexes = prepareChange(
    connection,
    'UPDATE record_indexes SET collection_id = NULL WHERE collection_id = ?',
  )
  const change = prepareChange(connection, 'UPDATE collection_changes SET nonce = ?')

  const cleanUp = createCleanUp(connection, parts, () => changed())

  /** Every change gets another number, so that none seems to be the one that was rolled back before it. */
  const changed = () => {
    change(Math.floor(Math.random() * MAX_NONCE))
    rowCache.clear()
  }

  const withIds = (collectionId: number, indexes: readonly (StoredIndex | NewIndex)[]): readonly StoredIndex[] =>
    indexes.map((index) =>
      'id' in index ? index : { id: Number(addIndex.run(collectionId).lastInsertRowid), ...index },
    )

  const present = (name: string): StoredCollection => {
    const stored = definitions.find(name)
    if (stored === null) throw new Error('the collection does not exist')
    return stored
  }

  /** Stores a definition instead of an earlier one, whose other indexes are dropped. */
  const replace = (before: StoredCollection, after: StoredCollection): StoredCollection => {
    const shape = after.pending?.shape ?? after.shape
    if (update(...valuesOf(after), shape, after.id) !== 1) throw new Error('UPDATE met no row')
    for (const id of indexesBeyond(allIndexesOf(before), allIndexesOf(after))) dropIndex(id)
    changed()
    return present(after.collection.name)
  }

  return {
    ...createCollectionReader(definitions, counts.of),
    findForChange: async (name) => definitions.find(name),
    async insert(collection, now) {
      const created = newCollection(collection, epoch.current, now)
      const id = Number(insert.run(...valuesOf(created), collection.name, created.shape).lastInsertRowid)
      const stored = { ...created, id }
      return replace(stored, { ...stored, indexes: withIds(id, planIndexes(collection, null)) })
    },
    async prepare(stored, next) {
      const { collection, transform } = next
      const shape = transform === null ? stored.shape : (lastShape.get(stored.id)?.last_shape ?? 0) + 1
      const indexes = withIds(stored.id, planIndexes(collection, transform === null ? stored : null))
      return replace(stored, { ...stored, pending: { ...next, shape, indexes } })
    },
    renew: async (stored, leaseUntil) =>
      replace(stored, { ...stored, pending: stored.pending && { ...stored.pending, leaseUntil } }),
    activate: async (stored, now) => replace(stored, activated(stored, epoch.current, now)),
    abandon: async (stored) => replace(stored, { ...stored, pending: null }),
    async setDeletions(stored, deletions, removedCount) {
      replace(stored, { ...stored, deletions })
      if (removedCount > 0) counts.add(stored, -removedCount)
    },
    async delete(stored) {
      dropIndexes(stored.id)
      hide(stored.id)
      changed()
    },
    cleanUp: async (limit) => cleanUp(limit),
  }
}
