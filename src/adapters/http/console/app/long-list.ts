import type { Page } from './types.ts'

/** Pages that stay in memory: those near what is looked at. */
const MAX_KEPT_PAGES_COUNT = 10

/** Beyond this, a filter finds a record sooner than scrolling. */
export const MAX_LISTED_COUNT = 200_000

interface Part<T> {
  /** Where it begins; null for the first. */
  readonly cursor: string | null
  /** The position of its first row in the list. */
  readonly start: number
  readonly count: number
  /** Null before it is read, and after it was dropped to bound memory. */
  readonly items: readonly T[] | null
  readonly isStale: boolean
}

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

const NEW_PART = { count: 0, items: null, isStale: true } as const

/**
 * A list of the API that is read by cursor as it is scrolled. Pages far from what is looked at are dropped and read again
 * when they are looked at. Where rows have been added or removed, the pages that follow are read anew, so that nothing is
 * missing between two of them.
 */
export const createLongList = <T>({ read, onChange }: Options<T>) => {
  let parts: readonly Part<T>[] = [{ cursor: null, start: 0, ...NEW_PART }]
  let shown = { first: 0, last: 0 }
  let isComplete = false
  let first: ListView<T>['first'] = null
  let error: Error | null = null
  let isReading = false
  let isOver = false

  const end = (): number => {
    const last = parts.at(-1)
    return last === undefined ? 0 : last.start + last.count
  }

  const isShown = ({ start, count }: Part<T>): boolean =>
    start <= shown.last && (count === 0 || start + count > shown.first)

  /** The first part that is looked at and not up to date. */
  const nextToRead = (): number => parts.findIndex((part) => isShown(part) && (part.items === null || part.isStale))

  const withStarts = (changed: readonly Part<T>[]): readonly Part<T>[] => {
    let start = 0
    return changed.map((part) => {
      const placed = part.start === start ? part : { ...part, start }
      start += part.count
      return placed
    })
  }

  const dropDistant = (near: number): void => {
    const kept = parts.flatMap(({ items }, index) => (items === null ? [] : [index]))
    const byDistance = kept.toSorted((one, other) => Math.abs(one - near) - Math.abs(other - near))
    const dropped = new Set(byDistance.slice(MAX_KEPT_PAGES_COUNT))
    if (dropped.size > 0) parts = parts.map((part, index) => (dropped.has(index) ? { ...part, items: null } : part))
  }

  /** The parts after one that ends where `cursor` begins. They are read anew if they began elsewhere. */
  const following = (index: number, cursor: string): readonly Part<T>[] => {
    const [next, ...rest] = parts.slice(index + 1)
    if (next === undefined) return [{ cursor, start: 0, ...NEW_PART }]
    return [next.cursor === cursor ? next : { ...next, cursor, isStale: true }, ...rest]
  }

  const take = (index: number, { items, next_cursor: next, ...page }: Page<T>): void => {
    const former = parts[index]
    if (former === undefined) return
    if (former.cursor === null) first = page
    const before = parts.slice(0, index)
    isComplete = next === null || (isComplete && parts.length > index + 1)
    // A page that found nothing within its limits only moves the position.
    if (items.length === 0 && next !== null && index > 0) {
      parts = withStarts([...before, { ...NEW_PART, cursor: next, start: 0 }, ...parts.slice(index + 1)])
      return
    }
    const part = { ...former, items, count: items.length }
    parts = withStarts([...before, part, ...(next === null ? [] : following(index, next))])
    dropDistant(index)
  }

  const isFull = (): boolean => end() >= MAX_LISTED_COUNT

  const readOn = async (): Promise<void> => {
    if (isReading || error !== null) return
    isReading = true
    for (let index = nextToRead(); index !== -1 && !isOver; index = nextToRead()) {
      const part = parts[index]
      if (part === undefined || (part.count === 0 && isFull())) break
      parts = parts.map((each) => (each === part ? { ...each, isStale: false } : each))
      onChange()
      try {
        const page = await read(part.cursor)
        if (isOver) return
        take(index, page)
      } catch (failure) {
        error = failure instanceof Error ? failure : new Error(String(failure))
        break
      }
    }
    isReading = false
    if (!isOver) onChange()
  }

  const at = (index: number): T | null => {
    let [low, high] = [0, parts.length - 1]
    while (low < high) {
      const middle = Math.ceil((low + high) / 2)
      if ((parts[middle]?.start ?? 0) <= index) low = middle
      else high = middle - 1
    }
    const part = parts[low]
    return part?.items?.[index - part.start] ?? null
  }

  return {
    view: (): ListView<T> => ({ count: end(), isComplete: isComplete || isFull(), first, error, isReading, at }),
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
