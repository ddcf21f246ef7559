import { MAX_STEP_COST, type Matching, type Step } from '../sql/search-source.ts'
import { collectionTerm, type LookUpTerm, lookUpTermOf, ownerTerm } from '../sql/terms.ts'

/** Reads a list: ids below `before`, newest first. The only operation on the index, because its cost is bounded. */
export type ReadPostings = (match: string, before: number, limit: number) => readonly number[]

const FIRST_PIECE_COUNT = 64
const MAX_FETCHED_COUNT = 2_048
/** The cost of seeking in a list, in ids read. */
const SEEK_COST = 400
const MAX_STEP_COUNT = 128

const matchOf = ({ term, isPrefix }: LookUpTerm): string => `"${term}"${isPrefix ? ' *' : ''}`

interface List {
  /** The newest id of the list that is not above `id`; null if there is none. */
  seek(id: number): number | null
  /** All ids of the list, if it is short. */
  readonly few: readonly number[] | null
}

/**
 * Intersects lists of ids step by step, by seeking the next id of one list in another. FTS5's AND could do the same,
 * but does not stop until it finds a match, however far away.
 */
export const createIntersection = (
  read: ReadPostings,
  words: readonly string[],
  { ownerId, collectionId, before }: Matching,
): (() => Step) => {
  let cost = 0

  const open = (match: string): List => {
    let ids = read(match, before, FIRST_PIECE_COUNT)
    let at = 0
    let visited = 0
    let count = FIRST_PIECE_COUNT
    let isDone = ids.length < count
    cost += SEEK_COST + ids.length
    return {
      few: isDone ? ids : null,
      seek(id) {
        while (at < ids.length && (ids[at] ?? 0) > id) at++
        visited++
        cost++
        if (at < ids.length) return ids[at] ?? null
        if (isDone) return null
        // A list that is mostly skipped is read in small batches.
        count =
          visited * 4 < ids.length ? Math.max(FIRST_PIECE_COUNT, count / 4) : Math.min(MAX_FETCHED_COUNT, count * 2)
        ids = read(match, id + 1, count)
        isDone = ids.length < count
        at = 0
        visited = 0
        cost += SEEK_COST + ids.length
        return ids[0] ?? null
      },
    }
  }

  let lists: readonly List[] | null = null
  const terms = words.map(lookUpTermOf)
  const isExact = terms.every((term) => term.isExact)
  const matches = [
    ...terms.map(matchOf),
    ...(collectionId === undefined ? [] : [`"${collectionTerm(collectionId)}"`]),
    ...(ownerId === null ? [] : [`"${ownerTerm(ownerId)}"`]),
  ]
  let target = before - 1

  /** Searches until the end of a step. */
  const intersect = (all: readonly List[]): Omit<Step, 'cost' | 'isExact'> => {
    const ids: number[] = []
    let agreed = 0
    for (let turn = 0; cost < MAX_STEP_COST && ids.length < MAX_STEP_COUNT; turn = (turn + 1) % all.length) {
      const id = all[turn]?.seek(target) ?? null
      if (id === null) return { ids, reached: null }
      agreed = id === target ? agreed + 1 : 1
      target = id
      if (agreed < all.length) continue
      ids.push(target)
      target--
      agreed = 0
    }
    return { ids, reached: target + 1 }
  }

  return () => {
    cost = 0
    if (lists === null) {
      lists = matches.map(open)
      const few = lists.flatMap((list) => (list.few === null ? [] : [list.few]))
      const [fewest] = few.sort((one, other) => one.length - other.length)
      // Reading a few records costs less than seeking each of them in every list.
      if (fewest !== undefined) return { ids: fewest, reached: null, cost, isExact: isExact && lists.length === 1 }
    }
    return { ...intersect(lists), cost, isExact }
  }
}
