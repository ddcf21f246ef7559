import { AppError } from './errors.ts'

export const PAGE_SIZE = { minimum: 1, maximum: 100, default: 20 } as const

/** Totals are exact up to this number; beyond it, only a lower bound is given. */
export const MAX_TOTAL_COUNT = 10_000

export interface Sort<Field extends string> {
  readonly field: Field
  readonly descending: boolean
}

/** Where a list continues: the sort key and id of the last row returned. */
export interface RowPosition {
  readonly key: string | number
  readonly id: number
  /** Names the order that the key is of, where a sort can have one of several. */
  readonly order?: string
}

/** By number (with an optional total), or after a position (at constant cost at any depth). */
export interface PageRequest<Field extends string> {
  readonly size: number
  readonly sort: Sort<Field>
  readonly from: { readonly page: number; readonly total?: false } | { readonly after: RowPosition }
}

export interface Page<T> {
  readonly items: readonly T[]
  /** Null when read by position, not requested, or unknown; if unknown, `totalAtLeast` may be set. */
  readonly total: number | null
  /** A lower bound, if counting all would cost too much. */
  readonly totalAtLeast?: number
  /**
   * Where the next page starts; null on the last one. A page that ended early because it would have cost too much may
   * have fewer rows than requested, even none, and still has a position.
   */
  readonly next: RowPosition | null
}

type Total = Pick<Page<unknown>, 'total' | 'totalAtLeast'>

/** The totals of a page if counting stopped beyond {@link MAX_TOTAL_COUNT}, or before the end. */
export const totalOf = (counted: number, isComplete = true): Total =>
  isComplete && counted <= MAX_TOTAL_COUNT
    ? { total: counted }
    : { total: null, totalAtLeast: Math.min(counted, MAX_TOTAL_COUNT) }

export const isCounted = ({ from }: PageRequest<string>): boolean => 'page' in from && from.total !== false

/** How many rows a numbered page skips. */
export const skippedRowCount = ({ from, size }: PageRequest<string>): number =>
  'page' in from ? (from.page - 1) * size : 0

export const pageTooDeep = () => new AppError('page_too_deep', 'The page is too deep in the list: use next_cursor')

export const invalidCursor = () =>
  new AppError('invalid_cursor', 'The cursor is invalid, or belongs to another sort or definition')
