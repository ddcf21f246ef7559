import type { Page } from './types.ts'

/** Pages that stay in memory: those near what is looked at. */
const MAX_KEPT_PAGES_COUNT = 10

/** What is known of one page of a list. */
export interface Part<T> {
  /** Where it begins; null for the first. */
  readonly cursor: string | null
  /** The position of its first row in the list. */
  readonly start: number
  readonly count: number
  /** Null before it is read, and after it was dropped to bound memory. */
  readonly items: readonly T[] | null
  readonly isStale: boolean
}

export type Parts<T> = readonly Part<T>[]

const NEW_PART = { start: 0, count: 0, items: null, isStale: false } as const

/** A list of which nothing has been read. */
export const unreadParts = <T>(): Parts<T> => [{ cursor: null, ...NEW_PART }]

/** How many rows are known. */
export const endOf = <T>(parts: Parts<T>): number => {
  const last = parts.at(-1)
  return last === undefined ? 0 : last.start + last.count
}

/** The first part with rows from `first` to `last` that is not up to date; -1 if there is none. */
export const nextToRead = <T>(parts: Parts<T>, { first, last }: { first: number; last: number }): number =>
  parts.findIndex(
    ({ start, count, items, isStale }) =>
      start <= last && (count === 0 || start + count > first) && (items === null || isStale),
  )

/** The row at a position; null while it is not in memory. */
export const rowAt = <T>(parts: Parts<T>, index: number): T | null => {
  let [low, high] = [0, parts.length - 1]
  while (low < high) {
    const middle = Math.ceil((low + high) / 2)
    if ((parts[middle]?.start ?? 0) <= index) low = middle
    else high = middle - 1
  }
  const part = parts[low]
  return part?.items?.[index - part.start] ?? null
}

const withStarts = <T>(parts: Parts<T>): Parts<T> => {
  let start = 0
  return parts.map((part) => {
    const placed = part.start === start ? part : { ...part, start }
    start += part.count
    return placed
  })
}

const withoutDistant = <T>(parts: Parts<T>, near: number): Parts<T> => {
  const kept = parts.flatMap(({ items }, index) => (items === null ? [] : [index]))
  const byDistance = kept.toSorted((one, other) => Math.abs(one - near) - Math.abs(other - near))
  const dropped = new Set(byDistance.slice(MAX_KEPT_PAGES_COUNT))
  return dropped.size === 0 ? parts : parts.map((part, index) => (dropped.has(index) ? { ...part, items: null } : part))
}

/** The parts after one that ends where `cursor` begins. They are read anew if they began elsewhere. */
const following = <T>(parts: Parts<T>, index: number, cursor: string): Parts<T> => {
  const [next, ...rest] = parts.slice(index + 1)
  if (next === undefined) return [{ cursor, ...NEW_PART }]
  return [next.cursor === cursor ? next : { ...next, cursor, isStale: true }, ...rest]
}

/** The parts after a page was read at `index`. */
export const withPage = <T>(parts: Parts<T>, index: number, { items, next_cursor: next }: Page<T>): Parts<T> => {
  const former = parts[index]
  if (former === undefined) return parts
  const before = parts.slice(0, index)
  // A page that found nothing within its limits only moves the position.
  if (items.length === 0 && next !== null && index > 0) {
    return withStarts([...before, { ...NEW_PART, cursor: next }, ...parts.slice(index + 1)])
  }
  const part = { ...former, items, count: items.length }
  const read = withStarts([...before, part, ...(next === null ? [] : following(parts, index, next))])
  return withoutDistant(read, index)
}
