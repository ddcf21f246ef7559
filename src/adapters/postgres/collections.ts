import type {
  CollectionReader,
  CollectionRepository,
  RecordStorage,
  StoredCollection,
  StoredIndex,
} from '../../application/ports/collections.ts'
import { collections } from '../sql/entities.ts'
import { indexesBeyond, type NewIndex, planIndexes } from '../sql/index-plan.ts'
import { RECORD_TABLES } from '../sql/record-table.ts'
import { insertInto, postgresPlaceholder } from '../sql/statements.ts'
import { activated, allIndexesOf, newCollection } from '../sql/stored-collections.ts'
import { unlessDeleted } from '../sql/stored-records.ts'
import type { UsageCounter } from '../sql/usage.ts'
import { type Connection, type Int8, insertedRow, int, intOrNull, type Transaction } from './connection.ts'
import { type DefinitionCache, lookUpDefinitions, readAllDefinitions, readDefinition } from './definitions.ts'
import type { PresentEpoch } from './epochs.ts'

/** A definition that a transaction has locked; its name may also be unused. */
interface LockedDefinition {
  readonly stored: Promise<StoredCollection | null>
  /** Whether the transaction may change it. */
  readonly exclusive: boolean
}

/** The definitions that a transaction has locked, by name. */
export type LockedDefinitions = Map<string, LockedDefinition>

/**
 * The first number of the advisory locks of definitions; the second is a hash of the name. Unlike a row lock, such a
 * lock is granted in the order of requests, so that a change never waits for more than the units that came before it,
 * and also locks a name that is not used yet.
 */
const DEFINITION_LOCK_KEY = 0x5ceb

const lockSql = (name: string, mode: string): string => `SELECT ${name}${mode}(${DEFINITION_LOCK_KEY}, hashtext($1))`

const LOCKS = {
  shared: { wait: lockSql('pg_advisory_xact_lock', '_shared'), now: lockSql('pg_try_advisory_xact_lock', '_shared') },
  exclusive: { wait: lockSql('pg_advisory_xact_lock', ''), now: lockSql('pg_try_advisory_xact_lock', '') },
} as const

const countStored = (read: Connection['read'], { id, deletions: { unfinished } }: StoredCollection) => {
  const count = 'SELECT count(*) AS n FROM records WHERE collection_id = $1'
  if (unfinished.length === 0) return read<{ n: Int8 }>(count, id)
  const sql = `${count} AND ${unlessDeleted('SELECT unnest($2::bigint[])')}`
  return read<{ n: Int8 }>(sql, id, `{${unfinished.join()}}`)
}

const countIn = async ({ read }: Connection, storage: RecordStorage): Promise<number> => {
  const [row] =
    typeof storage === 'string'
      ? await read<{ n: Int8 }>(`SELECT count(*) AS n FROM ${tableOf(storage)}`)
      : await countStored(read, storage)
  return int(row?.n ?? '0')
}

const tableOf = (name: string): string => {
  const table = RECORD_TABLES.find((each) => each.name === name)
  if (table === undefined) throw new Error(`there is no collection ${name}`)
  return table.name
}

export const createCollectionReader = (connection: Connection, cache: DefinitionCache): CollectionReader => ({
  find: lookUpDefinitions(connection, cache),
  all: () => readAllDefinitions(connection.read, cache),
  countRecords: (storage) => countIn(connection, storage),
})

const isGranted = (row: Readonly<Record<string, unknown>> | undefined): boolean =>
  row !== undefined && Object.values(row).every((value) => value !== false)

/** Locks definitions in the order of their names, so that no two transactions wait for each other. */
const createLocks = (connection: Transaction, cache: DefinitionCache, locked: LockedDefinitions) => {
  const lockAndRead = async (name: string, exclusive: boolean, mayWait: boolean): Promise<StoredCollection | null> => {
    const { wait, now } = exclusive ? LOCKS.exclusive : LOCKS.shared
    // Rarely does anybody wait for units that use a definition, so they may share a transaction.
    const lock = exclusive ? connection.lock : connection.read
    // A statement sees what was committed before it began, so the one that reads is separate.
    const [[answer], stored] = await Promise.all([
      lock<Readonly<Record<string, unknown>>>(mayWait ? wait : now, name),
      readDefinition(connection.read, cache, name),
    ])
    if (!isGranted(answer)) throw connection.postpone()
    return stored
  }

  return (name: string, exclusive: boolean): Promise<StoredCollection | null> => {
    const known = locked.get(name)
    if (known !== undefined && (known.exclusive || !exclusive)) return known.stored
    if (name.includes('\0')) return Promise.resolve(null)
    const mayWait = connection.mayWait() && locked.keys().every((other) => other < name)
    const stored = lockAndRead(name, exclusive, mayWait)
    locked.set(name, { stored, exclusive })
    return stored
  }
}

/** Assigns ids to the indexes that have none. */
const withIds = async (
  connection: Transaction,
  collectionId: number,
  indexes: readonly (StoredIndex | NewIndex)[],
): Promise<readonly StoredIndex[]> => {
  const count = indexes.filter((index) => !('id' in index)).length
  if (count === 0) return indexes.flatMap((index) => ('id' in index ? [index] : []))
  const rows = await connection.insert<{ id: Int8 }>(
    'INSERT INTO record_indexes (collection_id) SELECT $1::bigint FROM generate_series(1, $2::integer) RETURNING id',
    collectionId,
    count,
  )
  const ids = rows.map(({ id }) => int(id))
  return indexes.map((index) => ('id' in index ? index : { id: ids.pop() ?? 0, ...index }))
}

