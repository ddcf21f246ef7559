import type { Row } from '../sql/entity.ts'
import type { Entry, EntryRange, Order } from '../sql/record-source.ts'
import type { Parameter } from './connection.ts'
import { type SourceTable, scanOf } from './record-scans.ts'

/** A statement that reads entries of some of the orders. */
export interface EntryStatement {
  readonly sql: string
  readonly values: readonly Parameter[]
  /** The places of these orders among all. */
  readonly places: readonly number[]
  entryOf(row: Row): Entry
}

/** Orders of the same group are read by one statement. */
const groupOf = (order: Order): string => {
  if (order.kind !== 'column') return order.kind
  if (order.ownerId === undefined) return `${order.column} of all`
  return `${order.column} of ${order.ownerId === null ? 'nobody' : 'owners'}`
}

const scansOf = (table: SourceTable, orders: readonly Order[], range: EntryRange) => {
  const groups = new Map<string, number[]>()
  for (const [place, order] of orders.entries()) {
    const group = groupOf(order)
    groups.set(group, [...(groups.get(group) ?? []), place])
  }
  return [...groups.values()].map((places) => ({
    places,
    scan: scanOf(
      table,
      places.flatMap((place) => orders[place] ?? []),
      range,
    ),
  }))
}

/**
 * A limit in the text of a statement lets the planner read an index in its order. Few different limits, so that there
 * are few different statements.
 */
const roundedUp = (limit: number): number => 2 ** Math.ceil(Math.log2(Math.max(limit, 16)))

/** Reads up to `limit` entries of each order, or a few more. */
export const entryStatementsOf = (
  table: SourceTable,
  orders: readonly Order[],
  range: EntryRange,
  limit: number,
): readonly EntryStatement[] => {
  const direction = range.descending ? 'DESC' : 'ASC'
  return scansOf(table, orders, range).map(({ places, scan }) => {
    const { asked, conditions, precededBy, sortedBy, values, entryOf } = scan
    const sorted = (columns: readonly string[]) => columns.map((column) => `${column} ${direction}`).join(', ')
    const entryColumns = sortedBy.map((column) => `entry.${column}`)
    return {
      sql: `SELECT asked.n, entry.* FROM ${asked} CROSS JOIN LATERAL (
          SELECT ${sortedBy.join(', ')} FROM ${scan.table} WHERE ${conditions.join(' AND ')}
          ORDER BY ${sorted([...precededBy, ...sortedBy])} LIMIT ${roundedUp(limit)}) AS entry
        ORDER BY asked.n, ${sorted(entryColumns)}`,
      values,
      places,
      entryOf,
    }
  })
}

/** Counts up to `limit` entries of all orders, or a few more. */
export const countStatementsOf = (
  table: SourceTable,
  orders: readonly Order[],
  dates: Pick<EntryRange, 'createdAfter' | 'createdBefore'>,
  limit: number,
): readonly Pick<EntryStatement, 'sql' | 'values'>[] =>
  scansOf(table, orders, { after: null, descending: false, ...dates }).map(({ scan }) => {
    const { asked, conditions, values } = scan
    const sortedBy = [...scan.precededBy, ...scan.sortedBy]
    const most = `LIMIT ${roundedUp(limit)}`
    return {
      sql: `SELECT count(*) AS n FROM (SELECT FROM ${asked} CROSS JOIN LATERAL (
          SELECT FROM ${scan.table} WHERE ${conditions.join(' AND ')} ORDER BY ${sortedBy.join(', ')} ${most}) AS entry
        ${most}) AS counted`,
      values,
    }
  })
