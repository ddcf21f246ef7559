import type { ColumnType } from '../sql/column-types.ts'

/** The types of columns and parameters in SQL. */
export const COLUMN_TYPES: Readonly<Record<ColumnType, string>> = {
  integer: 'bigint',
  number: 'double precision',
  text: 'text',
  boolean: 'boolean',
  bytes: 'bytea',
}
