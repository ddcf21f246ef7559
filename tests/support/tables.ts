import { TABLES } from '../../src/adapters/sql/tables.ts'

/** The columns of each table that `skep copy` knows, sorted. */
export const COLUMNS: Record<string, string[]> = Object.fromEntries(
  Object.entries(TABLES).map(([name, { columns }]) => [name, Object.keys(columns).sort()]),
)

/** The same of what a database says of itself. */
export const columnsByTable = (rows: readonly { readonly table: string; readonly column: string }[]) => {
  const found: Record<string, string[]> = {}
  for (const { table, column } of rows) found[table] = [...(found[table] ?? []), column].sort()
  return found
}
