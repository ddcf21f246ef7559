/** The reason phrase of a status. Loaded at first use, because `node:http` would make every start longer. */
export const statusPhrase = (status: number | string): string | undefined =>
  (require('node:http') as typeof import('node:http')).STATUS_CODES[status]
