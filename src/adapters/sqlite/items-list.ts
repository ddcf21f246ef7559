import type { Statement } from 'bun:sqlite'
import type { ItemQuery, ItemReader, ItemSortField } from '../../application/ports/persistence.ts'
import type { Item } from '../../domain/item.ts'
import { isCounted } from '../../domain/page.ts'
import { queryWordsOf } from '../../domain/words.ts'
import { type Candidate, createSearch, type Query, type SearchSource, WALKED_COUNT } from '../sql/search.ts'
import type { Turn } from '../sql/turns.ts'
import type { Connection } from './database.ts'
import { fromItemRow, type ItemRow } from './item-rows.ts'
import { createPager, type Filter, parametersOf, whereOf } from './pages.ts'
import { createIntersection } from './postings.ts'

const COLUMNS = ['created_at', 'updated_at', 'title'] as const satisfies readonly ItemSortField[]
const TEXT = "title || char(10) || coalesce(description, '')"

const BY_CREATION = { field: 'created_at', descending: true } as const

type ItemsInOrder = Query<ItemSortField>

/** Conditions that an index of the sort answers. Others are tested row by row. */
const filtersOf = ({ ownerId, createdAfter, createdBefore, sort }: ItemsInOrder): Filter[] => [
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
  count: (query: ItemQuery) => number,
): SearchSource<ItemSortField, Item> => {
  const postings = connection.prepare<unknown, [string, number, number]>(
    'SELECT rowid FROM items_words WHERE items_words MATCH ? AND rowid > ? ORDER BY rowid LIMIT +?',
  )
  const byId = connection.prepare<ItemRow, [number]>('SELECT * FROM items WHERE id = ?')
  const statements = new Map<string, Statement<CandidateRow>>()
  const prepared = (sql: string) => {
    const statement = statements.get(sql) ?? connection.prepare<CandidateRow>(sql)
    statements.set(sql, statement)
    return statement
  }
  const select = (field: ItemSortField, withText: boolean) =>
    `SELECT id, owner_id, created_at, ${COLUMNS.find((name) => name === field)} AS key, ${withText ? TEXT : "''"} AS text
     FROM items`

  return {
    matching: (words, matching) =>
      createIntersection(
        (match, before, limit) => postings.values(match, -before, limit).map(([rowid]) => -Number(rowid)),
        words,
        matching,
      ),
    candidates: (ids, { field, withText }) =>
      prepared(`${select(field, withText)} WHERE id IN (SELECT value FROM json_each(:ids))`)
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
      return prepared(sql)
        .all({ ...parametersOf(filters), limit: WALKED_COUNT })
        .map(toCandidate)
    },
    rows: (ids) => ids.flatMap((id) => byId.get(id) ?? []).map(fromItemRow),
    count,
  }
}

/** Lists of items, each in an order that an index keeps. */
export const createItemList = (connection: Connection, turn: Turn): ItemReader['list'] => {
  const pager = createPager<ItemRow>(connection, { table: 'items', columns: COLUMNS, turn })
  const source = createSource(connection, (query) => pager.count(filtersOf({ ...query, sort: BY_CREATION })))
  const search = createSearch(source, turn)

  return async (query) => {
    if (query.text !== null) {
      const words = queryWordsOf(query.text)
      if (words.length > 0) return search.byWords(query, words)
      return { items: [], total: isCounted(query) ? 0 : null, next: null }
    }
    const isDated = query.createdAfter !== null || query.createdBefore !== null
    if (isDated && query.sort.field !== 'created_at') return search.byDates(query)
    return pager.page(query, filtersOf(query), fromItemRow, query.ownerId)
  }
}
