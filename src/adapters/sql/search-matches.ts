import { type Candidate, matchesQuery, partsOf, type Query, type SearchSource } from './search-source.ts'
import type { RunStep } from './step-queue.ts'

/** Finds the rows of a query in the text index, newest first. */
export const createMatchFinder = <Field extends string, T>(source: SearchSource<Field, T>, runStep: RunStep) => {
  /** The matches, and the cost of testing. */
  const select = async (query: Query<Field>, words: readonly string[], candidates: readonly Candidate[]) => {
    const found: Candidate[] = []
    let cost = 0
    for (const part of partsOf(candidates)) {
      await runStep(query.ownerId, () => {
        for (const each of part.rows) if (matchesQuery(query, words, each)) found.push({ ...each, text: '' })
      })
      cost += part.cost
    }
    return { found, cost }
  }

  /**
   * Passes batches of matches to `onFound`, newest first, until it returns true or the cost is used up. Returns the
   * position where it stopped.
   */
  return async (
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
}
