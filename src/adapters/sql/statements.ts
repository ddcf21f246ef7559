import type { Entity } from './entity.ts'

/** The nth parameter of a statement. */
export type Placeholder = (n: number) => string

/** Parameters in SQLite's syntax. */
const sqlitePlaceholder: Placeholder = () => '?'

/** Parameters in Postgres' syntax. */
export const postgresPlaceholder: Placeholder = (n) => `$${n}`

export const insertInto = (table: string, columns: readonly string[], placeholder = sqlitePlaceholder): string =>
  `INSERT INTO ${table} (${columns.join(', ')}) VALUES (${columns.map((_, n) => placeholder(n + 1)).join(', ')})`

/** Replaces the row that has the same key. */
export const upsertInto = (
  { name, inserted, key }: Pick<Entity<unknown>, 'name' | 'inserted' | 'key'>,
  placeholder = sqlitePlaceholder,
): string => {
  const set = inserted.filter((column) => !key.includes(column)).map((column) => `${column} = excluded.${column}`)
  return `${insertInto(name, inserted, placeholder)} ON CONFLICT (${key.join(', ')}) DO UPDATE SET ${set.join(', ')}`
}

/** The id is the last parameter. */
export const updateById = (table: string, columns: readonly string[], placeholder = sqlitePlaceholder): string =>
  `UPDATE ${table} SET ${columns.map((column, n) => `${column} = ${placeholder(n + 1)}`).join(', ')}
   WHERE id = ${placeholder(columns.length + 1)}`

export const deleteById = (table: string, placeholder = sqlitePlaceholder): string =>
  `DELETE FROM ${table} WHERE id = ${placeholder(1)}`
