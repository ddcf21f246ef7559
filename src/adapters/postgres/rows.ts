import type { Entity, Readable, Row } from '../sql/entity.ts'
import { insertInto, postgresPlaceholder, updateById, upsertInto } from '../sql/statements.ts'
import { insertedRow, type Parameter, type QueryResult, type Transaction } from './connection.ts'

/** The value in the first row, or null. */
export const firstOf = async <T>({ fromRow }: Readable<T>, found: Promise<readonly Row[]>): Promise<T | null> => {
  const [row] = await found
  return row === undefined ? null : fromRow(row)
}

/** Inserts rows of a table. Created once per table, because each unit creates its repositories again. */
export const inserterOf = <T, New>({ name, inserted, valuesOf, fromRow }: Entity<T, New>) => {
  const insert = `${insertInto(name, inserted, postgresPlaceholder)} RETURNING *`
  /** Returns the value with its id. */
  return async (connection: Transaction, value: New): Promise<T> =>
    fromRow(insertedRow(await connection.insert<Row>(insert, ...valuesOf(value))))
}

/** Updates every column of a row, which must exist. */
export const updaterOf = <New, T extends New & { readonly id: number }>({
  name,
  inserted,
  valuesOf,
}: Entity<T, New>) => {
  const update = updateById(name, inserted, postgresPlaceholder)
  return async (connection: Transaction, value: T): Promise<void> => {
    const { count } = await connection.change(update, ...valuesOf(value), value.id)
    if (count !== 1) throw new Error('UPDATE met no row')
  }
}

/** Inserts a row, or replaces the one that has the same key. */
export const replacerOf = <New>(entity: Entity<unknown, New>) => {
  const put = upsertInto(entity, postgresPlaceholder)
  return (connection: Transaction, value: New): void => {
    void connection.change(put, ...entity.valuesOf(value))
  }
}

/**
 * Removes up to `limit` rows that meet a condition on `values`, which is checked again when a row was locked. `end` is
 * SQL after it.
 */
export const deleteSome = <Removed>(
  connection: Transaction,
  { name, key }: Pick<Entity<unknown>, 'name' | 'key'>,
  condition: string,
  values: readonly Parameter[],
  limit: number,
  end = '',
): Promise<QueryResult<Removed>> => {
  const columns = key.join(', ')
  const some = `SELECT ${columns} FROM ${name} WHERE ${condition} LIMIT $${values.length + 1}`
  const isIn = key.length === 1 ? `${columns} = ANY (ARRAY(${some}))` : `(${columns}) IN (${some})`
  return connection.change(`DELETE FROM ${name} WHERE ${condition} AND ${isIn} ${end}`, ...values, limit)
}
