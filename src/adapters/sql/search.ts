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
  /** Null for everyone's. */
  readonly ownerId: number | null
  readonly createdAfter: Instant | null
  readonly createdBefore: Instant | null
}

/** What a row is tested and sorted by. */
export interface Candidate {
  readonly id: number
  readonly ownerId: number
  readonly createdAt: Instant
  /** What the list is sorted by. */
  readonly key: string | number
  readonly text: string
}

/** What one step of a search in the text index found. */
export interface Step {
  /** Newest first. */
  readonly ids: readonly number[]
  /** Nothing at or above this id is left to be found; null when nothing at all is. */
  readonly reached: number | null
  readonly cost: number
  /** Whether every id is that of a match, as far as words and owner go. */
  readonly isExact: boolean
}

export interface Matching {
  readonly ownerId: number | null
  /** Ids from here on are left out. */
  readonly before: number
}

/** A table and its text index. What each of these costs is bounded, whatever is stored and asked. */
export interface SearchSource<Field extends string, T> {
  /** Looks through the text index, step by step. */
  matching(words: readonly string[], matching: Matching): () => Step | Promise<Step>
  /** Of these rows, those that are still there, in no order; without their text, unless it is asked for. */
  candidates(
    ids: readonly number[],
    options: { readonly field: Field; readonly withText: boolean },
  ): readonly Candidate[] | Promise<readonly Candidate[]>
  /** Up to {@link WALK_PIECE_COUNT} rows of an owner in the order of the sort. Dates may be left to the caller. */
  walk(
    query: Query<Field>,
    options: { readonly after: Position | null; readonly withText: boolean },
  ): readonly Candidate[] | Promise<readonly Candidate[]>
  /** In the order of the ids; what is gone is left out. */
  rows(ids: readonly number[]): readonly T[] | Promise<readonly T[]>
  /** Without regard to words, and no further than one beyond {@link MAX_TOTAL_COUNT}. */
  count(query: Query<Field>): number | Promise<number>
}

export const WALK_PIECE_COUNT = 100

/** What one request may cost, in units of about a quarter of a microsecond: 100 ms. What is left is for the next page. */
const MAX_COST = 400_000
/** What one step may cost. */
const MAX_STEP_COST = 4_000
/** Each of these may have 10 000 rows in memory. */
const MAX_SORTING_COUNT = 4
/** Of reading one row to test it. */
const ROW_COST = 20

const NEWEST = Number.MAX_SAFE_INTEGER

const utf8 = new TextEncoder()

/** Text by code point, as both engines sort it. */
const compareKeys = (one: string | number, other: string | number): number =>
  typeof one === 'number' || typeof other === 'number'
    ? Number(one) - Number(other)
    : Buffer.compare(utf8.encode(one), utf8.encode(other))

const costOf = ({ text }: Candidate): number => ROW_COST + costOfMatching(text)

/** Parts that each cost about as much as one step may. */
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
 * Finds records by words and dates, in any order, step by step: each step is short, others have their turn between two,
 * and a request that would take too many ends early and says where to go on.
 */
export const createSearch = <Field extends string, T>(source: SearchSource<Field, T>, runStep: RunStep) => {
  const runSortStep = createStepQueue({ limit: MAX_SORTING_COUNT })

  const test = (query: Query<Field>, words: readonly string[], each: Candidate): boolean =>
    (query.ownerId === null || each.ownerId === query.ownerId) &&
    (query.createdAfter === null || each.createdAt > query.createdAfter) &&
    (query.createdBefore === null || each.createdAt < query.createdBefore) &&
    matchesWords(each.text, words)

  /** The candidates that match, and what testing them cost. */
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

  /** Pieces of what matches, newest first, until `isEnough` or the cost is spent. Answers where it stopped. */
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

  /** In the order of the text index itself: read only as far as the page goes, and counted on. */
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

  /** The cursor of a page that ends with this id, whether or not the row is still there. */
  const positionOf = async ({ ownerId, sort }: Query<Field>, id: number): Promise<Position> => {
    const [row] = await runStep(ownerId, () => source.candidates([id], { field: sort.field, withText: false }))
    return { key: row?.key ?? 0, id }
  }

  /** In the order of the sort, each row tested. Where most rows match, a page is soon full. */
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

  /** All that match are found and sorted, or, if they are too many, met on a walk in the order of the sort. */
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
    /** Records that contain all of these words, of which there is at least one. */
    byWords: (query: Query<Field>, words: readonly string[]): Promise<Page<T>> =>
      query.sort.field === 'created_at' && query.sort.descending
        ? newestFirst(query, words)
        : runSortStep(query.ownerId, () => sorted(query, words)),

    /** Those between two dates, in an order that no index keeps for them. */
    async byDates(query: Query<Field>): Promise<Page<T>> {
      const total = isCounted(query)
        ? totalOf(await runStep(query.ownerId, () => source.count(query)))
        : { total: null }
      return walked(query, [], total)
    },
  }
}
