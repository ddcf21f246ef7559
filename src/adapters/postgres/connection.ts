export type Parameter = string | number | boolean | Uint8Array | null

/** Rows, and how many were read or changed. */
export type Answer<Row> = readonly Row[] & { readonly count: number }

/** Where statements run: on any connection of the pool, or inside one transaction. */
export interface Connection {
  query<Row = unknown>(sql: string, ...parameters: readonly Parameter[]): Promise<Answer<Row>>
}

export interface Transaction extends Connection {
  /** Sends a statement whose answer nobody waits for. What goes wrong with it fails the transaction at the latest. */
  send(sql: string, ...parameters: readonly Parameter[]): void
}

/**
 * What a look-up of one row does with the row. A unit of work holds what it judges by: nobody else changes or removes it
 * before the transaction ends, and who looks it up to do so waits, and then sees what became of it.
 */
export type Lock = '' | 'FOR NO KEY UPDATE'

export const HOLD: Lock = 'FOR NO KEY UPDATE'

/** `bigint` as it arrives: more than a number could hold in general, not with our values. */
export type Int8 = string

export const int = (value: Int8): number => Number(value)

export const intOrNull = (value: Int8 | null): number | null => (value === null ? null : Number(value))

/** The row that an INSERT … RETURNING gives back. */
export const only = <Row>([row]: readonly Row[]): Row => {
  if (row === undefined) throw new Error('the statement returned no row')
  return row
}
