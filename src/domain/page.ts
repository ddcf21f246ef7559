import { AppError } from './errors.ts'

export const PAGE_SIZE = { minimum: 1, maximum: 100, default: 20 } as const

/** Totals are exact up to this count; beyond it a page only says that there are more. */
export const MAX_TOTAL_COUNT = 10_000

export interface Sort<Field extends string> {
  readonly field: Field
  readonly descending: boolean
}

/** Where a list goes on: the sort key and id of the last row seen. */
export interface Position {
  readonly key: string | number
  readonly id: number
}

/** By number (with a total, unless it is not wanted) or onwards from a position (at constant cost at any depth). */
export interface PageRequest<Field extends string> {
  readonly size: number
  readonly sort: Sort<Field>
  readonly from: { readonly page: number; readonly total?: false } | { readonly after: Position }
}

export interface Page<T> {
  readonly items: readonly T[]
  /** Null when read by position, not wanted, or not known: then there may be `totalAtLeast`. */
  readonly total: number | null
  /** How many there are at least, where counting all would cost too much. */
  readonly totalAtLeast?: number
  /**
   * Where the next page starts; null on the last one. A page whose reading was cut short, because it would have cost too
   * much, may hold fewer than were asked for, even none, and says where to go on.
   */
  readonly next: Position | null
}

type Total = Pick<Page<unknown>, 'total' | 'totalAtLeast'>

/** What a page says of how many there are, when counting stopped beyond {@link MAX_TOTAL_COUNT}, or before its end. */
export const totalOf = (counted: number, isComplete = true): Total =>
  isComplete && counted <= MAX_TOTAL_COUNT
    ? { total: counted }
    : { total: null, totalAtLeast: Math.min(counted, MAX_TOTAL_COUNT) }

export const isCounted = ({ from }: PageRequest<string>): boolean => 'page' in from && from.total !== false

/** The rows before the first of a numbered page. */
export const skippedRowCount = ({ from, size }: PageRequest<string>): number =>
  'page' in from ? (from.page - 1) * size : 0

export const pageTooDeep = () =>
  new AppError('page_too_deep', 'The page lies too deep in the list: read on by next_cursor')
