import { type Page, pageTooDeep, type RowPosition, skippedRowCount } from '../../domain/page.ts'
import {
  type Candidate,
  MAX_COST,
  matchesQuery,
  partsOf,
  type Query,
  type SearchSource,
  WALK_PIECE_COUNT,
} from './search-source.ts'
import type { RunStep } from './step-queue.ts'

/** Finds the rows of a query on a walk in the order of its sort. */
export const createWalk = <Field extends string, T>(source: SearchSource<Field, T>, runStep: RunStep) => {
  /** Scans in sort order and tests each row. If many rows match, a page fills quickly. */
  const walk = async (query: Query<Field>, words: readonly string[], maxCost: number) => {
    const { ownerId, size, from } = query
    const skipped = skippedRowCount(query)
    const page: Candidate[] = []
    let count = 0
    let cost = 0
    let after: RowPosition | null = 'page' in from ? null : from.after
    while (page.length <= size) {
      const start = after
      const rows = await runStep(ownerId, () => source.walk(query, { after: start, withText: words.length > 0 }))
      for (const part of partsOf(rows)) {
        await runStep(ownerId, () => {
          for (const each of part.rows) {
            if (page.length > size) return
            after = each
            if (matchesQuery(query, words, each) && ++count > skipped) page.push(each)
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

  return async (query: Query<Field>, words: readonly string[], total: Pick<Page<T>, 'total' | 'totalAtLeast'>) => {
    const { page, next } = await walk(query, words, MAX_COST)
    const items = await runStep(query.ownerId, () => source.rows(page.map(({ id }) => id)))
    return { items, ...total, next: next && { key: next.key, id: next.id } }
  }
}
