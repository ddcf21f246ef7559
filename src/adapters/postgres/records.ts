import type { RecordReader, RecordRepository } from '../../application/ports/records.ts'
import type { Row } from '../sql/entity.ts'
import type { QueryDatabase } from '../sql/record-source.ts'
import type { RecordTable } from '../sql/record-table.ts'
import { type RunStep, runAtOnce } from '../sql/step-queue.ts'
import { oneByOne } from '../sql/stored-records.ts'
import { ownerTerm } from '../sql/terms.ts'
import type { UsageCounter } from '../sql/usage.ts'
import { COLUMN_TYPES } from './column-types.ts'
import {
  type Connection,
  type Int8,
  insertedRow,
  int,
  intOrNull,
  type Lock,
  ROW_LOCK,
  type Transaction,
} from './connection.ts'
import type { PresentEpoch } from './epochs.ts'
import { conflictIfIdTaken } from './errors.ts'
import { lookUpIn } from './look-up.ts'
import { columnsOf, createRecordList } from './record-list.ts'
import { bucketsOf, vectorOf } from './words.ts'

/** Where the records of a table are read. */
interface ReaderContext {
  readonly database: QueryDatabase
  readonly runStep: RunStep
}

export const createRecordReader = (
  connection: Connection,
  table: RecordTable,
  { database, runStep }: ReaderContext,
  lock: Lock = '',
): RecordReader => {
  const { name, bytesSql, fromRow } = table
  const columns = columnsOf(table)
  // Few units of work list records.
  let list: RecordReader['list'] | null = null
  const findAll = async (ids: readonly number[]) => {
    const rows = await connection.read<Row>(allOf(table), `{${ids.join()}}`)
    return rows.map(fromRow)
  }
  return {
    findById: lookUpIn(connection, table, lock, columns),
    list(query) {
      list ??= createRecordList(connection, table, database, runStep)
      return list(query)
    },
    findAll,
    requireUnmarked() {},
    async chunk({ after, maxCount, maxBytes }) {
      const rows = await connection.read<Row & { readonly found: Int8 }>(
        `SELECT ${columns}, found FROM (
           SELECT *, count(*) OVER () AS found, sum(size) OVER (ORDER BY id) - size AS before
           FROM (SELECT *, ${bytesSql} AS size FROM ${name} WHERE id > $1 ORDER BY id LIMIT $2) next
         ) measured WHERE before < $3 ORDER BY id`,
        after,
        maxCount,
        maxBytes,
      )
      const isCut = rows.length === maxCount || rows.length < int(rows[0]?.found ?? '0')
      return { records: rows.map(fromRow), complete: !isCut }
    },
  }
}

const allOf = (table: RecordTable): string =>
  `SELECT ${columnsOf(table)} FROM ${table.name} WHERE id = ANY ($1::bigint[])`

/** Statements of one table, whose parameters begin with the fields in their order. */
interface Statements {
  readonly insert: string
  readonly update: string
  readonly remove: string
  readonly removeOwned: string
  readonly releaseOwned: string
}

const statementsOf = (table: RecordTable): Statements => {
  const { name, fields, columns, collection, bytesSql } = table
  const isSearched = collection.search.length > 0
  const typed = fields.map((field, n) => `$${n + 1}::${COLUMN_TYPES[columns[field] ?? 'text']}`)
  const at = (n: number) => `$${fields.length + n}`
  const set = fields.map((field, n) => `${field} = $${n + 1}`)
  return {
    // fields, owner, version, epoch, created, updated, id, words
    insert: `INSERT INTO ${name} (id, ${[...fields, 'owner_id', 'version', 'epoch', 'created_at', 'updated_at', ...(isSearched ? ['words', 'words_version'] : [])].join(', ')})
       SELECT id, ${[...typed, `${at(1)}::bigint`, `${at(2)}::integer`, `${at(3)}::text`, `${at(4)}::bigint`, `${at(5)}::bigint`].join(', ')}
         ${isSearched ? `, ${at(7)}::tsvector || ${bucketsOf('id')}, ${at(2)}::integer` : ''}
       FROM (SELECT coalesce(${at(6)}::bigint, nextval('${name}_id_seq')) AS id) AS given
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
    // owner, limit, epoch, now, term of the owner, term of nobody
    releaseOwned: `UPDATE ${name} SET owner_id = NULL, version = version + 1, epoch = $3, updated_at = $4
         ${isSearched ? ', words = ts_delete(words, $5::text) || array_to_tsvector(ARRAY[$6::text])' : ''}
         ${isSearched ? ', words_version = CASE WHEN words_version = version THEN version + 1 END' : ''}
       WHERE id = ANY (ARRAY(SELECT id FROM ${name} WHERE owner_id = $1 ORDER BY id LIMIT $2 FOR NO KEY UPDATE))
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

/** Shared by the repositories of one unit. */
export interface UnitContext {
  readonly database: QueryDatabase
  readonly epoch: PresentEpoch
  readonly usage: UsageCounter
}

export const createRecordRepository = (
  connection: Transaction,
  table: RecordTable,
  { database, epoch: present, usage }: UnitContext,
): RecordRepository => {
  const { valuesOf, fromRow, textOf, bytesOf, collection } = table
  const statements = rememberedStatements(table)
  const wordsOf = (ownerId: number | null, text: string) =>
    collection.search.length === 0 ? [] : [vectorOf({ ownerId, text })]
  // Other units may rely on the same records, as when they are referenced.
  const share = async (ids: readonly number[]) => (await connection.share<Row>(allOf(table), ids)).map(fromRow)
  const insertOne: RecordRepository['insert'] = async (record) => {
    const { ownerId, version, createdAt, updatedAt } = record
    const epoch = present.current
    const values = valuesOf(record)
    const insert = record.id === undefined ? connection.insert : connection.insertUnique
    const inserting = insert<{ id: Int8 }>(
      statements.insert,
      ...[...values, ownerId, version, epoch, createdAt, updatedAt, record.id ?? null],
      ...wordsOf(ownerId, textOf(record)),
    )
    const inserted = await inserting.catch((error: unknown) => Promise.reject(conflictIfIdTaken(table.name, error)))
    usage.add(ownerId, bytesOf(values))
    return { ...record, id: int(insertedRow(inserted).id), epoch }
  }

  return {
    ...createRecordReader(connection, table, { database, runStep: runAtOnce }, ROW_LOCK),
    findAll: share,
    insert: insertOne,
    insertAll: oneByOne(insertOne),
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
      const [gone] = await connection.change<{ owner_id: Int8 | null; bytes: Int8 }>(statements.remove, id)
      if (gone !== undefined) usage.add(intOrNull(gone.owner_id), -int(gone.bytes))
    },
    async deleteOwned(ownerId, limit) {
      const gone = (await connection.change<Row>(statements.removeOwned, ownerId, limit)).map(fromRow)
      for (const record of gone) usage.add(ownerId, -bytesOf(valuesOf(record)))
      return gone
    },
    async releaseOwned(ownerId, limit, now) {
      const terms = collection.search.length === 0 ? [] : [ownerTerm(ownerId), ownerTerm(null)]
      const rows = await connection.change<Row>(statements.releaseOwned, ownerId, limit, present.current, now, ...terms)
      const released = rows.map(fromRow)
      for (const record of released) usage.add(ownerId, -bytesOf(valuesOf(record)))
      return released
    },
    async referencing(field) {
      throw new Error(`${collection.name} has no index of its references by ${field}`)
    },
    async prepare() {
      throw new Error(`the definition of ${collection.name} cannot change`)
    },
  }
}
