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

/** Less and more than every time and number of a row. */
const [LEAST, MOST] = [Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER]

/** How rows of one or more orders of the same kind are found. */
export interface Scan {
  /** SQL of the orders, with their number `n`, from 1. */
  readonly asked: string
  readonly table: string
  readonly conditions: readonly string[]
  /** The columns of an index, behind those that are fixed by equalities: first those that have one value in an order. */
  readonly precededBy: readonly string[]
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

/** The parts of a scan that depend on how records are chosen and sorted. */
interface ColumnParts {
  readonly asked: readonly AskedColumn[]
  readonly conditions: readonly string[]
  /** What precedes the sorted columns in the index. With an equality, another index would serve the sort as well. */
  readonly precededBy: readonly string[]
}

/** By id. A page is so small a part of what the planner expects here that it reads the index in its order. */
const partsById = (collectionId: number | null, { after, descending }: EntryRange): ColumnParts => {
  const start = after?.id ?? (descending ? MOST : LEAST)
  const asked = [{ name: 'id', type: 'bigint', values: arrayOf([start]) }]
  const [sign, end] = descending
    ? ['<', '> (asked.collection_id, asked.least)']
    : ['>', '< (asked.collection_id, asked.most)']
  if (collectionId === null) return { asked, conditions: [`id ${sign} asked.id`], precededBy: [] }
  return {
    asked: [...asked, { name: 'collection_id', type: 'bigint', values: arrayOf([collectionId]) }],
    conditions: [`(collection_id, id) ${sign} (asked.collection_id, asked.id)`, `(collection_id, id) ${end}`],
    precededBy: ['collection_id'],
  }
}

const ownerParts = (orders: readonly KindOf<'column'>[]): ColumnParts => {
  const [{ ownerId = undefined } = {}] = orders
  if (ownerId === undefined) return { asked: [], conditions: [], precededBy: [] }
  if (ownerId === null) return { asked: [], conditions: ['owner_id IS NULL'], precededBy: [] }
  return {
    asked: [{ name: 'owner_id', type: 'bigint', values: arrayOf(orders.flatMap((order) => order.ownerId ?? [])) }],
    conditions: ['owner_id >= asked.owner_id', 'owner_id <= asked.owner_id'],
    precededBy: ['owner_id'],
  }
}

/** Bounds of the sorted columns. */
const boundsOf = (
  column: string,
  { createdAfter, createdBefore }: EntryRange,
  { isText, ownerId }: { readonly isText: boolean; readonly ownerId: number | null | undefined },
): readonly string[] => {
  const isDated = column === 'created_at' && (createdAfter !== null || createdBefore !== null)
  const ofColumn = isText ? [] : column === 'created_at' ? IS_CREATED_WITHIN : anyNumber(column)
  // With bounds, the planner would expect as few rows of everybody as of nobody.
  if (ownerId === null) return isDated ? ofColumn : []
  // With bounds of the id, it would prefer the index by owner and id.
  return ownerId === undefined ? [...ofColumn, ...anyNumber('id')] : ofColumn
}

const partsByColumn = (
  { collectionId, isText }: SourceTable,
  orders: readonly KindOf<'column'>[],
  range: EntryRange,
  { put }: ParametersOf,
): ColumnParts => {
  const [{ column = '', ownerId = undefined } = {}] = orders
  const { after, descending } = range
  const sign = descending ? '<' : '>'
  const beyond = (): readonly string[] => {
    if (!isText(column)) {
      return [`(${column}, id) ${sign} (${put(startOf(range), 'bigint')}, ${put(after?.id ?? 0, 'bigint')})`]
    }
    if (after === null) return []
    return [`(${column}, id) ${sign} (${put(String(after.key), 'text')}, ${put(after.id, 'bigint')})`]
  }
  const { asked, conditions, precededBy } = ownerParts(orders)
  return {
    asked,
    conditions: [
      ...(collectionId === null ? [] : [`collection_id = ${put(collectionId, 'bigint')}`]),
      ...conditions,
      ...beyond(),
      ...boundsOf(column, range, { isText: isText(column), ownerId }),
    ],
    precededBy,
  }
}

const columnScan = (table: SourceTable, orders: readonly KindOf<'column'>[], range: EntryRange): Scan => {
  const parameters = createParameters()
  const { name, collectionId, sorts, isText } = table
  const [{ column = '' } = {}] = orders
  if (!sorts.includes(column)) throw new Error(`no order by ${column} of ${name}`)
  const isById = column === 'id'
  const parts = isById ? partsById(collectionId, range) : partsByColumn(table, orders, range, parameters)
  return {
    asked: askedFor(parts.asked, orders.length, range, parameters),
    table: name,
    conditions: parts.conditions,
    precededBy: parts.precededBy,
    sortedBy: isById ? ['id'] : [column, 'id'],
    values: parameters.values,
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
    precededBy: [],
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
    precededBy: [],
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

/** `orders` are of one group; see `groupOf` in record-entries.ts. */
export const scanOf = (table: SourceTable, orders: readonly Order[], range: EntryRange): Scan => {
  const points = orders.filter(isKind('point'))
  if (points.length > 0) return pointScan(points, range)
  const ranges = orders.filter(isKind('range'))
  return ranges.length > 0 ? rangeScan(ranges, range) : columnScan(table, orders.filter(isKind('column')), range)
}
