export type Parameter = string | number | boolean | Uint8Array | null

/** Rows, and how many were read or changed. */
export type Answer<Row> = readonly Row[] & { readonly count: number }

export type Query = <Row = unknown>(sql: string, ...parameters: readonly Parameter[]) => Promise<Answer<Row>>

/**
 * What a look-up of one row does with the row. A unit of work locks what it authorizes by: nobody else changes or removes
 * it before the transaction ends, and who looks it up to do so waits, and then sees what became of it.
 */
export type Lock = '' | 'FOR NO KEY UPDATE'

/** Where statements run: on any connection of the pool, or inside one transaction. */
export interface Connection {
  /** For what only reads, or locks nothing that others wait for. */
  readonly read: Query
  /** A read that ends with `lock`. */
  lookUp<Row>(lock: Lock, sql: string, ...parameters: readonly Parameter[]): Promise<Answer<Row>>
}

/**
 * A transaction as one unit of work has it. What a statement does follows from the method it is called by: it decides
 * what a failure of the unit must undo, and whether other units may share the transaction. Answers need not be waited
 * for: a failed statement fails the transaction at the latest.
 */
export interface Transaction extends Connection {
  /** Locks rows that others may wait for; there is nothing to undo. */
  readonly lock: Query
  /** Adds rows without waiting for the answer. */
  readonly insert: Query
  /** Changes or removes rows, for which others may wait. */
  readonly change: Query
}

export const ROW_LOCK: Lock = 'FOR NO KEY UPDATE'

/** `bigint` as it arrives. In general it exceeds what a number can represent; our values do not. */
export type Int8 = string

export const int = (value: Int8): number => Number(value)

export const intOrNull = (value: Int8 | null): number | null => (value === null ? null : Number(value))

/** The row that an INSERT … RETURNING gives back. */
export const insertedRow = <Row>([row]: readonly Row[]): Row => {
  if (row === undefined) throw new Error('the statement returned no row')
  return row
}
