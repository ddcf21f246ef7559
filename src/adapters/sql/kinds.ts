/** The type of a column, on every engine. */
export type Kind = 'integer' | 'number' | 'text' | 'boolean' | 'bytes'
