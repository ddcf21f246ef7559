/** What a column holds, on every engine. */
export type Kind = 'integer' | 'number' | 'text' | 'boolean' | 'bytes'
