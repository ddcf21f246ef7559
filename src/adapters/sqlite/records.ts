import type { RecordReader, RecordRepository } from '../../application/ports/records.ts'
import type { StoredRecord } from '../../domain/record.ts'
import type { Row, Stored } from '../sql/entity.ts'
import type { QueryDatabase } from '../sql/record-source.ts'
import type { RecordTable } from '../sql/record-table.ts'
import { deleteById, insertInto, updateById } from '../sql/statements.ts'
import { type RunStep, runAtOnce } from '../sql/step-queue.ts'
import { oneByOne } from '../sql/stored-records.ts'
import type { UsageCounter } from '../sql/usage.ts'
import type { Connection } from './database.ts'
import type { PresentEpoch } from './epochs.ts'
import type { RecordCounts } from './record-counts.ts'
import { createRecordList } from './record-list.ts'
import type { RecordText } from './record-text.ts'
import { type CacheCount, type CacheLookUp, withoutCache, withoutCountCache } from './row-cache.ts'

interface ReaderParts {
  readonly database: QueryDatabase
  readonly cacheLookUp?: CacheLookUp
  readonly cacheCount?: CacheCount
  readonly runStep?: RunStep
}

export const createRecordReader = (
  connection: Connection,
  table: RecordTable,
  { database, cacheLookUp = withoutCache, cacheCount = withoutCountCache, runStep = runAtOnce }: ReaderParts,
): RecordReader => {
  const byId = connection.prepare<Row, [number]>(`SELECT * FROM ${table.name} WHERE id = ?`)
  const byIds = connection.prepare<Row, [string]>(
    `SELECT * FROM ${table.name} WHERE id IN (SELECT value FROM json_each(?))`,
  )
  const following = connection.prepare<Row, [number, number]>(
    `SELECT * FROM ${table.name} WHERE id > ? ORDER BY id LIMIT +?`,
  )
  const recordOf = cacheLookUp((id) => byId.get(id), table.fromRow)
  return {
    findById: recordOf,
    list: createRecordList(connection, table, { database, runStep, cacheCount }),
    findAll: async (ids) => byIds.all(JSON.stringify(ids)).map(table.fromRow),
    requireUnmarked() {},
    async chunk({ after, maxCount, maxBytes }) {
      const records: StoredRecord[] = []
      let bytes = 0
      for (const row of following.iterate(after, maxCount)) {
        const record = table.fromRow(row)
        records.push(record)
        bytes += table.bytesOf(table.valuesOf(record))
        if (bytes >= maxBytes) return { records, complete: false }
      }
      return { records, complete: records.length < maxCount }
    },
  }
}

/** Shared by the repositories of one connection. */
export interface RecordParts {
  readonly texts: RecordText | null
  readonly epoch: PresentEpoch
  readonly usage: UsageCounter
  readonly counts: RecordCounts
  readonly database: QueryDatabase
}

export const createRecordRepository = (
  connection: Connection,
  table: RecordTable,
  { texts, epoch: present, usage, counts, database }: RecordParts,
): RecordRepository => {
  const { name, fields, valuesOf, fromRow, textOf, bytesOf, bytesSql } = table
  // RETURNING would open a statement journal, which costs more than the row.
  const insert = connection.prepare<unknown, Stored[]>(
    insertInto(name, ['id', 'owner_id', ...fields, 'version', 'epoch', 'created_at', 'updated_at']),
  )
  const update = connection.prepare<unknown, Stored[]>(updateById(name, [...fields, 'version', 'epoch', 'updated_at']))
  const remove = connection.prepare<unknown, [number]>(deleteById(name))
  const taken = connection.prepare<{ owner_id: number | null; bytes: number }, [number]>(
    `SELECT owner_id, ${bytesSql} AS bytes FROM ${name} WHERE id = ?`,
  )
  const owned = connection.prepare<Row, [number, number]>(
    `DELETE FROM ${name} WHERE id IN (SELECT id FROM ${name} WHERE owner_id = ? LIMIT +?) RETURNING *`,
  )
  const release = connection.prepare<Row, [number, string, number, number]>(
    `UPDATE ${name} SET owner_id = NULL, version = version + 1, updated_at = ?, epoch = ?
     WHERE id IN (SELECT id FROM ${name} WHERE owner_id = ? LIMIT +?) RETURNING *`,
  )
  const notReferencing = () => new Error(`${name} has no indexes of references`)

  const subtractUsage = (id: number): void => {
    const row = taken.get(id)
    if (row !== null) usage.add(row.owner_id, -row.bytes)
  }

  const insertOne: RecordRepository['insert'] = async (record) => {
    const { ownerId, version, createdAt, updatedAt } = record
    const epoch = present.current
    const values = valuesOf(record)
    const { lastInsertRowid } = insert.run(record.id ?? null, ownerId, ...values, version, epoch, createdAt, updatedAt)
    const id = Number(lastInsertRowid)
    const text = { id, ownerId, text: textOf(record) }
    if (record.id === undefined) texts?.add(text)
    else texts?.put(text)
    usage.add(ownerId, bytesOf(values))
    counts.add(name, 1)
    return { ...record, id, epoch }
  }

  return {
    ...createRecordReader(connection, table, { database }),
    insert: insertOne,
    insertAll: oneByOne(insertOne),
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
      counts.add(name, -remove.run(id).changes)
      texts?.remove(id)
    },
    async deleteOwned(ownerId, limit) {
      const gone = owned.all(ownerId, limit).map(fromRow)
      for (const record of gone) {
        texts?.remove(record.id)
        usage.add(ownerId, -bytesOf(valuesOf(record)))
      }
      counts.add(name, -gone.length)
      return gone
    },
    async releaseOwned(ownerId, limit, now) {
      const released = release.all(now, present.current, ownerId, limit).map(fromRow)
      for (const record of released) {
        texts?.put({ id: record.id, ownerId: null, text: textOf(record) })
        usage.add(ownerId, -bytesOf(valuesOf(record)))
      }
      return released
    },
    async referencing() {
      throw notReferencing()
    },
    async prepare() {
      throw new Error(`${name} has no pending definition`)
    },
  }
}
