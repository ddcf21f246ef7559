export interface Migration {
  readonly name: string
  readonly sql: string
}

/** What a database says of its migrations does not fit this program. */
export class MigrationError extends Error {}

/** By which an applied migration is known again. */
export const checksum = (sql: string): string => new Bun.CryptoHasher('sha256').update(sql).digest('hex')
