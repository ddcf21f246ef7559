/** A record of a list, and its place in the list that the server sent; null if it came or changed since. */
export interface Placed {
  readonly record: ListedRecord
  readonly rank: number | null
}

export interface ListedRecord {
  readonly id: number
  readonly version: number
  readonly created_at: string
}

/** Null < false < true < numbers < strings, as in the server's indexes. */
const typeRank = (value: unknown): number => {
  if (typeof value === 'boolean') return value ? 2 : 1
  return typeof value === 'number' ? 3 : typeof value === 'string' ? 4 : 0
}

/** A unit of UTF-16 so that surrogates, which encode what comes last, come last. */
const inOrder = (unit: number): number => (unit < 0xd800 ? unit : unit < 0xe000 ? unit + 0x2000 : unit - 0x800)

/** In the order of their UTF-8. */
export const compareText = (one: string, other: string): number => {
  const length = Math.min(one.length, other.length)
  for (let at = 0; at < length; at++) {
    const [a, b] = [one.charCodeAt(at), other.charCodeAt(at)]
    if (a !== b) return inOrder(a) - inOrder(b)
  }
  return one.length - other.length
}

const TIME = /^\d{4}-\d\d-\d\d[Tt]/
/** Times of this form, of the same length, are in the order of their texts. */
const PLAIN_TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:[0-5]\d(\.\d{1,3})?Z$/

/** The server compares texts that are times by their time if the schema says so, which we do not know. */
const isAmbiguous = (one: string, other: string): boolean =>
  TIME.test(one) && TIME.test(other) && !(one.length === other.length && PLAIN_TIME.test(one) && PLAIN_TIME.test(other))

/** Zero: equal. Null: the server may see it either way. */
const compareValues = (one: unknown, other: unknown): number | null => {
  const types = typeRank(one) - typeRank(other)
  if (types !== 0) return types
  if (typeof one === 'number' && typeof other === 'number') return one - other
  if (typeof one !== 'string' || typeof other !== 'string') return 0
  return isAmbiguous(one, other) ? null : compareText(one, other)
}

const SYSTEM_FIELDS = ['id', 'created_at', 'updated_at']

const fieldOf = (record: object, field: string): unknown => Object.entries(record).find(([name]) => name === field)?.[1]

export type Compare = (one: Placed, other: Placed, onUncertain: () => void) => number

/**
 * Compares as the server sorts. Records with equal values are in the order of the further fields of an index that only
 * the server knows: then as the server listed them, and `onUncertain` is called if it has not listed both as they are.
 */
export const compareBy = (sort = '-created_at'): Compare => {
  const isDescending = sort.startsWith('-')
  const field = isDescending ? sort.slice(1) : sort
  const sign = isDescending ? -1 : 1
  const byAge = (one: ListedRecord, other: ListedRecord) =>
    compareText(one.created_at, other.created_at) || one.id - other.id
  return (one, other, onUncertain) => {
    const [a, b] = [one.record, other.record]
    if (field === 'id') return sign * (a.id - b.id)
    const order = compareValues(fieldOf(a, field), fieldOf(b, field))
    if (order) return sign * order
    if (SYSTEM_FIELDS.includes(field)) return sign * (a.id - b.id)
    if (one.rank !== null && other.rank !== null) return one.rank - other.rank
    if (one !== other) onUncertain()
    return sign * byAge(a, b)
  }
}
