import { PAGE_SIZE } from '../../domain/page.ts'

/**
 * What a request takes of `RATE_LIMIT`: one, and more for what costs the server more. docs/errors.md shows this table to
 * users; a test compares the two.
 */
export const COST = {
  request: 1,
  /** Each further so many rows of a page. */
  furtherRows: 1,
  rows: PAGE_SIZE.default,
  /** `q`, on top of its page. */
  search: 4,
  /** Each operation of a batch but the first. */
  furtherOperation: 1,
} as const

const rowsOf = (size: string): number => (/^\d{1,3}$/.test(size) ? Math.min(Number(size), PAGE_SIZE.maximum) : 0)

/** The cost of a request by its URL alone, which is all that is known before it is admitted. */
export const costOf = ({ method, url }: Pick<Request, 'method' | 'url'>): number => {
  const at = url.indexOf('?')
  if (at === -1 || method !== 'GET') return COST.request
  const query = new URLSearchParams(url.slice(at + 1))
  const rows = Math.max(...query.getAll('size').map(rowsOf), COST.rows)
  const searches = query.getAll('q').some((words) => words !== '')
  return COST.request + (Math.ceil(rows / COST.rows) - 1) * COST.furtherRows + (searches ? COST.search : 0)
}

/** What a batch costs beyond {@link costOf}, known once its body was read. */
export const furtherCostOf = (operationCount: number): number => Math.max(0, operationCount - 1) * COST.furtherOperation
