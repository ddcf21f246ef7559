import { MAX_TOTAL_COUNT } from '../../domain/page.ts'
import { MAX_STEP_COST, type Matching, type RunMatching, type Step } from '../sql/search-source.ts'
import { collectionTerm, type LookUpTerm, lookUpTermOf, ownerTerm } from '../sql/terms.ts'
import type { WordLists } from './word-lists.ts'

const FIRST_PIECE_COUNT = 64
const MAX_FETCHED_COUNT = 2_048
/** The cost of seeking in a list, in ids read. */
const SEEK_COST = 400
const MAX_STEP_COUNT = 128

const matchOf = ({ term, isPrefix }: LookUpTerm): string => `"${term}"${isPrefix ? ' *' : ''}`

interface Meter {
  cost: number
}

interface List {
  /** The newest id of the list that is not above `id`; null if there is none. */
  seek(id: number): number | null
  /** All ids of the list, if it is short. */
  readonly few: readonly number[] | null
}

const openList = (lists: WordLists, match: string, before: number, meter: Meter): List => {
  let ids: readonly number[] = []
  let at = 0
  let visited = 0
  let count = FIRST_PIECE_COUNT
  let isDone = false
  let sought = before - 1
  const readFrom = (id: number) => {
    ids = lists.read(match, id + 1, count)
    isDone = ids.length < count
    at = 0
    visited = 0
    meter.cost += SEEK_COST + ids.length
  }
  readFrom(sought)
  return {
    few: isDone ? ids : null,
    seek(id) {
      const isBehind = id > sought
      sought = id
      if (isBehind) {
        count = FIRST_PIECE_COUNT
        readFrom(id)
      }
      while (at < ids.length && (ids[at] ?? 0) > id) at++
      visited++
      meter.cost++
      if (at < ids.length) return ids[at] ?? null
      if (isDone) return null
      // A list that is mostly skipped is read in small batches.
      count = visited * 4 < ids.length ? Math.max(FIRST_PIECE_COUNT, count / 4) : Math.min(MAX_FETCHED_COUNT, count * 2)
      readFrom(id)
      return ids[0] ?? null
    },
  }
}

interface Met {
  readonly id: number
  /** Whether all lists have it. If not, the cost of a step was used up. */
  readonly isMatch: boolean
}

/** Seeks the next id that all lists have, not above `from`; null if there is none. */
const meet = (all: readonly List[], from: number, meter: Meter): Met | null => {
  let target = from
  let agreed = 0
  for (let turn = 0; meter.cost < MAX_STEP_COST; turn = (turn + 1) % all.length) {
    const id = all[turn]?.seek(target) ?? null
    if (id === null) return null
    agreed = id === target ? agreed + 1 : 1
    target = id
    if (agreed === all.length) return { id, isMatch: true }
  }
  return { id: target, isMatch: false }
}

/** Ids that FTS5 searches in one go: 2 ms, or 7 ms if lists take turns without ever having the same id. */
const MAX_RANGE = 131_072
/** FTS5 passes 20 ids of a list in the time in which one is read. */
const PASSED_PER_READ_COUNT = 20
/** Matches of a range. The first ranges are narrow, because a page may be all that is wanted. */
const RANGE_COUNT = { least: 16, first: 64, most: 2_600 } as const
const MAX_RANGE_READ_COUNT = 4_000
/** With fewer in a step, it is not known how often matches occur. */
const MIN_KNOWN_COUNT = 4

type Searched = Pick<Step, 'ids' | 'counted' | 'reached'>

/**
 * Searches lists for the ids that all of them have. Seeking costs as much for each match as FTS5 takes for some ten
 * thousand ids, but is bounded anywhere. Where matches occur often, FTS5 searches a range. It begins at the newest match of
 * all and ends at the next one behind the range, so both have to be near.
 */
