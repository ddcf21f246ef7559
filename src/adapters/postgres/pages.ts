import {
  isCounted,
  MAX_TOTAL_COUNT,
  type Page,
  type PageRequest,
  type RowPosition,
  skippedRowCount,
  totalOf,
} from '../../domain/page.ts'
import type { Readable, Row } from '../sql/entity.ts'
import { skipToPage } from '../sql/hops.ts'
import { type RunStep, runAtOnce } from '../sql/step-queue.ts'
import type { Connection, Int8, Parameter } from './connection.ts'

/** A condition in SQL with a `?` for each of its values. */
export interface Filter {
  readonly sql: string
  readonly values: readonly Parameter[]
}

interface Options {
  /** The columns to read, if not all. */
  readonly select?: string
  /** The sort columns: no other name reaches the SQL. */
  readonly sorts: readonly string[]
  /** For the steps to a page deep in the list. */
  readonly runStep?: RunStep
}

export const whereOf = (filters: readonly Filter[]): string =>
  filters.length === 0 ? '' : ` WHERE ${filters.map(({ sql }) => sql).join(' AND ')}`

export const valuesOf = (filters: readonly Filter[]): readonly Parameter[] => filters.flatMap(({ values }) => values)

export const numberPlaceholders = (sql: string): string => {
  let n = 0
  return sql.replaceAll('?', () => `$${++n}`)
}

const toKey = (value: unknown): string | number => {
  if (typeof value !== 'string') throw new Error('a sort column is neither text nor bigint')
  return value
}

/**
 * Reads pages in the order of a sort column and then `id`: by number with a total, or after a position at constant
 * cost. An index must answer every filter, in the order of every sort.
 */
export const createPager = <T extends { readonly id: number }>(
  connection: Connection,
  { name: table, fromRow }: Readable<T>,
  { select = '*', sorts, runStep = runAtOnce }: Options,
) => {
  const ask = <Answered>(what: string, filters: readonly Filter[], end = '', ...more: Parameter[]) =>
    connection.read<Answered>(
      numberPlaceholders(`SELECT ${what} FROM ${table}${whereOf(filters)}${end}`),
      ...valuesOf(filters),
      ...more,
    )

  /** No further than one beyond {@link MAX_TOTAL_COUNT}. */
  const count = async (filters: readonly Filter[]): Promise<number> => {
    const [counted] = await connection.read<{ n: Int8 }>(
      numberPlaceholders(
        `SELECT count(*) AS n FROM (SELECT FROM ${table}${whereOf(filters)} LIMIT ${MAX_TOTAL_COUNT + 1}) AS counted`,
      ),
      ...valuesOf(filters),
    )
    return Number(counted?.n ?? 0)
  }

  const page = async (
    request: PageRequest<string>,
    filters: readonly Filter[],
    account: number | null = null,
  ): Promise<Page<T>> => {
    const { size, sort, from } = request
    const column = sorts.find((name) => name === sort.field)
    if (column === undefined) throw new Error(`no sort by ${sort.field} on ${table}`)
    const isTime = column === 'created_at' || column === 'updated_at'
    const keyOf = (value: unknown) => (isTime ? Number(toKey(value)) : toKey(value))
    const direction = sort.descending ? 'DESC' : 'ASC'
    const order = ` ORDER BY ${column} ${direction}, id ${direction} LIMIT ? OFFSET ?`
    const beyond = (after: RowPosition | null): readonly Filter[] =>
      after === null
        ? filters
        : [...filters, { sql: `(${column}, id) ${sort.descending ? '<' : '>'} (?, ?)`, values: [after.key, after.id] }]

    const windowed = async (): Promise<readonly Row[]> => {
      const start = await skipToPage(skippedRowCount(request), 'page' in from ? null : from.after, (after, skipped) =>
        runStep(account, async () => {
          const what = `${column} AS key, id`
          const [row] = await ask<{ key: unknown; id: Int8 }>(what, beyond(after), order, 1, skipped - 1)
          return row === undefined ? null : { key: keyOf(row.key), id: Number(row.id) }
        }),
      )
      return start === null ? [] : ask<Row>(select, beyond(start.after), order, size + 1, start.skipped)
    }
    const [counted, window] = await Promise.all([isCounted(request) ? count(filters) : null, windowed()])
    const rows = window.slice(0, size)
    const last = rows.at(-1)
    const next = window.length > size && last ? { key: keyOf(last[column]), id: Number(last.id) } : null
    return { items: rows.map(fromRow), ...(counted === null ? { total: null } : totalOf(counted)), next }
  }

  return { page, count }
}
