import type { Row } from '../sql/entity.ts'
import { compareBytes } from '../sql/record-keys.ts'
import {
  type Entry,
  type EntryRange,
  entryKey,
  hiddenPrefixOf,
  type Order,
  parseEntryKey,
} from '../sql/record-source.ts'
import { bytesArray, type Parameter } from './connection.ts'

/** A table of records. */
export interface SourceTable {
  readonly name: string
  /** Of a collection defined at run time, all of which share the table. */
  readonly collectionId: number | null
  /** The columns that have an index. */
  readonly sorts: readonly string[]
  /** Whether this column is text and not a number. */
  isText(column: string): boolean
}

/** A statement that reads entries of some of the orders. */
export interface EntryStatement {
  readonly sql: string
  readonly values: readonly Parameter[]
  /** The places of these orders among all. */
  readonly places: readonly number[]
  entryOf(row: Row): Entry
}

/** Less and more than every time and number of a row. */
const [LEAST, MOST] = [Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER]

/** Rows of one or more orders of the same kind. */
interface Scan {
  /** SQL of the orders, with their number `n`, from 1. */
  readonly asked: string
  readonly table: string
  readonly conditions: readonly string[]
  /** The columns of an index, behind those that are fixed by the conditions. */
  readonly sortedBy: readonly string[]
  readonly values: readonly Parameter[]
  entryOf(row: Row): Entry
}

/** The number after which to begin. A position of another definition has nothing after it. */
const startOf = ({ after, descending }: EntryRange): number => {
  if (after === null) return descending ? MOST : LEAST
  if (typeof after.key === 'number') return after.key
  return descending ? LEAST : MOST
}

const createParameters = () => {
  const values: Parameter[] = []
  return { values, put: (value: Parameter, type: string) => `$${values.push(value)}::${type}` }
}

type ParametersOf = ReturnType<typeof createParameters>

type KindOf<Kind extends Order['kind']> = Extract<Order, { readonly kind: Kind }>

/** A column of what is asked for: a value for each order. */
interface AskedColumn {
  readonly name: string
  readonly type: string
  readonly values: Parameter
}

const arrayOf = (values: readonly (number | string)[]): string => `{${values.join()}}`

/**
 * SQL of the orders, as `asked`, with their number `n`, from 1.
 *
 * Two bounds of a column that come from here let the planner expect few rows, whatever it knows of the table. Otherwise
 * it may sort a whole index, as when the table was not analyzed or vacuumed since many rows were added. So each scan is
 * bounded in the columns of its index, by limits that every row meets if there are no others.
 */
const askedFor = (columns: readonly AskedColumn[], count: number, range: EntryRange, { put }: ParametersOf): string => {
  const { createdAfter, createdBefore } = range
  const same = (name: string, value: number): AskedColumn => ({
    name,
    type: 'bigint',
    values: arrayOf(Array.from({ length: count }, () => value)),
  })
  const all = [
    ...columns,
    same('created_after', createdAfter ?? LEAST),
    same('created_before', createdBefore ?? MOST),
    same('least', LEAST),
    same('most', MOST),
  ]
  const arrays = all.map(({ values, type }) => put(values, `${type}[]`))
  return `unnest(${arrays.join(', ')}) WITH ORDINALITY AS asked (${all.map(({ name }) => name).join(', ')}, n)`
}

const IS_CREATED_WITHIN = ['created_at > asked.created_after', 'created_at < asked.created_before']

const anyNumber = (column: string): readonly string[] => [`${column} > asked.least`, `${column} < asked.most`]

/** Bounds of a column besides those of the id. */
const boundsOf = (
  column: string,
  { createdAfter, createdBefore }: EntryRange,
  { isText, isOfNobody }: { readonly isText: boolean; readonly isOfNobody: boolean },
): readonly string[] => {
  if (column === 'created_at' && (createdAfter !== null || createdBefore !== null)) return IS_CREATED_WITHIN
  // With bounds, the planner expects as few rows of everybody, and reads those instead of the few of nobody.
  if (isText || isOfNobody) return []
  // An index by the id has no column that could be bounded twice.
  return anyNumber(column === 'id' ? 'created_at' : column)
}

const columnScan = (
  { name, collectionId, sorts, isText }: SourceTable,
  orders: readonly KindOf<'column'>[],
  range: EntryRange,
): Scan => {
  const parameters = createParameters()
  const { values, put } = parameters
  const { after, descending } = range
  const [{ column = '', ownerId = undefined } = {}] = orders
  if (!sorts.includes(column)) throw new Error(`no order by ${column} of ${name}`)
  const sign = descending ? '<' : '>'
  const owners = orders.flatMap((order) => order.ownerId ?? [])
  const ofOwners = owners.length > 0 ? [{ name: 'owner_id', type: 'bigint', values: arrayOf(owners) }] : []
  const owned = owners.length > 0 ? ['owner_id = asked.owner_id'] : []
  const beyond = (): readonly string[] => {
    if (column === 'id') return [`id ${sign} ${put(after?.id ?? (descending ? MOST : LEAST), 'bigint')}`]
    if (isText(column)) {
      if (after === null) return []
      return [`(${column}, id) ${sign} (${put(String(after.key), 'text')}, ${put(after.id, 'bigint')})`]
    }
    return [`(${column}, id) ${sign} (${put(startOf(range), 'bigint')}, ${put(after?.id ?? 0, 'bigint')})`]
  }
  const asked = askedFor(ofOwners, Math.max(1, owners.length), range, parameters)
  return {
    asked,
    table: name,
    conditions: [
      ...(collectionId === null ? [] : [`collection_id = ${put(collectionId, 'bigint')}`]),
      ...(ownerId === null ? ['owner_id IS NULL'] : owned),
      ...beyond(),
      ...boundsOf(column, range, { isText: isText(column), isOfNobody: ownerId === null }),
      ...anyNumber('id'),
    ],
    sortedBy: column === 'id' ? ['id'] : [column, 'id'],
    values,
    entryOf: (row) => ({ key: isText(column) ? String(row[column]) : Number(row[column]), id: Number(row.id) }),
  }
}

