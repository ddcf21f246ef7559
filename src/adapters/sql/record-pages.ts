import type { RecordQuery } from '../../application/ports/records.ts'
import {
  isCounted,
  MAX_TOTAL_COUNT,
  type Page,
  pageTooDeep,
  type RowPosition,
  skippedRowCount,
  totalOf,
} from '../../domain/page.ts'
import type { StoredRecord } from '../../domain/record.ts'
import { type Budget, MAX_STEP_ENTRIES_COUNT } from './record-budget.ts'
import type { Conditions } from './record-conditions.ts'
import { comparePositions, positionIn, type RecordLayout, type SortOrder } from './record-layout.ts'
import type { Order, RecordSource } from './record-source.ts'
import { createEntryStream } from './record-stream.ts'
import type { TestRecords } from './record-tests.ts'

/** One list. */
export interface Listing {
  readonly query: RecordQuery
  readonly layout: RecordLayout
  readonly sort: SortOrder
  readonly source: RecordSource
  readonly words: readonly string[]
  readonly conditions: Conditions
  readonly budget: Budget
  readonly testRecords: TestRecords
}

interface Known {
  /** The number of matches, if it is known. */
  readonly count: number | null
  /** Whether every entry is a match. */
  readonly exact: boolean
}

const MAX_BATCH_COUNT = 200
const MAX_SKIPPED_BATCH_COUNT = 1_000

const wantsDates = ({ sort }: Listing): boolean => 'column' in sort && sort.column === 'created_at'

const positionAfter = ({ from }: RecordQuery): RowPosition | null => ('page' in from ? null : from.after)

/** Tests all of these, in their order; calls `each` until it returns false or the work is spent. */
const testInOrder = async (
  { testRecords, budget }: Listing,
  ids: readonly number[],
  each: (record: StoredRecord | null, at: number) => boolean,
): Promise<boolean> => {
  for (let at = 0; at < ids.length; ) {
    const { readCount, passed } = await testRecords(ids.slice(at))
    for (let n = 0; n < readCount; n++, at++) {
      const id = ids[at]
      if (id !== undefined && !each(passed.get(id) ?? null, at)) return false
    }
    if (budget.isSpent && at < ids.length) return false
  }
  return true
}

/** A page in the order of the sort, as far as it is needed and the work is not spent. */
export const streamedPage = async (
  listing: Listing,
  orders: readonly Order[],
  { count, exact }: Known,
): Promise<Page<StoredRecord>> => {
  const { query, source, conditions, budget } = listing
  const { size, sort } = query
  const dates = wantsDates(listing) ? conditions : { createdAfter: null, createdBefore: null }
  const range = {
    after: positionAfter(query),
    descending: sort.descending,
    createdAfter: dates.createdAfter,
    createdBefore: dates.createdBefore,
  }
  const stream = createEntryStream(source, orders, range, budget)
  const skipped = skippedRowCount(query)
  const counts = isCounted(query) && count === null
  const page: StoredRecord[] = []
  let matches = 0
  let hasMore = false
  let reached: RowPosition | null = range.after
  let pageEnd: RowPosition | null = null
  let isComplete = false
  let batchCount = Math.min(MAX_BATCH_COUNT, size + 1)
  const isDone = () => hasMore && (!counts || matches > MAX_TOTAL_COUNT)

  const take = (record: StoredRecord | null, entry: RowPosition): boolean => {
    if (record !== null && ++matches > skipped) {
      if (page.length < size) {
        page.push(record)
        pageEnd = entry
      } else hasMore = true
    }
    reached = entry
    return !isDone()
  }

  while (!isDone() && !budget.isSpent) {
    const skips = exact && matches < skipped
    const wanted = skips ? Math.min(MAX_SKIPPED_BATCH_COUNT, skipped - matches) : batchCount
    const entries = await stream.next(wanted)
    if (skips) {
      matches += entries.length
      reached = entries.at(-1) ?? reached
    } else {
      const ids = entries.map(({ id }) => id)
      const isTested = await testInOrder(listing, ids, (record, at) => take(record, entries[at] ?? { key: 0, id: 0 }))
      batchCount = Math.min(MAX_BATCH_COUNT, batchCount * 2)
      if (!isTested) continue
    }
    if (entries.length < wanted) {
      isComplete = true
      break
    }
  }
  if (!isComplete && matches <= skipped && skipped > 0) throw pageTooDeep()
  const total = isCounted(query) ? (count === null ? totalOf(matches, isComplete) : totalOf(count)) : { total: null }
  const next = hasMore ? pageEnd : isComplete ? null : page.length < size ? reached : pageEnd
  return { items: page, ...total, next }
}

