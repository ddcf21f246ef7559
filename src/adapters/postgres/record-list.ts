import type { RecordReader } from '../../application/ports/records.ts'
import type { StoredRecord } from '../../domain/record.ts'
import type { Row } from '../sql/entity.ts'
import { createRecordListFrom } from '../sql/record-list.ts'
import type { QueryDatabase } from '../sql/record-source.ts'
import { type RecordTable, searchedText } from '../sql/record-table.ts'
import { type Candidate, type Query, type SearchSource, WALK_PIECE_COUNT } from '../sql/search-source.ts'
import type { RunStep } from '../sql/step-queue.ts'
import { createBucketSearch } from './bucket-search.ts'
import { type Connection, type Int8, int } from './connection.ts'
import { createPager, type Filter, numberPlaceholders, valuesOf, whereOf } from './pages.ts'

/** All columns except the words, which are only for the index. */
export const columnsOf = ({ columns }: RecordTable): string => Object.keys(columns).join(', ')

/** As many as a step of a search finds. */
const MAX_CANDIDATES_COUNT = 1_000

/** Conditions covered by an index of the sort. Others are tested row by row. */
const filtersOf = ({ ownerId, createdAfter, createdBefore, sort }: Query<string>): Filter[] => [
  ...(ownerId === null ? [] : [{ sql: 'owner_id = ?', values: [ownerId] }]),
  ...(createdAfter === null || sort.field !== 'created_at' ? [] : [{ sql: 'created_at > ?', values: [createdAfter] }]),
  ...(createdBefore === null || sort.field !== 'created_at'
    ? []
    : [{ sql: 'created_at < ?', values: [createdBefore] }]),
]

interface CandidateRow {
  readonly id: Int8
  readonly owner_id: Int8
  readonly created_at: Int8
  readonly key: string
  readonly text: string
}

const createSource = (
  connection: Connection,
  table: RecordTable,
): Omit<SearchSource<string, StoredRecord>, 'count'> => {
  const { name, sorts, columns, fromRow } = table
  const text = searchedText(table, 'chr(10)')
  const select = (field: string, withText: boolean) =>
    `SELECT id, owner_id, created_at, ${sorts.find((sort) => sort === field)} AS key, ${withText ? text : "''"} AS text
     FROM ${name}`
  const toCandidate =
    (field: string) =>
    (row: CandidateRow): Candidate => ({
      id: int(row.id),
      ownerId: int(row.owner_id),
      createdAt: int(row.created_at),
      key: columns[field] === 'text' ? row.key : Number(row.key),
      text: row.text,
    })

  return {
    matching: (words, matching) => createBucketSearch(connection, name, words, matching),
    maxCandidatesCount: MAX_CANDIDATES_COUNT,
    async candidates(ids, { field, withText }) {
      if (ids.length === 0) return []
      const sql = `${select(field, withText)} WHERE id = ANY ($1::bigint[])`
      return (await connection.read<CandidateRow>(sql, `{${ids.join()}}`)).map(toCandidate(field))
    },
    async walk(query, { after, withText }) {
      const { field, descending } = query.sort
      const direction = descending ? 'DESC' : 'ASC'
      const beyond: Filter[] =
        after === null
          ? []
          : [{ sql: `(${field}, id) ${descending ? '<' : '>'} (?, ?)`, values: [after.key, after.id] }]
      const filters = [...filtersOf(query), ...beyond]
      const order = `ORDER BY ${field} ${direction}, id ${direction} LIMIT ${WALK_PIECE_COUNT}`
      const sql = numberPlaceholders(`${select(field, withText)}${whereOf(filters)} ${order}`)
      return (await connection.read<CandidateRow>(sql, ...valuesOf(filters))).map(toCandidate(field))
    },
    async rows(ids) {
      if (ids.length === 0) return []
      const rows = await connection.read<Row>(
        `SELECT ${columnsOf(table)} FROM ${name} WHERE id = ANY ($1::bigint[])`,
        `{${ids.join()}}`,
      )
      const records = new Map(rows.map(fromRow).map((record) => [record.id, record]))
      return ids.flatMap((id) => records.get(id) ?? [])
    },
  }
}

/** Lists of records, each in the order of an index. */
export const createRecordList = (
  connection: Connection,
  table: RecordTable,
  database: QueryDatabase,
  runStep: RunStep,
): RecordReader['list'] => {
  const pager = createPager(connection, table, { select: columnsOf(table), sorts: table.sorts, runStep })
  return createRecordListFrom(table, { filtersOf, pager, search: createSource(connection, table), database }, runStep)
}
