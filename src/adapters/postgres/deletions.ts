import type { StoredCollection } from '../../application/ports/collections.ts'
import type { DeletionReader, DeletionRepository, MarkedRecords } from '../../application/ports/deletions.ts'
import { deletions } from '../sql/entities.ts'
import type { Row } from '../sql/entity.ts'
import { keyOf } from '../sql/record-keys.ts'
import { deleteById, postgresPlaceholder } from '../sql/statements.ts'
import { isDeleted, recordOfRow, referrerOfRow, storedFormOf, storedRecordOf } from '../sql/stored-records.ts'
import {
  bytesArray,
  type Connection,
  type Int8,
  int,
  type Lock,
  type Parameter,
  ROW_LOCK,
  type Transaction,
} from './connection.ts'
import { firstOf, inserterOf, updaterOf } from './rows.ts'
import { ALL, COLUMNS, REFERRERS } from './stored-record-statements.ts'
import type { LockedRows, StoredRow } from './stored-records.ts'

const insertDeletion = inserterOf(deletions)
const updateDeletion = updaterOf(deletions)

export const createDeletionReader = (connection: Connection, lock: Lock = ''): DeletionReader => ({
  find: (id) => firstOf(deletions, connection.lookUp<Row>(lock, 'SELECT * FROM deletions WHERE id = $1', id)),
  marking: (target, targetId) =>
    firstOf(
      deletions,
      connection.read<Row>(
        "SELECT * FROM deletions WHERE target = $1 AND target_id = $2 AND state = 'marking' LIMIT 1",
        target,
        targetId,
      ),
    ),
})

const MARK = `UPDATE records SET deletion_id = $1, deletion_level = $2, cleared = $3 WHERE id = ANY ($4::bigint[])`

const OF_LEVEL = `SELECT id FROM records
  WHERE deletion_id = $1 AND collection_id = $2 AND deletion_level = $3 AND id > $4 ORDER BY id LIMIT $5`

const UNMARK_SOME = `UPDATE records SET deletion_id = NULL, deletion_level = NULL, cleared = NULL
  WHERE id = ANY (ARRAY(SELECT id FROM records WHERE deletion_id = $1 AND collection_id = $2
    ORDER BY id LIMIT $3 FOR NO KEY UPDATE))`

const MARKED = `SELECT ${COLUMNS} FROM records WHERE deletion_id = $1 AND collection_id = $2 ORDER BY id LIMIT $3`

const WITH_KEYS = `SELECT ${COLUMNS} FROM records WHERE collection_id = $1 AND id IN (
    SELECT record_id FROM unnest($2::bigint[], $3::bytea[]) AS given (index_id, key) JOIN record_keys USING (index_id, key)
  ) ORDER BY id`

const recordsIn = (connection: Transaction, stored: StoredCollection, locked: LockedRows): MarkedRecords => {
  const mark = async (deletionId: number, level: number | null, cleared: string | null, ids: readonly number[]) => {
    for (const id of ids) locked.delete(id)
    await connection.change(MARK, deletionId, level, cleared, `{${ids.join()}}`)
  }
  /** In the order of their ids. */
  const lock = async (sql: string, ...values: readonly Parameter[]): Promise<readonly StoredRow[]> => {
    const rows = await connection.lock<StoredRow>(`${sql} ${ROW_LOCK}`, ...values)
    for (const row of rows) locked.set(int(row.id), row)
    return rows
  }

  return {
    async referrers(field, id, { after, limit }) {
      const index = stored.indexes.find(({ isReference, fields }) => isReference && fields[0] === field)
      if (index === undefined) throw new Error(`${field} is no reference`)
      const { createdAt = Number.MIN_SAFE_INTEGER, id: afterId = 0 } = after ?? {}
      const entries = await connection.read<{ id: Int8; created_at: Int8 }>(
        REFERRERS,
        ...[index.id, keyOf([id]), createdAt, afterId, limit],
      )
      const last = entries.at(-1)
      if (last === undefined) return { found: [], next: null }
      const rows = await lock(`${ALL} ORDER BY id`, `{${entries.map((entry) => entry.id).join()}}`, stored.id)
      const referring = rows.flatMap((row) => referrerOfRow(stored, row) ?? [])
      // Some may have changed before they were locked.
      const found = referring.filter(({ record, mark }) => {
        const value = record[field]
        return mark !== null || (Array.isArray(value) ? value.includes(id) : value === id)
      })
      return { found, next: entries.length < limit ? null : { createdAt: int(last.created_at), id: int(last.id) } }
    },
    mark: (deletionId, ids, level) => mark(deletionId, level, null, ids),
    markCleared: (deletionId, id, fields) => mark(deletionId, null, JSON.stringify(fields), [id]),
    async ofLevel(deletionId, level, { after, limit }) {
      const rows = await connection.read<{ id: Int8 }>(OF_LEVEL, deletionId, stored.id, level, after, limit)
      return rows.map(({ id }) => int(id))
    },
    unmark: async (deletionId, limit) => (await connection.change(UNMARK_SOME, deletionId, stored.id, limit)).count,
    async remaining(deletionId, limit) {
      return (await lock(MARKED, deletionId, stored.id, limit)).map((row) => {
        const shown = recordOfRow(stored, row)
        return { record: shown ?? storedRecordOf(stored, row), isDeleted: shown === null }
      })
    },
    async obstructing(record, next) {
      const unique = storedFormOf(stored, record, next).keys.filter(({ isUnique }) => isUnique)
      if (unique.length === 0) return []
      const ids = `{${unique.map(({ index }) => index.id).join()}}`
      const rows = await lock(WITH_KEYS, stored.id, ids, bytesArray(unique.map(({ key }) => key)))
      return rows.filter((row) => isDeleted(stored, row)).map((row) => storedRecordOf(stored, row))
    },
  }
}

export const createDeletionRepository = (connection: Transaction, locked: LockedRows): DeletionRepository => ({
  ...createDeletionReader(connection, ROW_LOCK),
  insert: (deletion) => insertDeletion(connection, deletion),
  update: (deletion) => updateDeletion(connection, deletion),
  async delete(id) {
    await connection.change(deleteById('deletions', postgresPlaceholder), id)
  },
  recordsOf: (stored) => recordsIn(connection, stored, locked),
})
