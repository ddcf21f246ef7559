/** The type of a column, on every engine. */
export type ColumnType = 'integer' | 'number' | 'text' | 'boolean' | 'bytes'
