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
  /** For each operation of a batch after the first. */
  furtherOperation: 1,
} as const

const rowsOf = (size: string): number => (/^\d{1,3}$/.test(size) ? Math.min(Number(size), PAGE_SIZE.maximum) : 0)

/** The cost of a request by its URL, the only information available before admission. */
export const costOf = ({ method, url }: Pick<Request, 'method' | 'url'>): number => {
  const at = url.indexOf('?')
  if (at === -1 || method !== 'GET') return COST.request
  const query = new URLSearchParams(url.slice(at + 1))
  const rows = Math.max(...query.getAll('size').map(rowsOf), COST.rows)
  const searches = query.getAll('q').some((words) => words !== '')
  return COST.request + (Math.ceil(rows / COST.rows) - 1) * COST.furtherRows + (searches ? COST.search : 0)
}

/** The cost of a batch beyond {@link costOf}, known once its body has been read. */
export const furtherCostOf = (operationCount: number): number => Math.max(0, operationCount - 1) * COST.furtherOperation
