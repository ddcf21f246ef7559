import { type Candidate, matchesQuery, partsOf, type Query, type SearchSource } from './search-source.ts'
import type { RunStep } from './step-queue.ts'

interface Options {
  /** Ids from this one on are excluded. */
  readonly before: number
  readonly testAll: boolean
  readonly maxCost: number
  /** Whether only the number of further matches is wanted. */
  readonly countsOnly?: () => boolean
}

interface Found {
  /** Newest first. */
  readonly ids: readonly number[]
  /** Those of the ids, if all are tested. */
  readonly rows: readonly Candidate[]
  /** Further matches, of which only the number is known. */
  readonly counted: number
}

/** Finds the rows of a query in the text index, newest first. */
export const createMatchFinder = <Field extends string, T>(source: SearchSource<Field, T>, runStep: RunStep) => {
  /** Those of the rows that match, newest first, and the cost of testing. */
  const select = async (query: Query<Field>, words: readonly string[], ids: readonly number[]) => {
    const { ownerId, sort } = query
    const read = () => source.candidates(ids, { field: sort.field, withText: words.length > 0 })
    const candidates = await runStep(ownerId, read)
    const rows: Candidate[] = []
    let cost = 0
    for (const part of partsOf(candidates)) {
      await runStep(ownerId, () => {
        for (const each of part.rows) if (matchesQuery(query, words, each)) rows.push({ ...each, text: '' })
      })
      cost += part.cost
    }
    rows.sort((one, other) => other.id - one.id)
    return { found: { ids: rows.map(({ id }) => id), rows, counted: 0 }, cost }
  }

  /**
   * Passes batches of matches to `onFound`, newest first, until it returns true or the cost is used up. Returns the
   * position where it stopped.
   */
  return async (
    query: Query<Field>,
    words: readonly string[],
    { before, testAll, maxCost, countsOnly }: Options,
    onFound: (found: Found) => boolean,
  ): Promise<number | null> => {
    const { ownerId } = query
    const { maxCandidatesCount } = source
    const step = source.matching(words, { ownerId, before })
    for (let cost = 0; ; ) {
      const isCount = !testAll && countsOnly?.() === true
      const { ids, counted = 0, reached, isExact, cost: stepCost } = await runStep(ownerId, () => step(isCount))
      cost += stepCost
      const isTested = testAll || !isExact
      if (!isTested && onFound({ ids, rows: [], counted })) return reached
      for (let at = 0; isTested && at < ids.length; at += maxCandidatesCount) {
        const some = ids.slice(at, at + maxCandidatesCount)
        const { found, cost: testCost } = await select(query, isExact ? [] : words, some)
        cost += testCost
        const passed = at + maxCandidatesCount < ids.length ? (some.at(-1) ?? reached) : reached
        if (onFound(found) || cost >= maxCost) return passed
      }
      if (reached === null || cost >= maxCost) return reached
    }
  }
}
