import { endOf, nextToRead, rowAt, unreadParts, withPage } from './list-parts.ts'
import type { Page } from './types.ts'

/** Beyond this, a filter finds a record sooner than scrolling. */
export const MAX_LISTED_COUNT = 200_000

/** What is known of a list. */
export interface ListView<T> {
  /** The rows known so far. */
  readonly count: number
  /** Whether there are no more. */
  readonly isComplete: boolean
  /** The totals that came with the first page; null before it has been read. */
  readonly first: Pick<Page<T>, 'total' | 'total_at_least'> | null
  /** Why reading has stopped, until the list is refreshed. */
  readonly error: Error | null
  readonly isReading: boolean
  /** The row at a position; null while it is not in memory. */
  readonly at: (index: number) => T | null
}

interface Options<T> {
  /** Reads the page after a cursor, or the first one. */
  readonly read: (cursor: string | null) => Promise<Page<T>>
  readonly onChange: () => void
}

/**
 * A list of the API that is read by cursor as it is scrolled. Pages far from what is looked at are dropped and read again
 * when they are looked at. Where rows have been added or removed, the pages that follow are read anew, so that nothing is
 * missing between two of them.
 */
export const createLongList = <T>({ read, onChange }: Options<T>) => {
  let parts = unreadParts<T>()
  let shown = { first: 0, last: 0 }
  let isComplete = false
  let first: ListView<T>['first'] = null
  let error: Error | null = null
  let isReading = false
  let isOver = false

  const isFull = (): boolean => endOf(parts) >= MAX_LISTED_COUNT

  const take = (index: number, page: Page<T>): void => {
    const { items, next_cursor: next, ...totals } = page
    if (index === 0) first = totals
    isComplete = next === null || (isComplete && parts.length > index + 1)
    parts = withPage(parts, index, page)
  }

  /** Reads one page after the other, as long as one is missing of what is shown. */
  const readOn = async (): Promise<void> => {
    if (isReading || isOver || error !== null) return
    const index = nextToRead(parts, shown)
    const part = parts[index]
    if (part === undefined || (part.count === 0 && isFull())) return
    isReading = true
    // Before it is read, so that a refresh meanwhile has it read again.
    parts = parts.with(index, { ...part, isStale: false })
    try {
      const page = await read(part.cursor)
      if (isOver) return
      take(index, page)
    } catch (failure) {
      error = failure instanceof Error ? failure : new Error(String(failure))
    }
    isReading = false
    void readOn()
    if (!isOver) onChange()
  }

  const view = (): ListView<T> => {
    const known = parts
    return {
      count: endOf(known),
      isComplete: isComplete || isFull(),
      first,
      error,
      isReading,
      at: (index) => rowAt(known, index),
    }
  }

  return {
    view,
    /** Reads what is missing of the rows from `from` to `to`. */
    show(from: number, to: number): void {
      shown = { first: from, last: to }
      void readOn()
    },
    /** Reads again what is looked at, and everything else when it is looked at. */
    refresh(): void {
      error = null
      parts = parts.map((part) => ({ ...part, isStale: true }))
      void readOn()
    },
    /** What is being read is no longer wanted. */
    stop(): void {
      isOver = true
    },
  }
}
