import type { RecordQuery, RecordReader } from '../../application/ports/records.ts'
import { TRUE } from '../../domain/expression.ts'
import { isCounted, type Page } from '../../domain/page.ts'
import type { StoredRecord } from '../../domain/record.ts'
import { queryWordsOf } from '../../domain/words.ts'
import { tableLayout } from './record-layout.ts'
import { createRecordQuery } from './record-query.ts'
import type { QueryDatabase } from './record-source.ts'
import type { RecordTable } from './record-table.ts'
import { createSearch } from './search.ts'
import { isDated, type Query, type SearchSource } from './search-source.ts'
import type { RunStep } from './step-queue.ts'

/** A table of records as an engine reads it. */
interface RecordSource<Filter> {
  /** Conditions covered by an index of the sort. Others are tested row by row. */
  filtersOf(query: Query<string>): Filter[]
  readonly pager: {
    page(query: RecordQuery, filters: readonly Filter[], account: number | null): Promise<Page<StoredRecord>>
    count(filters: readonly Filter[]): number | Promise<number>
  }
  readonly search: Omit<SearchSource<string, StoredRecord>, 'count'>
  /** For lists with a condition. */
  readonly database: QueryDatabase
}

const BY_CREATION = { field: 'created_at', descending: true } as const

/** Lists of records, each in the order of an index. */
export const createRecordListFrom = <Filter>(
  table: RecordTable,
  { filtersOf, pager, search: source, database }: RecordSource<Filter>,
  runStep: RunStep,
): RecordReader['list'] => {
  const { collection } = table
  const count = (query: Query<string>) => pager.count(filtersOf({ ...query, sort: BY_CREATION }))
  const search = createSearch({ ...source, count }, runStep)
  const byCondition = createRecordQuery(tableLayout(table), database, runStep)

  return async (query) => {
    if ((query.condition ?? TRUE) !== TRUE) return byCondition(query)
    if (query.text !== null) {
      const words = collection.search.length === 0 ? [] : queryWordsOf(query.text)
      if (words.length > 0) return search.byWords(query, words)
      return { items: [], total: isCounted(query) ? 0 : null, next: null }
    }
    if (isDated(query) && query.sort.field !== 'created_at') return search.byDates(query)
    return pager.page(query, filtersOf(query), query.ownerId)
  }
}
