import type { SQLQueryBindings } from 'bun:sqlite'
import type { Entity, Readable, Row } from '../sql/entity.ts'
import { insertInto, updateById } from '../sql/statements.ts'
import type { Connection } from './database.ts'

/** Prepares a look-up of one row. */
export const prepareFind = <T>(connection: Connection, { name, fromRow }: Readable<T>, condition: string) => {
  const statement = connection.prepare<Row>(`SELECT * FROM ${name} WHERE ${condition}`)
  return (...values: SQLQueryBindings[]): T | null => {
    const row = statement.get(...values)
    return row && fromRow(row)
  }
}

/** Prepares a statement that changes or removes rows. It returns how many. */
export const prepareChange = (connection: Connection, sql: string) => {
  const statement = connection.prepare(sql)
  return (...values: SQLQueryBindings[]): number => statement.run(...values).changes
}

/** Prepares an INSERT that returns the value with its id. */
export const prepareInsert = <T, New>(
  connection: Connection,
  { name, inserted, valuesOf, fromRow }: Entity<T, New>,
): ((value: New) => T) => {
  const statement = connection.prepare<Row>(`${insertInto(name, inserted)} RETURNING *`)
  return (value) => {
    const row = statement.get(...valuesOf(value))
    if (row === null) throw new Error('INSERT returned no row')
    return fromRow(row)
  }
}

/** Prepares an UPDATE of every column. The row must exist. */
export const prepareUpdate = <New, T extends New & { readonly id: number }>(
  connection: Connection,
  { name, inserted, valuesOf }: Entity<T, New>,
): ((value: T) => void) => {
  const update = prepareChange(connection, updateById(name, inserted))
  return (value) => {
    if (update(...valuesOf(value), value.id) !== 1) throw new Error('UPDATE met no row')
  }
}

/** Removes the first rows that meet a condition; the last parameter is their number. */
export const deleteSome = ({ name, key }: Pick<Entity<unknown>, 'name' | 'key'>, condition: string): string => {
  const columns = key.join(', ')
  return `DELETE FROM ${name} WHERE (${columns}) IN (SELECT ${columns} FROM ${name} WHERE ${condition} LIMIT +?)`
}