const createCleanUp = (connection: Transaction, usage: UsageCounter) => {
  const cleanIndex = async (limit: number): Promise<boolean> => {
    const [unused] = await connection.lock<{ id: Int8 }>(
      'SELECT id FROM record_indexes WHERE collection_id IS NULL ORDER BY id LIMIT 1 FOR UPDATE',
    )
    if (unused === undefined) return false
    const { count } = await connection.change(
      `DELETE FROM record_keys WHERE (index_id, key, created_at, record_id) IN (
         SELECT index_id, key, created_at, record_id FROM record_keys WHERE index_id = $1 LIMIT $2)`,
      unused.id,
      limit,
    )
    if (count < limit) void connection.change('DELETE FROM record_indexes WHERE id = $1', unused.id)
    return true
  }

  const cleanCollection = async (limit: number): Promise<boolean> => {
    const [deleted] = await connection.lock<{ id: Int8 }>(
      'SELECT id FROM collections WHERE name IS NULL ORDER BY id LIMIT 1 FOR UPDATE',
    )
    if (deleted === undefined) return false
    const gone = await connection.change<{ owner_id: Int8 | null; bytes: Int8 }>(
      `DELETE FROM records WHERE id = ANY (ARRAY(SELECT id FROM records WHERE collection_id = $1 LIMIT $2 FOR UPDATE))
       RETURNING owner_id, bytes`,
      deleted.id,
      limit,
    )
    for (const { owner_id, bytes } of gone) usage.add(intOrNull(owner_id), -int(bytes))
    if (gone.length < limit) void connection.change('DELETE FROM collections WHERE id = $1', deleted.id)
    return true
  }

  return async (limit: number): Promise<boolean> => (await cleanIndex(limit)) || (await cleanCollection(limit))
}

interface Context {
  readonly cache: DefinitionCache
  readonly locked: LockedDefinitions
  readonly epoch: PresentEpoch
  readonly usage: UsageCounter
}

const { inserted, valuesOf } = collections

const INSERT = `${insertInto('collections', [...inserted, 'name', 'last_shape'], postgresPlaceholder)} RETURNING id`

const UPDATE = `UPDATE collections SET ${inserted.map((column, n) => `${column} = $${n + 1}`).join(', ')},
    last_shape = greatest(last_shape, $${inserted.length + 1}::integer)
  WHERE id = $${inserted.length + 2}`

const DROP_INDEXES = 'UPDATE record_indexes SET collection_id = NULL WHERE id = ANY ($1::bigint[])'

export const createCollectionRepository = (
  connection: Transaction,
  { cache, locked, epoch, usage }: Context,
): CollectionRepository => {
  const lock = createLocks(connection, cache, locked)

  /** Stores a definition instead of an earlier one, whose other indexes are dropped. */
  const replace = (before: StoredCollection, after: StoredCollection): StoredCollection => {
    const shape = after.pending?.shape ?? after.shape
    void connection.change(UPDATE, ...valuesOf(after), shape, after.id)
    const dropped = indexesBeyond(allIndexesOf(before), allIndexesOf(after))
    if (dropped.length > 0) void connection.change(DROP_INDEXES, `{${dropped.join()}}`)
    locked.set(after.collection.name, { stored: Promise.resolve(after), exclusive: true })
    return after
  }

  return {
    ...createCollectionReader(connection, cache),
    find: (name) => lock(name, false),
    findForChange: (name) => lock(name, true),
    async insert(collection, now) {
      const created = newCollection(collection, epoch.current, now)
      const rows = await connection.insert<{ id: Int8 }>(INSERT, ...valuesOf(created), collection.name, created.shape)
      const stored = { ...created, id: int(insertedRow(rows).id) }
      return replace(stored, {
        ...stored,
        indexes: await withIds(connection, stored.id, planIndexes(collection, null)),
      })
    },
    async prepare(stored, next) {
      const { collection, transform } = next
      const [row] = await connection.read<{ last_shape: number }>(
        'SELECT last_shape FROM collections WHERE id = $1',
        stored.id,
      )
      const shape = transform === null ? stored.shape : (row?.last_shape ?? 0) + 1
      const planned = planIndexes(collection, transform === null ? stored : null)
      const indexes = await withIds(connection, stored.id, planned)
      return replace(stored, { ...stored, pending: { ...next, shape, indexes } })
    },
    renew: async (stored, leaseUntil) =>
      replace(stored, { ...stored, pending: stored.pending && { ...stored.pending, leaseUntil } }),
    activate: async (stored, now) => replace(stored, activated(stored, epoch.current, now)),
    abandon: async (stored) => replace(stored, { ...stored, pending: null }),
    async setDeletions(stored, deletions) {
      replace(stored, { ...stored, deletions })
    },
    async delete({ id, collection }) {
      void connection.change('UPDATE collections SET name = NULL, pending = NULL WHERE id = $1', id)
      void connection.change('UPDATE record_indexes SET collection_id = NULL WHERE collection_id = $1', id)
      locked.set(collection.name, { stored: Promise.resolve(null), exclusive: true })
    },
    cleanUp: createCleanUp(connection, usage),
  }
}
