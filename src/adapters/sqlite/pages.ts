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
import type { Binding, Connection, Prepared } from './database.ts'
import { type CacheCount, withoutCountCache } from './row-cache.ts'

/** A condition in SQL and the parameters it names. */
export type Filter = { readonly sql: string } & Readonly<Record<string, Binding>>

export const whereOf = (filters: readonly Filter[]): string =>
  filters.length === 0 ? '' : ` WHERE ${filters.map(({ sql }) => sql).join(' AND ')}`

export const parametersOf = (filters: readonly Filter[]): Record<string, Binding> => {
  const parameters: Record<string, Binding> = {}
  for (const { sql: _, ...named } of filters) Object.assign(parameters, named)
  return parameters
}

const MAX_STATEMENTS_COUNT = 200

interface Options {
  /** The sort columns: no other name reaches the SQL. */
  readonly sorts: readonly string[]
  /** For the steps to a page deep in the list. */
  readonly runStep?: RunStep
  readonly cacheCount?: CacheCount
}

interface Found extends Row {
  readonly id: number
  readonly n: number
  readonly key: string | number
}

/**
 * Reads pages in the order of a sort column and then `id`: by number with a total, or after a position at constant
 * cost. An index must answer every filter, in the order of every sort.
 */
export const createPager = <T extends { readonly id: number }>(
  connection: Connection,
  { name: table, fromRow }: Readable<T>,
  { sorts, runStep = runAtOnce, cacheCount = withoutCountCache }: Options,
) => {
  const statements = new Map<string, Prepared<Found>>()
  const prepared = (sql: string) => {
    const known = statements.get(sql)
    if (known) return known
    if (statements.size >= MAX_STATEMENTS_COUNT) throw new Error(`too many forms of a query on ${table}`)
    const statement = connection.prepare<Found>(sql)
    statements.set(sql, statement)
    return statement
  }

  /** No further than one beyond {@link MAX_TOTAL_COUNT}. */
  const count = (filters: readonly Filter[]): number => {
    const sql = `SELECT count(*) AS n FROM (SELECT 1 FROM ${table}${whereOf(filters)} LIMIT ${MAX_TOTAL_COUNT + 1})`
    const parameters = parametersOf(filters)
    return cacheCount(sql + JSON.stringify(parameters), () => prepared(sql).get(parameters)?.n ?? 0)
  }

  const page = async (
    request: PageRequest<string>,
    filters: readonly Filter[],
    account: number | null = null,
  ): Promise<Page<T>> => {
    const { size, sort, from } = request
    const column = sorts.find((name) => name === sort.field)
    if (column === undefined) throw new Error(`no sort by ${sort.field} on ${table}`)
    const direction = sort.descending ? 'DESC' : 'ASC'
    const order = `ORDER BY ${column} ${direction}, id ${direction}`
    const beyond = `(${column}, id) ${sort.descending ? '<' : '>'} (+:key, +:after)`
    const conditionsFrom = (after: RowPosition | null) =>
      after === null ? [...filters] : [...filters, { sql: beyond, key: after.key, after: after.id }]

    const total = isCounted(request) ? totalOf(count(filters)) : { total: null }
    const start = await skipToPage(skippedRowCount(request), 'page' in from ? null : from.after, (after, skipped) =>
      runStep(account, () => {
        const conditions = conditionsFrom(after)
        const sql = `SELECT ${column} AS key, id FROM ${table}${whereOf(conditions)} ${order} LIMIT 1 OFFSET +:skipped`
        const row = prepared(sql).get({ ...parametersOf(conditions), skipped: skipped - 1 })
        return row === null ? null : { key: row.key, id: row.id }
      }),
    )
    if (start === null) return { items: [], ...total, next: null }
    const conditions = conditionsFrom(start.after)
    const window = prepared(`SELECT * FROM ${table}${whereOf(conditions)} ${order} LIMIT +:limit OFFSET +:skipped`).all(
      { ...parametersOf(conditions), limit: size + 1, skipped: start.skipped },
    )
    const rows = window.slice(0, size)
    const last = rows.at(-1)
    const next = window.length > size && last ? { key: last[column] as string | number, id: last.id } : null
    return { items: rows.map(fromRow), ...total, next }
  }

  return { page, count }
}
