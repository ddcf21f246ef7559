import { type Collection, isNullable, sortsOf, typeOf } from '../../domain/collection.ts'
import { COLLECTIONS } from '../../domain/collections/index.ts'
import type { Json } from '../../domain/merge-patch.ts'
import type { NewRecord, StoredRecord } from '../../domain/record.ts'
import { columnTypeOf, decoderOf, encoderOf, type Readable, type Stored, type Table } from './entity.ts'

/** How the records of a collection are stored in a table. */
export interface RecordTable extends Readable<StoredRecord>, Table {
  readonly collection: Collection
  /** In the order of {@link RecordTable.valuesOf}. */
  readonly fields: readonly string[]
  /** Columns by which lists are sorted. */
  readonly sorts: readonly string[]
  valuesOf(record: NewRecord | StoredRecord): readonly Stored[]
  /** The text of the searched fields. */
  textOf(record: Readonly<Record<string, unknown>>): string
  /** Bytes of stored values that count towards a quota. */
  bytesOf(values: readonly Stored[]): number
  /** The same for an existing row, as SQL for both engines. */
  readonly bytesSql: string
}

const PROPERTY_TYPES = {
  string: 'text',
  integer: 'integer',
  number: 'number',
  boolean: 'boolean',
  object: 'json',
  array: 'json',
} as const

/**
 * What a row counts in addition to its text: its other columns and index entries. Migration 0007 uses the same numbers
 * for existing rows.
 */
const OVERHEAD_BYTES = 512

/** A record counts twice, because its deletion adds it to the log once more; so deleting always frees bytes. */
const COPIES_PER_RECORD = 2

const describe = (collection: Collection): RecordTable => {
  const schemas = Object.entries(collection.fields)
  const properties = schemas.map(([field, schema]) => {
    const type = PROPERTY_TYPES[typeOf(schema)]
    return { field, type, encode: encoderOf(type), decode: decoderOf(type) }
  })
  const texts = properties.filter(({ type }) => columnTypeOf(type) === 'text').map(({ field }) => field)
  return {
    collection,
    name: collection.name,
    key: ['id'],
    fields: properties.map(({ field }) => field),
    columns: {
      id: 'integer',
      owner_id: 'integer',
      ...Object.fromEntries(properties.map(({ field, type }) => [field, columnTypeOf(type)])),
      version: 'integer',
      epoch: 'text',
      created_at: 'integer',
      updated_at: 'integer',
    },
    sorts: sortsOf(collection),
    valuesOf: (record) => properties.map(({ field, encode }) => encode(record[field])),
    fromRow(row) {
      const record: Record<string, Json> = {}
      for (const { field, decode } of properties) record[field] = decode(row[field])
      return Object.assign(record, {
        id: Number(row.id),
        ownerId: row.owner_id === null ? null : Number(row.owner_id),
        version: Number(row.version),
        epoch: String(row.epoch),
        createdAt: Number(row.created_at),
        updatedAt: Number(row.updated_at),
      })
    },
    textOf: (record) => collection.search.map((field) => record[field] ?? '').join('\n'),
    bytesOf(values) {
      let bytes = 0
      for (const value of values) if (typeof value === 'string') bytes += Buffer.byteLength(value)
      return OVERHEAD_BYTES + COPIES_PER_RECORD * bytes
    },
    bytesSql: `(${OVERHEAD_BYTES} + ${COPIES_PER_RECORD} * (${['0', ...texts.map((field) => `coalesce(octet_length(${field}), 0)`)].join(' + ')}))`,
  }
}

export const RECORD_TABLES: readonly RecordTable[] = COLLECTIONS.map(describe)

/** SQL of {@link RecordTable.textOf}; `newline` is how the engine writes one. */
export const searchedText = ({ collection }: RecordTable, newline: string): string =>
  collection.search
    .map((field) => {
      const schema = collection.fields[field]
      return schema !== undefined && isNullable(schema) ? `coalesce(${field}, '')` : field
    })
    .join(` || ${newline} || `) || "''"

/** One per collection, created at first use. Throws for an unregistered name. */
export const byCollection = <T>(make: (table: RecordTable) => T): ((name: string) => T) => {
  const made = new Map<string, T>()
  return (name) => {
    const known = made.get(name)
    if (known !== undefined) return known
    const table = RECORD_TABLES.find((each) => each.name === name)
    if (table === undefined) throw new Error(`there is no collection ${name}`)
    const one = make(table)
    made.set(name, one)
    return one
  }
}
