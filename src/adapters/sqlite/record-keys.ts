import type { Instant } from '../../domain/user.ts'
import { compareBytes, type IndexKey } from '../sql/record-keys.ts'
import { notUnique, unlessDeleted } from '../sql/stored-records.ts'
import type { Connection } from './database.ts'
import type { DeferredWrites } from './writer.ts'

/** A record as its index entries name it. */
interface Subject {
  readonly id: number
  readonly createdAt: Instant
}

export interface RecordKeys extends DeferredWrites {
  /** Throws `not_unique`. */
  add(keys: readonly IndexKey[], subject: Subject): void
  remove(keys: readonly IndexKey[], subject: Subject): void
  /** Call it before a statement of the transaction that reads or removes entries. */
  flush(): void
  /** The ids of up to `limit` records with this key, without those of `deletions` that have taken effect. */
  find(indexId: number, key: Uint8Array, limit: number, deletions: readonly number[]): readonly number[]
}

interface Change extends Subject {
  readonly indexId: number
  readonly key: Uint8Array
  readonly isAdded: boolean
}

const inOrder = (one: Change, other: Change): number => one.indexId - other.indexId || compareBytes(one.key, other.key)

/**
 * The index entries of a transaction. A savepoint copies each page that is changed after it, so that the entries of many
 * units cost less together, in their order, just before the commit. Unique ones are written at once, for other units to
 * find them.
 */
export const createRecordKeys = (connection: Connection): RecordKeys => {
  const insert = connection.prepare<unknown, [number, Uint8Array, number, number, boolean]>(
    'INSERT OR IGNORE INTO record_keys (index_id, key, created_at, record_id, is_unique) VALUES (?, ?, ?, ?, ?)',
  )
  const erase = connection.prepare<unknown, [number, Uint8Array, number, number]>(
    'DELETE FROM record_keys WHERE index_id = ? AND key = ? AND created_at = ? AND record_id = ?',
  )
  // No other transaction writes meanwhile.
  const other = connection.prepare<unknown, [number, Uint8Array, number]>(
    'SELECT 1 FROM record_keys WHERE index_id = ? AND key = ? AND record_id <> ? LIMIT 1',
  )
  const byKey = connection.prepare<{ record_id: number }, [number, Uint8Array, number]>(
    'SELECT record_id FROM record_keys WHERE index_id = ? AND key = ? LIMIT +?',
  )
  const presentByKey = connection.prepare<{ record_id: number }, [number, Uint8Array, string, number]>(
    `SELECT record_id FROM record_keys WHERE index_id = ? AND key = ? AND NOT EXISTS (
       SELECT 1 FROM records WHERE id = record_id AND NOT ${unlessDeleted('SELECT value FROM json_each(?)')}) LIMIT +?`,
  )
  let changes: Change[] = []
  /** How many of the changes are from earlier units. */
  let marked = 0
  /** Changes of earlier units that this unit has written, which are undone with it. */
  let writtenEarly: readonly Change[] = []

  const put = (indexId: number, key: Uint8Array, { id, createdAt }: Subject, isAdded: boolean): void => {
    changes.push({ indexId, key, id, createdAt, isAdded })
  }

  const write = (): void => {
    if (changes.length === 0) return
    // The sort is stable: changes of one entry stay in their order.
    for (const { indexId, key, id, createdAt, isAdded } of changes.sort(inOrder)) {
      if (isAdded) insert.run(indexId, key, createdAt, id, false)
      else erase.run(indexId, key, createdAt, id)
    }
    changes = []
    marked = 0
  }

  const flush = (): void => {
    writtenEarly = [...writtenEarly, ...changes.slice(0, marked)]
    write()
  }

  return {
    add(keys, subject) {
      for (const { index, key, isUnique } of keys) {
        if (!index.unique) {
          put(index.id, key, subject, true)
          continue
        }
        if (isUnique && other.get(index.id, key, subject.id) !== null) throw notUnique(index)
        insert.run(index.id, key, subject.createdAt, subject.id, isUnique)
      }
    },
    remove(keys, subject) {
      for (const { index, key } of keys) {
        if (index.unique) erase.run(index.id, key, subject.createdAt, subject.id)
        else put(index.id, key, subject, false)
      }
    },
    flush,
    find(indexId, key, limit, deletions) {
      flush()
      const found =
        deletions.length === 0
          ? byKey.all(indexId, key, limit)
          : presentByKey.all(indexId, key, JSON.stringify(deletions), limit)
      return found.map(({ record_id }) => record_id)
    },
    unitBegun() {
      marked = changes.length
      writtenEarly = []
    },
    checkUnit() {},
    undoUnit() {
      changes = [...writtenEarly, ...changes.slice(0, marked)]
      marked = changes.length
      writtenEarly = []
    },
    discard() {
      changes = []
      marked = 0
      writtenEarly = []
    },
    write,
  }
}
