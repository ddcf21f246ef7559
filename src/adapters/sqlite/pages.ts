import type { SQLQueryBindings, Statement } from 'bun:sqlite'
import type { Page, PageRequest } from '../../domain/page.ts'
import type { Connection } from './database.ts'

/** A condition in SQL and the parameters it names. */
export type Filter = { readonly sql: string } & Readonly<Record<string, SQLQueryBindings>>

/** The text as a literal inside a `LIKE … ESCAPE '\'` pattern. */
export const escapeLike = (text: string): string => text.replace(/[\\%_]/g, (character) => `\\${character}`)

const MOST_STATEMENTS = 200

/**
 * Reads pages of `table` in the order of a sort column and then `id`: by OFFSET with a total, or onwards from a
 * position at constant cost. `columns` are the only names that reach the SQL.
 */
export const createPager = <Row extends { id: number }>(
  connection: Connection,
  table: string,
  columns: readonly (keyof Row & string)[],
) => {
  const statements = new Map<string, Statement<Row & { n: number }>>()
  const prepared = (sql: string) => {
    const known = statements.get(sql)
    if (known) return known
    if (statements.size >= MOST_STATEMENTS) throw new Error(`too many forms of a query on ${table}`)
    const statement = connection.prepare<Row & { n: number }>(sql)
    statements.set(sql, statement)
    return statement
  }

  return <Field extends string, T>(
    { size, sort, from }: PageRequest<Field>,
    filters: readonly Filter[],
    fromRow: (row: Row) => T,
  ): Page<T> => {
    const column = columns.find((name) => name === sort.field)
    if (column === undefined) throw new Error(`no sort by ${sort.field} on ${table}`)
    const direction = sort.descending ? 'DESC' : 'ASC'
    const conditions = filters.map((filter) => filter.sql)
    const parameters: Record<string, SQLQueryBindings> = {}
    for (const { sql: _, ...named } of filters) Object.assign(parameters, named)
    const where = (all: readonly string[]) => (all.length === 0 ? '' : ` WHERE ${all.join(' AND ')}`)
    const order = ` ORDER BY ${column} ${direction}, id ${direction} LIMIT :limit`

    const total =
      'page' in from
        ? (prepared(`SELECT count(*) AS n FROM ${table}${where(conditions)}`).get(parameters)?.n ?? 0)
        : null
    const window =
      'page' in from
        ? prepared(`SELECT * FROM ${table}${where(conditions)}${order} OFFSET :offset`).all({
            ...parameters,
            limit: size + 1,
            offset: (from.page - 1) * size,
          })
        : prepared(
            `SELECT * FROM ${table}${where([...conditions, `(${column}, id) ${sort.descending ? '<' : '>'} (:key, :after)`])}${order}`,
          ).all({ ...parameters, limit: size + 1, key: from.after.key, after: from.after.id })

    const rows = window.slice(0, size)
    const last = rows.at(-1)
    const next = window.length > size && last ? { key: last[column] as string | number, id: last.id } : null
    return { items: rows.map(fromRow), total, next }
  }
}
