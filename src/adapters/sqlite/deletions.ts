import type { StoredCollection } from '../../application/ports/collections.ts'
import type { DeletionReader, DeletionRepository, MarkedRecords, Referrer } from '../../application/ports/deletions.ts'
import { deletions } from '../sql/entities.ts'
import { keyOf } from '../sql/record-keys.ts'
import { isDeleted, recordOfRow, referrerOfRow, storedFormOf, storedRecordOf } from '../sql/stored-records.ts'
import type { Connection } from './database.ts'
import type { RecordKeys } from './record-keys.ts'
import { prepareChange, prepareFind, prepareInsert, prepareUpdate } from './rows.ts'
import type { StoredRow, StoredRows } from './stored-record-readers.ts'

export const createDeletionReader = (connection: Connection): DeletionReader => {
  const byId = prepareFind(connection, deletions, 'id = ?')
  const byTarget = prepareFind(connection, deletions, "target = ? AND target_id = ? AND state = 'marking'")
  return {
    find: async (id) => byId(id),
    marking: async (target, targetId) => byTarget(target, targetId),
  }
}

const prepareStatements = (connection: Connection) => ({
  find: connection.prepare<StoredRow, [number, number]>('SELECT * FROM records WHERE id = ? AND collection_id = +?'),
  entries: connection.prepare<{ id: number; created_at: number }, [number, Uint8Array, number, number, number]>(
    `SELECT record_id AS id, created_at FROM record_keys
     WHERE index_id = ? AND key = ? AND (created_at, record_id) > (+?, +?) ORDER BY created_at, record_id LIMIT +?`,
  ),
  mark: prepareChange(
    connection,
    `UPDATE records SET deletion_id = ?, deletion_level = ?, cleared = ?
     WHERE id IN (SELECT value FROM json_each(?))`,
  ),
  ofLevel: connection.prepare<{ id: number }, [number, number, number, number, number]>(
    `SELECT id FROM records WHERE deletion_id = ? AND collection_id = ? AND deletion_level = ? AND id > ?
     ORDER BY id LIMIT +?`,
  ),
  unmark: prepareChange(
    connection,
    `UPDATE records SET deletion_id = NULL, deletion_level = NULL, cleared = NULL
     WHERE id IN (SELECT id FROM records WHERE deletion_id = ? AND collection_id = ? LIMIT +?)`,
  ),
  marked: connection.prepare<StoredRow, [number, number, number]>(
    'SELECT * FROM records WHERE deletion_id = ? AND collection_id = ? LIMIT +?',
  ),
  withKey: connection.prepare<{ record_id: number }, [number, Uint8Array]>(
    'SELECT record_id FROM record_keys WHERE index_id = ? AND key = ?',
  ),
})

interface Parts {
  readonly keys: Pick<RecordKeys, 'flush'>
  readonly rows: Pick<StoredRows, 'forgetAll'>
}

const recordsIn = (
  statements: ReturnType<typeof prepareStatements>,
  { keys, rows }: Parts,
  stored: StoredCollection,
): MarkedRecords => ({
  async referrers(field, id, { after, limit }) {
    const index = stored.indexes.find(({ isReference, fields }) => isReference && fields[0] === field)
    if (index === undefined) throw new Error(`${field} is no reference`)
    keys.flush()
    const { createdAt = Number.MIN_SAFE_INTEGER, id: afterId = 0 } = after ?? {}
    const entries = statements.entries.all(index.id, keyOf([id]), createdAt, afterId, limit)
    const found = entries.flatMap((entry): readonly Referrer[] => {
      const row = statements.find.get(entry.id, stored.id)
      const referrer = row && referrerOfRow(stored, row)
      return referrer === null ? [] : [referrer]
    })
    const last = entries.at(-1)
    const isLast = last === undefined || entries.length < limit
    return { found, next: isLast ? null : { createdAt: last.created_at, id: last.id } }
  },
  async mark(deletionId, ids, level) {
    rows.forgetAll()
    statements.mark(deletionId, level, null, JSON.stringify(ids))
  },
  async markCleared(deletionId, id, fields) {
    rows.forgetAll()
    statements.mark(deletionId, null, JSON.stringify(fields), JSON.stringify([id]))
  },
  async ofLevel(deletionId, level, { after, limit }) {
    return statements.ofLevel.all(deletionId, stored.id, level, after, limit).map(({ id }) => id)
  },
  async unmark(deletionId, limit) {
    rows.forgetAll()
    return statements.unmark(deletionId, stored.id, limit)
  },
  async remaining(deletionId, limit) {
    return statements.marked.all(deletionId, stored.id, limit).map((row) => {
      const shown = recordOfRow(stored, row)
      return { record: shown ?? storedRecordOf(stored, row), isDeleted: shown === null }
    })
  },
  async obstructing(record, next) {
    const unique = storedFormOf(stored, record, next).keys.filter(({ isUnique }) => isUnique)
    return unique.flatMap(({ index, key }) =>
      statements.withKey.all(index.id, key).flatMap(({ record_id }) => {
        const row = statements.find.get(record_id, stored.id)
        return row !== null && isDeleted(stored, row) ? [storedRecordOf(stored, row)] : []
      }),
    )
  },
})

export const createDeletionRepository = (connection: Connection, parts: Parts): DeletionRepository => {
  const statements = prepareStatements(connection)
  const insert = prepareInsert(connection, deletions)
  const update = prepareUpdate(connection, deletions)
  const remove = prepareChange(connection, 'DELETE FROM deletions WHERE id = ?')
  const known = new WeakMap<StoredCollection, MarkedRecords>()
  return {
    ...createDeletionReader(connection),
    insert: async (deletion) => insert(deletion),
    update: async (deletion) => update(deletion),
    async delete(id) {
      remove(id)
    },
    recordsOf(stored) {
      const records = known.get(stored) ?? recordsIn(statements, parts, stored)
      known.set(stored, records)
      return records
    },
  }
}
