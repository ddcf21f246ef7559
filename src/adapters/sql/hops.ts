import { MAX_TOTAL_COUNT, pageTooDeep, type RowPosition } from '../../domain/page.ts'

/** Rows that one statement skips. */
const HOP_COUNT = MAX_TOTAL_COUNT
const MAX_HOPS_COUNT = 100

interface Start {
  readonly after: RowPosition | null
  /** Rows left to skip after `after`. */
  readonly skipped: number
}

/**
 * Skips the rows before a numbered page, a bounded number at a time; `hop` returns the last of a number of rows after a
 * position. Returns the position to read from; null if the list ends before it. Throws `page_too_deep`.
 */
export const skipToPage = async (
  skipped: number,
  from: RowPosition | null,
  hop: (after: RowPosition | null, skipped: number) => Promise<RowPosition | null>,
): Promise<Start | null> => {
  let after = from
  let left = skipped
  for (let hops = 0; left > HOP_COUNT; hops++) {
    if (hops >= MAX_HOPS_COUNT) throw pageTooDeep()
    after = await hop(after, HOP_COUNT)
    if (after === null) return null
    left -= HOP_COUNT
  }
  return { after, skipped: left }
}
