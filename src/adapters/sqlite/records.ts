import type { RecordReader, RecordRepository } from '../../application/ports/persistence.ts'
import type { Row, Stored } from '../sql/entity.ts'
import type { RecordTable } from '../sql/record-table.ts'
import { deleteById, insertInto, updateById } from '../sql/statements.ts'
import { runAtOnce } from '../sql/step-queue.ts'
import type { UsageCounter } from '../sql/usage.ts'
import type { Connection } from './database.ts'
import type { PresentEpoch } from './epochs.ts'
import { createRecordList } from './record-list.ts'
import type { RecordText } from './record-text.ts'
import { withoutCache } from './row-cache.ts'

export const createRecordReader = (
  connection: Connection,
  table: RecordTable,
  cacheLookUp = withoutCache,
  runStep = runAtOnce,
): RecordReader => {
  const byId = connection.prepare<Row, [number]>(`SELECT * FROM ${table.name} WHERE id = ?`)
  const recordOf = cacheLookUp((id) => byId.get(id), table.fromRow)
  return {
    findById: async (id) => recordOf(id),
    list: createRecordList(connection, table, runStep),
  }
}

/** Shared by the repositories of one connection. */
export interface RecordParts {
  readonly texts: RecordText | null
  readonly epoch: PresentEpoch
  readonly usage: UsageCounter
}

export const createRecordRepository = (
  connection: Connection,
  table: RecordTable,
  { texts, epoch: present, usage }: RecordParts,
): RecordRepository => {
  const { name, fields, valuesOf, fromRow, textOf, bytesOf, bytesSql } = table
  // RETURNING would open a statement journal, which costs more than the row.
  const insert = connection.prepare<unknown, Stored[]>(
    insertInto(name, ['owner_id', ...fields, 'version', 'epoch', 'created_at', 'updated_at']),
  )
  const update = connection.prepare<unknown, Stored[]>(updateById(name, [...fields, 'version', 'epoch', 'updated_at']))
  const remove = connection.prepare<unknown, [number]>(deleteById(name))
  const taken = connection.prepare<{ owner_id: number; bytes: number }, [number]>(
    `SELECT owner_id, ${bytesSql} AS bytes FROM ${name} WHERE id = ?`,
  )
  const owned = connection.prepare<Row, [number, number]>(
    `DELETE FROM ${name} WHERE id IN (SELECT id FROM ${name} WHERE owner_id = ? LIMIT +?) RETURNING *`,
  )

  const subtractUsage = (id: number): void => {
    const row = taken.get(id)
    if (row !== null) usage.add(row.owner_id, -row.bytes)
  }

  return {
    ...createRecordReader(connection, table),
    async insert(record) {
      const { ownerId, version, createdAt, updatedAt } = record
      const epoch = present.current
      const values = valuesOf(record)
      const { lastInsertRowid } = insert.run(ownerId, ...values, version, epoch, createdAt, updatedAt)
      const id = Number(lastInsertRowid)
      texts?.add({ id, ownerId, text: textOf(record) })
      usage.add(ownerId, bytesOf(values))
      return { id, ...record, epoch }
    },
    async update(record) {
      const { id, ownerId, version, updatedAt } = record
      const epoch = present.current
      const values = valuesOf(record)
      subtractUsage(id)
      const { changes } = update.run(...values, version, epoch, updatedAt, id)
      if (changes !== 1) throw new Error('UPDATE met no row')
      texts?.put({ id, ownerId, text: textOf(record) })
      usage.add(ownerId, bytesOf(values))
      return { ...record, epoch }
    },
    async delete(id) {
      subtractUsage(id)
      remove.run(id)
      texts?.remove(id)
    },
    async deleteOwned(ownerId, limit) {
      const gone = owned.all(ownerId, limit).map(fromRow)
      for (const record of gone) {
        texts?.remove(record.id)
        usage.add(ownerId, -bytesOf(valuesOf(record)))
      }
      return gone
    },
  }
}
