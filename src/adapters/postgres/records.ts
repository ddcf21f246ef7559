import type { RecordReader, RecordRepository } from '../../application/ports/persistence.ts'
import type { Row } from '../sql/entity.ts'
import type { RecordTable } from '../sql/record-table.ts'
import { runAtOnce } from '../sql/step-queue.ts'
import type { UsageCounter } from '../sql/usage.ts'
import { COLUMN_TYPES } from './column-types.ts'
import { type Connection, type Int8, insertedRow, int, type Lock, ROW_LOCK, type Transaction } from './connection.ts'
import type { PresentEpoch } from './epochs.ts'
import { lookUpIn } from './look-up.ts'
import { columnsOf, createRecordList } from './record-list.ts'
import { bucketsOf, vectorOf } from './words.ts'

export const createRecordReader = (
  connection: Connection,
  table: RecordTable,
  lock: Lock = '',
  runStep = runAtOnce,
): RecordReader => {
  return {
    findById: lookUpIn(connection, table, lock, columnsOf(table)),
    list: createRecordList(connection, table, runStep),
  }
}

/** Statements of one table, whose parameters begin with the fields in their order. */
interface Statements {
  readonly insert: string
  readonly update: string
  readonly remove: string
  readonly removeOwned: string
}

const statementsOf = (table: RecordTable): Statements => {
  const { name, fields, columns, collection, bytesSql } = table
  const isSearched = collection.search.length > 0
  const typed = fields.map((field, n) => `$${n + 1}::${COLUMN_TYPES[columns[field] ?? 'text']}`)
  const at = (n: number) => `$${fields.length + n}`
  const set = fields.map((field, n) => `${field} = $${n + 1}`)
  return {
    // fields, owner, version, epoch, created, updated, words
    insert: isSearched
      ? `INSERT INTO ${name} (id, ${[...fields, 'owner_id', 'version', 'epoch', 'created_at', 'updated_at', 'words', 'words_version'].join(', ')})
         SELECT id, ${[...typed, `${at(1)}::bigint`, `${at(2)}::integer`, `${at(3)}::text`, `${at(4)}::bigint`, `${at(5)}::bigint`].join(', ')},
           ${at(6)}::tsvector || ${bucketsOf('id')}, ${at(2)}::integer
         FROM (SELECT nextval('${name}_id_seq') AS id) AS given
         RETURNING id`
      : `INSERT INTO ${name} (${[...fields, 'owner_id', 'version', 'epoch', 'created_at', 'updated_at'].join(', ')})
         VALUES (${[...typed, at(1), at(2), at(3), at(4), at(5)].join(', ')})
         RETURNING id`,
    // fields, version, epoch, updated, id, words. The unit has locked the row, so its size is what the unit read.
    update: `UPDATE ${name} SET ${[...set, `version = ${at(1)}`, `epoch = ${at(2)}`, `updated_at = ${at(3)}`].join(', ')}
         ${isSearched ? `, words = ${at(5)}::tsvector || ${bucketsOf(`${name}.id`)}, words_version = ${at(1)}` : ''}
       FROM (SELECT ${bytesSql} AS bytes FROM ${name} WHERE id = ${at(4)} FOR NO KEY UPDATE) before WHERE id = ${at(4)}
       RETURNING before.bytes`,
    remove: `DELETE FROM ${name} WHERE id = $1 RETURNING owner_id, ${bytesSql} AS bytes`,
    // Locked before they are counted, so that a concurrent removal does not make the count too low.
    removeOwned: `DELETE FROM ${name} WHERE id = ANY (ARRAY(SELECT id FROM ${name} WHERE owner_id = $1 LIMIT $2 FOR UPDATE))
       RETURNING ${columnsOf(table)}`,
  }
}

const known = new Map<RecordTable, Statements>()

/** Created once per table, because each unit creates its repositories again. */
const rememberedStatements = (table: RecordTable): Statements => {
  const statements = known.get(table) ?? statementsOf(table)
  known.set(table, statements)
  return statements
}

export const createRecordRepository = (
  connection: Transaction,
  table: RecordTable,
  { epoch: present, usage }: { readonly epoch: PresentEpoch; readonly usage: UsageCounter },
): RecordRepository => {
  const { valuesOf, fromRow, textOf, bytesOf, collection } = table
  const statements = rememberedStatements(table)
  const wordsOf = (ownerId: number | null, text: string) =>
    collection.search.length === 0 ? [] : [vectorOf({ ownerId, text })]
  return {
    ...createRecordReader(connection, table, ROW_LOCK),
    async insert(record) {
      const { ownerId, version, createdAt, updatedAt } = record
      const epoch = present.current
      const values = valuesOf(record)
      const inserted = await connection.insert<{ id: Int8 }>(
        statements.insert,
        ...values,
        ownerId,
        version,
        epoch,
        createdAt,
        updatedAt,
        ...wordsOf(ownerId, textOf(record)),
      )
      usage.add(ownerId, bytesOf(values))
      return { id: int(insertedRow(inserted).id), ...record, epoch }
    },
    async update(record) {
      const { id, ownerId, version, updatedAt } = record
      const epoch = present.current
      const values = valuesOf(record)
      const [before] = await connection.change<{ bytes: Int8 }>(
        statements.update,
        ...values,
        version,
        epoch,
        updatedAt,
        id,
        ...wordsOf(ownerId, textOf(record)),
      )
      if (before === undefined) throw new Error('UPDATE met no row')
      usage.add(ownerId, bytesOf(values) - int(before.bytes))
      return { ...record, epoch }
    },
    async delete(id) {
      const [gone] = await connection.change<{ owner_id: Int8; bytes: Int8 }>(statements.remove, id)
      if (gone !== undefined) usage.add(int(gone.owner_id), -int(gone.bytes))
    },
    async deleteOwned(ownerId, limit) {
      const gone = (await connection.change<Row>(statements.removeOwned, ownerId, limit)).map(fromRow)
      for (const record of gone) usage.add(ownerId, -bytesOf(valuesOf(record)))
      return gone
    },
  }
}