const createSearchOf = (lists: WordLists, matches: readonly string[], all: readonly List[], meter: Meter) => {
  /** Ids per match; null if matches are rare. */
  let gap: number | null = null
  let rangeCount: number = RANGE_COUNT.first
  /** Whether FTS5 finds the newest match of all soon; null if that is not known yet. */
  let beginsSoon: boolean | null = null

  const setGap = (passed: number, found: number) => {
    const isKnown = found >= MIN_KNOWN_COUNT && (passed / found) * RANGE_COUNT.least <= MAX_RANGE
    gap = isKnown ? passed / found : null
  }

  const seekMatches = (from: number): Searched => {
    const ids: number[] = []
    let target = from
    while (meter.cost < MAX_STEP_COST && ids.length < MAX_STEP_COUNT) {
      const met = meet(all, target, meter)
      if (met === null) return { ids, reached: null }
      target = met.id
      if (!met.isMatch) break
      ids.push(target--)
    }
    setGap(from - target, ids.length)
    rangeCount = Math.max(rangeCount, RANGE_COUNT.least)
    return { ids, reached: target + 1 }
  }

  const findBeginning = (from: number): Searched => {
    const newest = Math.max(...all.map((list) => list.seek(Number.MAX_SAFE_INTEGER) ?? 0))
    const met = meet(all, newest, meter)
    beginsSoon = met?.isMatch === true && newest - met.id <= MAX_RANGE
    return { ids: [], reached: from + 1 }
  }

  const searchRange = (first: number, width: number, countsOnly: boolean): Searched => {
    const end = meet(all, first - width, meter)
    if (end !== null && !end.isMatch) {
      rangeCount /= 4
      return { ids: [], reached: first + 1 }
    }
    rangeCount = Math.min(RANGE_COUNT.most, rangeCount * 8)
    // Without a match behind it, one of the lists ends.
    const range = { from: (end?.id ?? 0) + 1, before: first + 1 }
    const within = countsOnly ? [] : lists.readCommon(matches, range, MAX_RANGE_READ_COUNT)
    const isWhole = within.length < MAX_RANGE_READ_COUNT
    const last = end !== null && isWhole ? [end.id] : []
    const ids = countsOnly ? [] : [...within, ...last]
    const counted = countsOnly ? lists.countCommon(matches, range, MAX_TOTAL_COUNT + 1) + last.length : 0
    const reached = isWhole ? (end?.id ?? null) : (within.at(-1) ?? null)
    const passed = Math.min(MAX_RANGE, first + 1 - (reached ?? 0))
    meter.cost += all.length * (SEEK_COST + passed / PASSED_PER_READ_COUNT) + ids.length + counted / 2
    setGap(passed, ids.length + counted)
    return { ids, counted, reached }
  }

  return (from: number, countsOnly: boolean): Searched => {
    if (gap === null || all.length === 1 || rangeCount < RANGE_COUNT.least) return seekMatches(from)
    if (beginsSoon === false) return seekMatches(from)
    if (beginsSoon === null) return findBeginning(from)
    return searchRange(from, Math.ceil(Math.min(MAX_RANGE, gap * rangeCount)), countsOnly)
  }
}

/** Intersects lists of ids step by step. */
export const createIntersection = (
  lists: WordLists,
  words: readonly string[],
  { ownerId, collectionId, before }: Matching,
): RunMatching<Step> => {
  const meter: Meter = { cost: 0 }
  const terms = words.map(lookUpTermOf)
  const isExact = terms.every((term) => term.isExact)
  const matches = [
    ...terms.map(matchOf),
    ...(collectionId === undefined ? [] : [`"${collectionTerm(collectionId)}"`]),
    ...(ownerId === null ? [] : [`"${ownerTerm(ownerId)}"`]),
  ]
  let search: ReturnType<typeof createSearchOf> | null = null
  let first = before - 1

  return (countsOnly = false) => {
    meter.cost = 0
    if (search === null) {
      const all = matches.map((match) => openList(lists, match, before, meter))
      const few = all.flatMap((list) => (list.few === null ? [] : [list.few]))
      const [fewest] = few.sort((one, other) => one.length - other.length)
      // Reading a few records costs less than seeking each of them in every list.
      if (fewest !== undefined) {
        return { ids: fewest, reached: null, cost: meter.cost, isExact: isExact && all.length === 1 }
      }
      search = createSearchOf(lists, matches, all, meter)
    }
    const searched = search(first, countsOnly && isExact)
    first = (searched.reached ?? 0) - 1
    return { ...searched, cost: meter.cost, isExact }
  }
}
