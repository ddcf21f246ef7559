import { PAGE_SIZE } from '../../domain/page.ts'

/**
 * How much of `RATE_LIMIT` a request uses: one, and more for expensive requests. docs/errors.md shows this table to
 * users; a test compares the two.
 */
export const COST = {
  request: 1,
  /** For this number of further rows of a page. */
  furtherRows: 1,
  rows: PAGE_SIZE.default,
  /** For a search (`q`), in addition to its page. */
  search: 4,
  /** For a `filter`, in addition to its page. */
  filter: 4,
  /** For each reference in `expand`, up to this number of them. */
  expandedReference: 1,
  maxExpandedReferences: 10,
  /** For each operation of a batch after the first. */
  furtherOperation: 1,
} as const

const rowsOf = (size: string): number => (/^\d{1,3}$/.test(size) ? Math.min(Number(size), PAGE_SIZE.maximum) : 0)

const expandedCount = (lists: readonly string[]): number => {
  const names = lists.flatMap((list) => list.slice(0, 1_000).split(',')).filter((name) => name !== '')
  return Math.min(names.length, COST.maxExpandedReferences)
}

/** The cost of a request by its URL, the only information available before admission. */
export const costOf = ({ method, url }: Pick<Request, 'method' | 'url'>): number => {
  const at = url.indexOf('?')
  if (at === -1 || method !== 'GET') return COST.request
  const query = new URLSearchParams(url.slice(at + 1))
  const rows = Math.max(...query.getAll('size').map(rowsOf), COST.rows)
  const isGiven = (name: string) => query.getAll(name).some((value) => value !== '')
  return (
    COST.request +
    (Math.ceil(rows / COST.rows) - 1) * COST.furtherRows +
    (isGiven('q') ? COST.search : 0) +
    (isGiven('filter') ? COST.filter : 0) +
    expandedCount(query.getAll('expand')) * COST.expandedReference
  )
}

/** The cost of a batch beyond {@link costOf}, known once its body has been read. */
export const furtherCostOf = (operationCount: number): number => Math.max(0, operationCount - 1) * COST.furtherOperation
