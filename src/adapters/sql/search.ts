import {
  isCounted,
  MAX_TOTAL_COUNT,
  type Page,
  type PageRequest,
  type Position,
  pageTooDeep,
  skippedRowCount,
  totalOf,
} from '../../domain/page.ts'
import type { Instant } from '../../domain/user.ts'
import { costOfMatching, matchesWords } from '../../domain/words.ts'
import { createStepQueue, type RunStep } from './step-queue.ts'

export interface Query<Field extends string> extends PageRequest<Field> {
  /** Null for all owners. */
  readonly ownerId: number | null
  readonly createdAfter: Instant | null
  readonly createdBefore: Instant | null
}

/** The parts of a row that are tested and sorted by. */
export interface Candidate {
  readonly id: number
  readonly ownerId: number
  readonly createdAt: Instant
  /** The sort key. */
  readonly key: string | number
  readonly text: string
}

/** The result of one step of a text index search. */
export interface Step {
  /** Newest first. */
  readonly ids: readonly number[]
  /** No further match is at or above this id; null if there are no more matches. */
  readonly reached: number | null
  readonly cost: number
  /** Whether every id is a match with regard to words and owner. */
  readonly isExact: boolean
}

export interface Matching {
  readonly ownerId: number | null
  /** Ids from this one on are excluded. */
  readonly before: number
}

/** A table and its text index. The cost of each operation is bounded for any data and query. */
export interface SearchSource<Field extends string, T> {
  /** Searches the text index, step by step. */
  matching(words: readonly string[], matching: Matching): () => Step | Promise<Step>
  /** Those of the given rows that still exist, in no order; with their text only if requested. */
  candidates(
    ids: readonly number[],
    options: { readonly field: Field; readonly withText: boolean },
  ): readonly Candidate[] | Promise<readonly Candidate[]>
  /** Up to {@link WALK_PIECE_COUNT} rows of an owner in the order of the sort. The caller may have to check dates. */
  walk(
    query: Query<Field>,
    options: { readonly after: Position | null; readonly withText: boolean },
  ): readonly Candidate[] | Promise<readonly Candidate[]>
  /** In the order of the ids; without deleted rows. */
  rows(ids: readonly number[]): readonly T[] | Promise<readonly T[]>
  /** Counts without regard to words, up to one beyond {@link MAX_TOTAL_COUNT}. */
  count(query: Query<Field>): number | Promise<number>
}

export const WALK_PIECE_COUNT = 100

/** The maximum cost of a request, in units of about 0.25 µs: 100 ms. The rest is left to the next page. */
const MAX_COST = 400_000
/** The maximum cost of a step. */
const MAX_STEP_COST = 4_000
/** Each running search may have 10 000 rows in memory. */
const MAX_SORTING_COUNT = 4
/** The cost of reading one row to test it. */
const ROW_COST = 20

const NEWEST = Number.MAX_SAFE_INTEGER

const utf8 = new TextEncoder()

/** Text by code point, as both engines sort it. */
const compareKeys = (one: string | number, other: string | number): number =>
  typeof one === 'number' || typeof other === 'number'
    ? Number(one) - Number(other)
    : Buffer.compare(utf8.encode(one), utf8.encode(other))

const costOf = ({ text }: Candidate): number => ROW_COST + costOfMatching(text)

/** Splits work into parts of about the cost of one step. */
const partsOf = (candidates: readonly Candidate[]): readonly { rows: Candidate[]; cost: number }[] => {
  const parts: { rows: Candidate[]; cost: number }[] = []
  for (const candidate of candidates) {
    const cost = costOf(candidate)
    const last = parts.at(-1)
    if (last === undefined || last.cost + cost > MAX_STEP_COST) parts.push({ rows: [candidate], cost })
    else {
      last.rows.push(candidate)
      last.cost += cost
    }
  }
  return parts
}

const isDated = ({ createdAfter, createdBefore }: Query<string>): boolean =>
  createdAfter !== null || createdBefore !== null

/**
 * Finds records by words and dates, in any order, step by step: each step is short, other work runs between steps, and
 * a request that needs too many ends early with a cursor.
 */
