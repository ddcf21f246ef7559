import type { SQLQueryBindings, Statement } from 'bun:sqlite'
import type { Page, PageRequest } from '../../domain/page.ts'
import type { Connection } from './database.ts'

/** A condition in SQL and the parameters it names. */
export type Filter = { readonly sql: string } & Readonly<Record<string, SQLQueryBindings>>

const MOST_STATEMENTS = 200

interface Source<Column extends string> {
  /** What follows FROM. */
  readonly from: string
  /** What is counted for the total, if it is not `from`. */
  readonly countFrom?: string
  /** The table whose rows are read. */
  readonly rows: string
  /** The sort columns: no other name reaches the SQL. */
  readonly columns: readonly Column[]
  /** A single expression that orders rows as the column does, for a source that keeps its own order. */
  readonly orderedBy?: Readonly<Partial<Record<Column, string>>>
}

/**
 * Reads pages in the order of a sort column and then `id`: by OFFSET with a total, or onwards from a position at
 * constant cost.
 */
export const createPager = <Row extends { id: number }>(
  connection: Connection,
  { from: source, countFrom = source, rows: table, columns, orderedBy }: Source<keyof Row & string>,
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
    countOtherwise?: () => number,
  ): Page<T> => {
    const column = columns.find((name) => name === sort.field)
    if (column === undefined) throw new Error(`no sort by ${sort.field} on ${table}`)
    const direction = sort.descending ? 'DESC' : 'ASC'
    const own = orderedBy?.[column]
    const order = own === undefined ? `${column} ${direction}, id ${direction}` : `${own} ${direction}`
    const sign = sort.descending ? '<' : '>'
    const beyond = own === undefined ? `(${column}, id) ${sign} (+:key, +:after)` : `${own} ${sign} +:after`
    const conditions = filters.map((filter) => filter.sql)
    const parameters: Record<string, SQLQueryBindings> = {}
    for (const { sql: _, ...named } of filters) Object.assign(parameters, named)
    const where = (all: readonly string[]) => (all.length === 0 ? '' : ` WHERE ${all.join(' AND ')}`)
    const select = (all: readonly string[]) =>
      `SELECT ${table}.* FROM ${source}${where(all)} ORDER BY ${order} LIMIT +:limit`

    const limit = size + 1
    const count = () => prepared(`SELECT count(*) AS n FROM ${countFrom}${where(conditions)}`).get(parameters)?.n ?? 0
    const total = 'page' in from ? (countOtherwise ?? count)() : null
    const position =
      'page' in from ? null : { after: from.after.id, ...(own === undefined ? { key: from.after.key } : {}) }
    const window =
      'page' in from
        ? prepared(`${select(conditions)} OFFSET :offset`).all({ ...parameters, limit, offset: (from.page - 1) * size })
        : prepared(select([...conditions, beyond])).all({ ...parameters, limit, ...position })

    const rows = window.slice(0, size)
    const last = rows.at(-1)
    const next = window.length > size && last ? { key: last[column] as string | number, id: last.id } : null
    return { items: rows.map(fromRow), total, next }
  }
}
