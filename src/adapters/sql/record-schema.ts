import { isNullable } from '../../domain/collection.ts'
import type { ColumnType } from './column-types.ts'
import type { Migration } from './migrations.ts'
import { RECORD_TABLES, type RecordTable } from './record-table.ts'

/** How an engine defines the tables of records. */
export interface Dialect {
  readonly types: Readonly<Record<ColumnType, string>>
  /** The definition of the id column. */
  readonly id: string
  /** SQL after the columns. */
  readonly end: string
  /** The value for existing rows when the column is added. */
  readonly defaults: Readonly<Record<ColumnType, string>>
  /** Columns, tables and indexes of the text index. */
  readonly words: (table: string) => {
    readonly columns: Readonly<Record<string, string>>
    readonly others: Readonly<Record<string, string>>
  }
}

/** One table, index or column, by the name that {@link missingParts} looks for: `table`, `index` or `table.column`. */
interface Part {
  readonly name: string
  readonly sql: string
}

const columnsOf = ({ collection, columns }: RecordTable, dialect: Dialect): Readonly<Record<string, string>> => {
  const { id, types } = dialect
  const definitionOf = (name: string, type: ColumnType): string => {
    if (name === 'id') return id
    const field = collection.fields[name]
    return `${types[type]}${field !== undefined && isNullable(field) ? '' : ' NOT NULL'}`
  }
  return Object.fromEntries(Object.entries(columns).map(([name, type]) => [name, definitionOf(name, type)]))
}

const indexesOf = ({ name, sorts }: RecordTable): readonly Part[] =>
  sorts.flatMap((sort) => [
    { name: `${name}_by_${sort}`, sql: `CREATE INDEX ${name}_by_${sort} ON ${name} (${sort}, id)` },
    {
      name: `${name}_by_owner_${sort}`,
      sql: `CREATE INDEX ${name}_by_owner_${sort} ON ${name} (owner_id, ${sort}, id)`,
    },
  ])

const partsOf = (table: RecordTable, dialect: Dialect, exists: boolean): readonly Part[] => {
  const { name } = table
  const words = table.collection.search.length === 0 ? { columns: {}, others: {} } : dialect.words(name)
  const columns = { ...columnsOf(table, dialect), ...words.columns }
  const list = Object.entries(columns).map(([column, definition]) => `${column} ${definition}`)
  const added = Object.entries(columns).map(([column, definition]) => {
    const type = table.columns[column]
    const fallback = type === undefined || !definition.endsWith('NOT NULL') ? '' : ` DEFAULT ${dialect.defaults[type]}`
    return { name: `${name}.${column}`, sql: `ALTER TABLE ${name} ADD COLUMN ${column} ${definition}${fallback}` }
  })
  return [
    ...(exists ? added : [{ name, sql: `CREATE TABLE ${name} (${list.join(', ')})${dialect.end}` }]),
    ...indexesOf(table),
    ...Object.entries(words.others).map(([part, sql]) => ({ name: part, sql })),
  ]
}

/**
 * The parts that the tables of registered collections lack, as one migration per collection: a new collection gets its
 * table, a new field its column. `existing` are the names of tables and indexes, and of columns as `table.column`.
 */
const missingParts = (existing: ReadonlySet<string>, dialect: Dialect): readonly Migration[] =>
  RECORD_TABLES.flatMap((table) => {
    const missing = partsOf(table, dialect, existing.has(table.name)).filter(({ name }) => !existing.has(name))
    return missing.length === 0 ? [] : [{ name: table.name, sql: missing.map(({ sql }) => `${sql};`).join('\n') }]
  })

/**
 * The parts that `pending` migrations leave to be created. As long as there are any, only tables that none of them
 * creates are certain; migration 0003 creates the one of items.
 */
export const partsAfter = (
  pending: readonly Migration[],
  existing: ReadonlySet<string>,
  dialect: Dialect,
): readonly Migration[] => {
  const missing = missingParts(existing, dialect)
  if (pending.length === 0) return missing
  const created = new Set(
    pending.flatMap(({ sql }) => [...sql.matchAll(/CREATE TABLE (\w+)/g)].map(([, name]) => name)),
  )
  return missing.filter(({ name }) => !existing.has(name) && !created.has(name))
}
