import type { RecordReader } from '../../application/ports/records.ts'
import type { StoredRecord } from '../../domain/record.ts'
import { createRecordListFrom } from '../sql/record-list.ts'
import type { QueryDatabase } from '../sql/record-source.ts'
import { type RecordTable, searchedText } from '../sql/record-table.ts'
import { type Candidate, type Query, type SearchSource, WALK_PIECE_COUNT } from '../sql/search-source.ts'
import type { RunStep } from '../sql/step-queue.ts'
import type { Connection, Prepared } from './database.ts'
import { createPager, type Filter, parametersOf, whereOf } from './pages.ts'
import { createIntersection } from './postings.ts'
import { createStatements } from './record-statements.ts'
import type { CacheCount } from './row-cache.ts'
import { prepareFind } from './rows.ts'
import { createWordLists } from './word-lists.ts'

/** They are read on the thread that serves requests. */
const MAX_CANDIDATES_COUNT = 64

/** Conditions covered by an index of the sort. Others are tested row by row. */
const filtersOf = ({ ownerId, createdAfter, createdBefore, sort }: Query<string>): Filter[] => [
  ...(ownerId === null ? [] : [{ sql: 'owner_id = +:owner', owner: ownerId }]),
  ...(createdAfter === null || sort.field !== 'created_at'
    ? []
    : [{ sql: 'created_at > +:created_after', created_after: createdAfter }]),
  ...(createdBefore === null || sort.field !== 'created_at'
    ? []
    : [{ sql: 'created_at < +:created_before', created_before: createdBefore }]),
]

interface CandidateRow {
  readonly id: number
  readonly owner_id: number
  readonly created_at: number
  readonly key: string | number
  readonly text: string
}

const toCandidate = (row: CandidateRow): Candidate => ({
  id: row.id,
  ownerId: row.owner_id,
  createdAt: row.created_at,
  key: row.key,
  text: row.text,
})

const createSource = (
  connection: Connection,
  table: RecordTable,
): Omit<SearchSource<string, StoredRecord>, 'count'> => {
  const { name, sorts } = table
  const text = searchedText(table, 'char(10)')
  const lists = createWordLists(createStatements(connection), name)
  const byId = prepareFind(connection, table, 'id = ?')
  const statements = new Map<string, Prepared<CandidateRow>>()
  const statementOf = (sql: string) => {
    const statement = statements.get(sql) ?? connection.prepare<CandidateRow>(sql)
    statements.set(sql, statement)
    return statement
  }
  const select = (field: string, withText: boolean) =>
    `SELECT id, owner_id, created_at, ${sorts.find((sort) => sort === field)} AS key, ${withText ? text : "''"} AS text
     FROM ${name}`

  return {
    matching: (words, matching) => createIntersection(lists, words, matching),
    maxCandidatesCount: MAX_CANDIDATES_COUNT,
    candidates: (ids, { field, withText }) =>
      statementOf(`${select(field, withText)} WHERE id IN (SELECT value FROM json_each(:ids))`)
        .all({ ids: JSON.stringify(ids) })
        .map(toCandidate),
    walk(query, { after, withText }) {
      const { field, descending } = query.sort
      const direction = descending ? 'DESC' : 'ASC'
      const beyond =
        after === null
          ? []
          : [{ sql: `(${field}, id) ${descending ? '<' : '>'} (+:key, +:after)`, key: after.key, after: after.id }]
      const filters = [...filtersOf(query), ...beyond]
      const sql = `${select(field, withText)}${whereOf(filters)} ORDER BY ${field} ${direction}, id ${direction} LIMIT +:limit`
      return statementOf(sql)
        .all({ ...parametersOf(filters), limit: WALK_PIECE_COUNT })
        .map(toCandidate)
    },
    rows: (ids) => ids.flatMap((id) => byId(id) ?? []),
  }
}

interface ListParts {
  readonly database: QueryDatabase
  readonly runStep: RunStep
  readonly cacheCount: CacheCount
}

/** Lists of records, each in the order of an index. */
export const createRecordList = (
  connection: Connection,
  table: RecordTable,
  { database, runStep, cacheCount }: ListParts,
): RecordReader['list'] => {
  const pager = createPager(connection, table, { sorts: table.sorts, runStep, cacheCount })
  return createRecordListFrom(table, { filtersOf, pager, search: createSource(connection, table), database }, runStep)
}