export const createSearch = <Field extends string, T>(source: SearchSource<Field, T>, runStep: RunStep) => {
  const runSortStep = createStepQueue({ limit: MAX_SORTING_COUNT })

  const test = (query: Query<Field>, words: readonly string[], each: Candidate): boolean =>
    (query.ownerId === null || each.ownerId === query.ownerId) &&
    (query.createdAfter === null || each.createdAt > query.createdAfter) &&
    (query.createdBefore === null || each.createdAt < query.createdBefore) &&
    matchesWords(each.text, words)

  /** The matches, and the cost of testing. */
  const select = async (query: Query<Field>, words: readonly string[], candidates: readonly Candidate[]) => {
    const found: Candidate[] = []
    let cost = 0
    for (const part of partsOf(candidates)) {
      await runStep(query.ownerId, () => {
        for (const each of part.rows) if (test(query, words, each)) found.push({ ...each, text: '' })
      })
      cost += part.cost
    }
    return { found, cost }
  }

  /**
   * Yields batches of matches, newest first, until `isEnough` or the cost is used up. Returns the position where it
   * stopped.
   */
  const look = async (
    query: Query<Field>,
    words: readonly string[],
    options: { readonly before: number; readonly testAll: boolean; readonly maxCost: number },
    onFound: (ids: readonly number[], rows: readonly Candidate[]) => boolean,
  ): Promise<number | null> => {
    const { ownerId, sort } = query
    const step = source.matching(words, { ownerId, before: options.before })
    for (let cost = 0; ; ) {
      const { ids, reached, isExact, cost: stepCost } = await runStep(ownerId, step)
      cost += stepCost
      if (!isExact || options.testAll) {
        const rows = await runStep(ownerId, () => source.candidates(ids, { field: sort.field, withText: !isExact }))
        const selected = await select(query, isExact ? [] : words, rows)
        cost += selected.cost
        const newestFirst = selected.found.sort((one, other) => other.id - one.id)
        const found = newestFirst.map(({ id }) => id)
        if (onFound(found, newestFirst)) return reached
      } else if (onFound(ids, [])) return reached
      if (reached === null || cost >= options.maxCost) return reached
    }
  }

  /** In the order of the text index: reads only as far as the page needs, and then only counts. */
  const newestFirst = async (query: Query<Field>, words: readonly string[]): Promise<Page<T>> => {
    const { size, from } = query
    const skipped = skippedRowCount(query)
    const counted = isCounted(query)
    const page: number[] = []
    let count = 0
    const before = 'page' in from ? NEWEST : from.after.id
    const options = { before, testAll: isDated(query), maxCost: MAX_COST }
    const reached = await look(query, words, options, (ids) => {
      for (const id of ids) if (++count > skipped && page.length <= size) page.push(id)
      return page.length > size && (!counted || count > MAX_TOTAL_COUNT)
    })
    if (page.length <= size && reached !== null && count <= skipped && skipped > 0) throw pageTooDeep()
    const shown = page.slice(0, size)
    const last = page.length > size ? shown.at(-1) : (reached ?? undefined)
    const items = await runStep(query.ownerId, () => source.rows(shown))
    const next = last === undefined ? null : await positionOf(query, last)
    return { items, ...(counted ? totalOf(count, reached === null) : { total: null }), next }
  }

  /** The cursor of a page that ends with this id, even if the row has been deleted. */
  const positionOf = async ({ ownerId, sort }: Query<Field>, id: number): Promise<Position> => {
    const [row] = await runStep(ownerId, () => source.candidates([id], { field: sort.field, withText: false }))
    return { key: row?.key ?? 0, id }
  }

  /** Scans in sort order and tests each row. If many rows match, a page fills quickly. */
  const walk = async (query: Query<Field>, words: readonly string[], maxCost: number) => {
    const { ownerId, size, from } = query
    const skipped = skippedRowCount(query)
    const page: Candidate[] = []
    let count = 0
    let cost = 0
    let after: Position | null = 'page' in from ? null : from.after
    while (page.length <= size) {
      const start = after
      const rows = await runStep(ownerId, () => source.walk(query, { after: start, withText: words.length > 0 }))
      for (const part of partsOf(rows)) {
        await runStep(ownerId, () => {
          for (const each of part.rows) {
            if (page.length > size) return
            after = each
            if (test(query, words, each) && ++count > skipped) page.push(each)
          }
        })
        cost += part.cost
        if (page.length > size || cost > maxCost) break
      }
      if (page.length > size) break
      if (rows.length < WALK_PIECE_COUNT && after === (rows.at(-1) ?? start)) return { page, next: null }
      if (cost > maxCost) {
        if (count <= skipped && skipped > 0) throw pageTooDeep()
        return { page, next: after }
      }
    }
    const last = page[size - 1] ?? null
    return { page: page.slice(0, size), next: last }
  }

  const walked = async (
    query: Query<Field>,
    words: readonly string[],
    total: Pick<Page<T>, 'total' | 'totalAtLeast'>,
  ) => {
    const { page, next } = await walk(query, words, MAX_COST)
    const items = await runStep(query.ownerId, () => source.rows(page.map(({ id }) => id)))
    return { items, ...total, next: next && { key: next.key, id: next.id } }
  }

  /** Finds and sorts all matches, or, if there are too many, scans in sort order. */
  const sorted = async (query: Query<Field>, words: readonly string[]): Promise<Page<T>> => {
    const { sort, size, from } = query
    const all: Candidate[] = []
    const options = { before: NEWEST, testAll: true, maxCost: MAX_COST * 0.75 }
    const reached = await look(query, words, options, (_, rows) => {
      all.push(...rows)
      return all.length > MAX_TOTAL_COUNT
    })
    const total = isCounted(query) ? totalOf(all.length, reached === null) : { total: null }
    if (reached !== null) return walked(query, words, total)
    const sign = sort.descending ? -1 : 1
    const compare = (one: Position, other: Position) => sign * (compareKeys(one.key, other.key) || one.id - other.id)
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
