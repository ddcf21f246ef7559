import {
  isCounted,
  MAX_TOTAL_COUNT,
  type Page,
  pageTooDeep,
  type RowPosition,
  skippedRowCount,
  totalOf,
} from '../../domain/page.ts'
import { createMatchFinder } from './search-matches.ts'
import { type Candidate, isDated, MAX_COST, type Query, type SearchSource } from './search-source.ts'
import { createWalk } from './search-walk.ts'
import { createStepQueue, type RunStep } from './step-queue.ts'

/** Each running search may have 10 000 rows in memory. */
const MAX_SORTING_COUNT = 4

const NEWEST = Number.MAX_SAFE_INTEGER

const utf8 = new TextEncoder()

/** Text by code point, as both engines sort it. */
const compareKeys = (one: string | number, other: string | number): number =>
  typeof one === 'number' || typeof other === 'number'
    ? Number(one) - Number(other)
    : Buffer.compare(utf8.encode(one), utf8.encode(other))

/**
 * Finds records by words and dates, in any order, step by step: each step is short, other work runs between steps, and
 * a request that needs too many ends early with a cursor.
 */
export const createSearch = <Field extends string, T>(source: SearchSource<Field, T>, runStep: RunStep) => {
  const runSortStep = createStepQueue({ limit: MAX_SORTING_COUNT })
  const findMatches = createMatchFinder(source, runStep)
  const walked = createWalk(source, runStep)

  /** In the order of the text index: reads only as far as the page needs, and then only counts. */
  const newestFirst = async (query: Query<Field>, words: readonly string[]): Promise<Page<T>> => {
    const { size, from } = query
    const skipped = skippedRowCount(query)
    const counted = isCounted(query)
    const page: number[] = []
    let count = 0
    const before = 'page' in from ? NEWEST : from.after.id
    const isFull = () => page.length > size
    const options = { before, testAll: isDated(query), maxCost: MAX_COST, countsOnly: isFull }
    const reached = await findMatches(query, words, options, (found) => {
      for (const id of found.ids) if (++count > skipped && !isFull()) page.push(id)
      count += found.counted
      return isFull() && (!counted || count > MAX_TOTAL_COUNT)
    })
    if (page.length <= size && reached !== null && count <= skipped && skipped > 0) throw pageTooDeep()
    const shown = page.slice(0, size)
    const last = page.length > size ? shown.at(-1) : (reached ?? undefined)
    const items = await runStep(query.ownerId, () => source.rows(shown))
    const next = last === undefined ? null : await positionOf(query, last)
    return { items, ...(counted ? totalOf(count, reached === null) : { total: null }), next }
  }

  /** The cursor of a page that ends with this id, even if the row has been deleted. */
  const positionOf = async ({ ownerId, sort }: Query<Field>, id: number): Promise<RowPosition> => {
    const [row] = await runStep(ownerId, () => source.candidates([id], { field: sort.field, withText: false }))
    return { key: row?.key ?? 0, id }
  }

  /** Finds and sorts all matches, or, if there are too many, scans in sort order. */
  const sorted = async (query: Query<Field>, words: readonly string[]): Promise<Page<T>> => {
    const { sort, size, from } = query
    const all: Candidate[] = []
    const options = { before: NEWEST, testAll: true, maxCost: MAX_COST * 0.75 }
    const reached = await findMatches(query, words, options, ({ rows }) => {
      all.push(...rows)
      return all.length > MAX_TOTAL_COUNT
    })
    const total = isCounted(query) ? totalOf(all.length, reached === null) : { total: null }
    if (reached !== null) return walked(query, words, total)
    const sign = sort.descending ? -1 : 1
    const compare = (one: RowPosition, other: RowPosition) =>
      sign * (compareKeys(one.key, other.key) || one.id - other.id)
    all.sort(compare)
    const rest =
      'page' in from ? all.slice(skippedRowCount(query)) : all.filter((each) => compare(each, from.after) > 0)
    const page = rest.slice(0, size)
    const last = page.at(-1)
    const items = await runStep(query.ownerId, () => source.rows(page.map(({ id }) => id)))
    return { items, ...total, next: rest.length > size && last ? { key: last.key, id: last.id } : null }
  }

  return {
    /** Rows that contain all of these words; there must be at least one word. */
    byWords: (query: Query<Field>, words: readonly string[]): Promise<Page<T>> =>
      query.sort.field === 'created_at' && query.sort.descending
        ? newestFirst(query, words)
        : runSortStep(query.ownerId, () => sorted(query, words)),

    /** Rows between two dates, in an order without an index for dates. */
    async byDates(query: Query<Field>): Promise<Page<T>> {
      const total = isCounted(query)
        ? totalOf(await runStep(query.ownerId, () => source.count(query)))
        : { total: null }
      return walked(query, [], total)
    },
  }
}
