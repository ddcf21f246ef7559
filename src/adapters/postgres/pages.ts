import type { Page, PageRequest } from '../../domain/page.ts'
import type { Connection, Int8, Parameter } from './connection.ts'

/** A condition in SQL with a `?` for each of its values. */
export interface Filter {
  readonly sql: string
  readonly values: readonly Parameter[]
}

interface Source<Column extends string> {
  readonly table: string
  /** What is read of each row, if not all of it. */
  readonly select?: string
  /** The sort columns: no other name reaches the SQL. */
  readonly columns: readonly Column[]
}

const numbered = (sql: string): string => {
  let n = 0
  return sql.replaceAll('?', () => `$${++n}`)
}

const toKey = (value: unknown): string | number => {
  if (typeof value !== 'string') throw new Error('a sort column is neither text nor bigint')
  return value
}

/**
 * Reads pages in the order of a sort column and then `id`: by OFFSET with a total, or onwards from a position at
 * constant cost.
 */
export const createPager =
  <Row extends { id: Int8 }>(connection: Connection, { table, select = '*', columns }: Source<keyof Row & string>) =>
  async <Field extends string, T>(
    { size, sort, from }: PageRequest<Field>,
    filters: readonly Filter[],
    fromRow: (row: Row) => T,
  ): Promise<Page<T>> => {
    const column = columns.find((name) => name === sort.field)
    if (column === undefined) throw new Error(`no sort by ${sort.field} on ${table}`)
    const direction = sort.descending ? 'DESC' : 'ASC'
    const beyond: readonly Filter[] =
      'page' in from
        ? []
        : [{ sql: `(${column}, id) ${sort.descending ? '<' : '>'} (?, ?)`, values: [from.after.key, from.after.id] }]
    const ask = <Answered>(what: string, conditions: readonly Filter[], end = '', ...more: Parameter[]) => {
      const where = conditions.length === 0 ? '' : ` WHERE ${conditions.map(({ sql }) => sql).join(' AND ')}`
      const values = conditions.flatMap((condition) => condition.values)
      return connection.query<Answered>(numbered(`SELECT ${what} FROM ${table}${where}${end}`), ...values, ...more)
    }

    const order = ` ORDER BY ${column} ${direction}, id ${direction} LIMIT ? OFFSET ?`
    const offset = 'page' in from ? (from.page - 1) * size : 0
    const [counted, window] = await Promise.all([
      'page' in from ? ask<{ n: Int8 }>('count(*) AS n', filters) : null,
      ask<Row>(select, [...filters, ...beyond], order, size + 1, offset),
    ])
    const rows = window.slice(0, size)
    const last = rows.at(-1)
    const isTime = column === 'created_at' || column === 'updated_at'
    const key = last === undefined ? '' : toKey(last[column])
    const next = window.length > size && last ? { key: isTime ? Number(key) : key, id: Number(last.id) } : null
    return { items: rows.map(fromRow), total: counted === null ? null : Number(counted[0]?.n ?? 0), next }
  }
