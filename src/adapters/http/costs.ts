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

const expandedCount = (list: string): number =>
  list
    .slice(0, 1_000)
    .split(',')
    .filter((name) => name !== '').length

/** `URLSearchParams` takes many times as long, and most names and values need no decoding. */
const decoded = (text: string): string =>
  /[%+]/.test(text) ? (new URLSearchParams(`text=${text}`).get('text') ?? '') : text

/** The cost of a request by its URL, the only information available before admission. */
export const costOf = ({ method, url }: Pick<Request, 'method' | 'url'>): number => {
  const at = url.indexOf('?')
  if (at === -1 || method !== 'GET') return COST.request
  let rows: number = COST.rows
  let expanded = 0
  let isSearch = false
  let isFiltered = false
  for (const parameter of url.slice(at + 1).split('&')) {
    const [name = '', ...rest] = parameter.split('=')
    const value = rest.join('=')
    if (value === '') continue
    switch (decoded(name)) {
      case 'size':
        rows = Math.max(rows, rowsOf(decoded(value)))
        break
      case 'q':
        isSearch = true
        break
      case 'filter':
        isFiltered = true
        break
      case 'expand':
        expanded += expandedCount(decoded(value))
    }
  }
  return (
    COST.request +
    (Math.ceil(rows / COST.rows) - 1) * COST.furtherRows +
    (isSearch ? COST.search : 0) +
    (isFiltered ? COST.filter : 0) +
    Math.min(expanded, COST.maxExpandedReferences) * COST.expandedReference
  )
}

/** The cost of a batch beyond {@link costOf}, known once its body has been read. */
export const furtherCostOf = (operationCount: number): number => Math.max(0, operationCount - 1) * COST.furtherOperation