const pointScan = (orders: readonly KindOf<'point'>[], range: EntryRange): Scan => {
  const parameters = createParameters()
  const { values, put } = parameters
  const { after, descending } = range
  const columns = [
    { name: 'index_id', type: 'bigint', values: arrayOf(orders.map(({ indexId }) => indexId)) },
    { name: 'key', type: 'bytea', values: bytesArray(orders.map(({ key }) => key)) },
  ]
  return {
    asked: askedFor(columns, orders.length, range, parameters),
    table: 'record_keys',
    conditions: [
      'index_id = asked.index_id',
      'key = asked.key',
      `(created_at, record_id) ${descending ? '<' : '>'} (${put(startOf(range), 'bigint')}, ${put(after?.id ?? 0, 'bigint')})`,
      ...IS_CREATED_WITHIN,
      ...anyNumber('record_id'),
    ],
    sortedBy: ['created_at', 'record_id'],
    values,
    entryOf: (row) => ({ key: Number(row.created_at), id: Number(row.record_id) }),
  }
}

/** Where to begin in each range: at its beginning, or after a position in it. */
const startsOf = (orders: readonly KindOf<'range'>[], { after, descending }: EntryRange) => {
  if (after === null) {
    return orders.map(({ low, high }) => ({ key: descending ? high : low, createdAt: LEAST, id: 0 }))
  }
  return orders.map((order) => {
    const { low, high } = order
    const parsed = parseEntryKey(after.key, hiddenPrefixOf(order))
    if (parsed === null) return { key: descending ? low : high, createdAt: LEAST, id: 0 }
    const isInside = descending ? compareBytes(parsed.key, high) < 0 : compareBytes(parsed.key, low) >= 0
    return isInside ? { ...parsed, id: after.id } : { key: descending ? high : low, createdAt: LEAST, id: 0 }
  })
}

const rangeScan = (orders: readonly KindOf<'range'>[], range: EntryRange): Scan => {
  const parameters = createParameters()
  const { values } = parameters
  const { descending } = range
  const starts = startsOf(orders, range)
  const columns = [
    { name: 'index_id', type: 'bigint', values: arrayOf(orders.map(({ indexId }) => indexId)) },
    { name: 'key', type: 'bytea', values: bytesArray(starts.map(({ key }) => key)) },
    { name: 'created_at', type: 'bigint', values: arrayOf(starts.map(({ createdAt }) => createdAt)) },
    { name: 'record_id', type: 'bigint', values: arrayOf(starts.map(({ id }) => id)) },
    { name: 'low', type: 'bytea', values: bytesArray(orders.map(({ low }) => low)) },
    { name: 'high', type: 'bytea', values: bytesArray(orders.map(({ high }) => high)) },
  ]
  return {
    asked: askedFor(columns, orders.length, range, parameters),
    table: 'record_keys',
    conditions: [
      'index_id = asked.index_id',
      `(key, created_at, record_id) ${descending ? '<' : '>'} (asked.key, asked.created_at, asked.record_id)`,
      'key >= asked.low',
      'key < asked.high',
      ...anyNumber('created_at'),
      ...anyNumber('record_id'),
    ],
    sortedBy: ['key', 'created_at', 'record_id'],
    values,
    entryOf({ n, key, created_at, record_id }) {
      const order = orders[Number(n) - 1]
      if (order === undefined || !(key instanceof Uint8Array)) throw new Error('a row is of no order')
      return {
        key: entryKey(key.subarray(hiddenPrefixOf(order).length), Number(created_at)),
        id: Number(record_id),
      }
    },
  }
}

const isKind =
  <Kind extends Order['kind']>(kind: Kind) =>
  (order: Order): order is KindOf<Kind> =>
    order.kind === kind

const scanOf = (table: SourceTable, orders: readonly Order[], range: EntryRange): Scan => {
  const points = orders.filter(isKind('point'))
  if (points.length > 0) return pointScan(points, range)
  const ranges = orders.filter(isKind('range'))
  return ranges.length > 0 ? rangeScan(ranges, range) : columnScan(table, orders.filter(isKind('column')), range)
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
    const { asked, conditions, sortedBy, values, entryOf } = scan
    const sorted = (prefix: string) => sortedBy.map((column) => `${prefix}${column} ${direction}`).join(', ')
    return {
      sql: `SELECT asked.n, entry.* FROM ${asked} CROSS JOIN LATERAL (
          SELECT ${sortedBy.join(', ')} FROM ${scan.table} WHERE ${conditions.join(' AND ')}
          ORDER BY ${sorted('')} LIMIT ${roundedUp(limit)}) AS entry
        ORDER BY asked.n, ${sorted('entry.')}`,
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
    const { asked, conditions, sortedBy, values } = scan
    const most = `LIMIT ${roundedUp(limit)}`
    return {
      sql: `SELECT count(*) AS n FROM (SELECT FROM ${asked} CROSS JOIN LATERAL (
          SELECT FROM ${scan.table} WHERE ${conditions.join(' AND ')} ORDER BY ${sortedBy.join(', ')} ${most}) AS entry
        ${most}) AS counted`,
      values,
    }
  })