/** Sorting fewer takes no longer than reading the order of the sort. */
const MIN_WALKED_COUNT = 200
/** Ids of an order that are read in the time in which one record is read and sorted. */
const WALKED_PER_SORTED_COUNT = 4
const MAX_WALKED_COUNT = 5_000
/** Longer, for matches that do not lie evenly. */
const WALK_MARGIN = 1.5

/** The first so many of these ids in the order of the sort, or all; null if it would take long to meet them there. */
const firstInOrder = async (
  { query, source, budget }: Listing,
  ids: readonly number[],
  order: Order,
  wanted: number,
): Promise<readonly number[] | null> => {
  const among = new Set(ids)
  const range = {
    after: positionAfter(query),
    descending: query.sort.descending,
    createdAfter: null,
    createdBefore: null,
  }
  const most = Math.min(MAX_WALKED_COUNT, WALKED_PER_SORTED_COUNT * ids.length)
  for (let limit = Math.min(MAX_STEP_ENTRIES_COUNT, most); ; ) {
    const met = await budget.run(() => source.ids(order, range, limit))
    budget.addEntries(1, met.length)
    const found = met.filter((id) => among.has(id))
    if (found.length >= wanted || met.length < limit) return found.slice(0, wanted)
    const expected = Math.ceil((limit * wanted * WALK_MARGIN) / found.length)
    if (limit === most || expected > most) return null
    limit = Math.max(expected, limit + 1)
  }
}

/**
 * A page of records of which all ids are known, by reading the order of the sort until enough of them are met; null if
 * sorting them takes less time.
 */
export const walkedPage = async (
  listing: Listing,
  ids: readonly number[],
  order: Order,
): Promise<Page<StoredRecord> | null> => {
  const { query, layout, sort } = listing
  if (ids.length < MIN_WALKED_COUNT) return null
  const skipped = skippedRowCount(query)
  const end = skipped + query.size
  const found = await firstInOrder(listing, ids, order, end + 1)
  if (found === null) return null
  const items: StoredRecord[] = []
  await testInOrder(listing, found.slice(skipped, end), (record) => {
    if (record !== null) items.push(record)
    return true
  })
  const last = items.at(-1)
  const hasMore = found.length > end
  // All of them are gone meanwhile.
  if (hasMore && last === undefined) return null
  const next = hasMore && last !== undefined ? positionIn(layout, sort, last) : null
  return { items, ...(isCounted(query) ? totalOf(ids.length) : { total: null }), next }
}

/** A page of these records after sorting all that match; null if that would cost too much. */
export const sortedPage = async (listing: Listing, ids: readonly number[]): Promise<Page<StoredRecord> | null> => {
  const { query, layout, sort, budget } = listing
  const { size } = query
  const sign = query.sort.descending ? -1 : 1
  const compare = (one: RowPosition, other: RowPosition) => sign * comparePositions(one, other)
  const matches: RowPosition[] = []
  const isTested = await testInOrder(listing, ids, (record) => {
    if (record !== null) matches.push(positionIn(layout, sort, record))
    return !budget.isSpentTo(SORTED_PART)
  })
  if (!isTested) return null
  const after = positionAfter(query)
  const rest = await budget.run(() => {
    const following = after === null ? matches : matches.filter((each) => compare(each, after) > 0)
    return following.toSorted(compare)
  })
  const skipped = skippedRowCount(query)
  const shown = rest.slice(skipped, skipped + size)
  const items: StoredRecord[] = []
  // They are read again, because a list of all of them would be too large.
  await testInOrder(
    listing,
    shown.map(({ id }) => id),
    (record) => {
      if (record !== null) items.push(record)
      return true
    },
  )
  const last = shown.at(-1)
  const next = rest.length > skipped + size && last !== undefined ? last : null
  return { items, ...(isCounted(query) ? totalOf(matches.length) : { total: null }), next }
}

/** What a request may spend before it reads in the order of the sort instead. */
const SORTED_PART = 0.75
