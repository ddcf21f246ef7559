export interface Migration {
  readonly name: string
  readonly sql: string
}

/** The migrations of a database do not match this program. */
export class MigrationError extends Error {}

/** The checksum that identifies an applied migration. */
export const checksum = (sql: string): string => new Bun.CryptoHasher('sha256').update(sql).digest('hex')
