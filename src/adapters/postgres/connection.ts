export type Parameter = string | number | boolean | Uint8Array | null

/** Rows, and the number of rows read or changed. */
export type QueryResult<Row> = readonly Row[] & { readonly count: number }

export type Query = <Row = unknown>(sql: string, ...parameters: readonly Parameter[]) => Promise<QueryResult<Row>>

/**
 * The lock of a look-up of one row. A unit of work locks the rows it authorizes by: nobody else can change or remove
 * them before the transaction ends, and another unit that looks them up waits, and then sees the result.
 */
export type Lock = '' | 'FOR NO KEY UPDATE'

/** Where statements run: on any connection of the pool, or inside one transaction. */
export interface Connection {
  /** For statements that only read, or take no lock that others wait for. */
  readonly read: Query
  /** A read that ends with `lock`. */
  lookUp<Row>(lock: Lock, sql: string, ...parameters: readonly Parameter[]): Promise<QueryResult<Row>>
}

/**
 * A transaction as seen by one unit of work. The method used for a statement declares its effect, which decides whether
 * a failure of the unit must be rolled back, and whether other units may share the transaction. Results need not be
 * awaited: a failed statement fails the transaction at the latest at COMMIT.
 */
export interface Transaction extends Connection {
  /** Locks rows that others may wait for; has nothing to roll back. */
  readonly lock: Query
  /**
   * Reads the rows that `sql` selects by their ids, its first parameter, and locks them against changes; other units may
   * lock them likewise.
   */
  share<Row>(sql: string, ids: readonly number[], ...parameters: readonly number[]): Promise<QueryResult<Row>>
  /** Whether the unit may wait for locks. If not, it tries to get them, and otherwise throws {@link Transaction.postpone}. */
  mayWait(): boolean
  /** The error to throw so that the unit runs again, in a separate transaction. */
  postpone(): Error
  /** Inserts rows, which nobody waits for. */
  readonly insert: Query
  /** Inserts rows with unique keys: only those wait who insert an equal one. */
  readonly insertUnique: Query
  /** Changes or removes rows, which others may wait for. */
  readonly change: Query
}

export const ROW_LOCK: Lock = 'FOR NO KEY UPDATE'

/** `bigint` as it arrives: Skep's values always fit into a number. */
export type Int8 = string

export const int = (value: Int8): number => Number(value)

export const intOrNull = (value: Int8 | null): number | null => (value === null ? null : Number(value))

/** The row that an INSERT … RETURNING gives back. */
export const insertedRow = <Row>([row]: readonly Row[]): Row => {
  if (row === undefined) throw new Error('the statement returned no row')
  return row
}

const quoted = (text: string): string => `"${text.replace(/["\\]/g, '\\$&')}"`

/** An array as Postgres reads it. No text may contain NUL. */
export const textArray = (texts: readonly (string | null)[]): string =>
  `{${texts.map((text) => (text === null ? 'NULL' : quoted(text))).join()}}`

export const numberArray = (numbers: readonly (number | null)[]): string =>
  `{${numbers.map((number) => number ?? 'NULL').join()}}`

/** An array of bytes as Postgres reads it. */
export const bytesArray = (all: readonly Uint8Array[]): string =>
  `{${all.map((bytes) => `"\\\\x${bytes.toHex()}"`).join()}}`
