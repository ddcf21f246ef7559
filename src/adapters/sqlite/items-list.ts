import type { ItemQuery, ItemReader } from '../../application/ports/persistence.ts'
import type { Item } from '../../domain/item.ts'
import type { Page } from '../../domain/page.ts'
import type { Connection } from './database.ts'
import { fromItemRow, type ItemRow, ownerWord } from './item-rows.ts'
import { createPager, type Filter } from './pages.ts'

/** So many matches are sorted after they were found; more are found in the order of the sort. */
const SORTED_MATCHES = 1_000

/** A query of FTS5: every word, as a prefix, in title or description, and the owner. Null when there is no word. */
const matchOf = ({ text, ownerId }: Pick<ItemQuery, 'text' | 'ownerId'>): string | null => {
  const words = text?.match(/[\p{L}\p{N}\p{M}]+/gu) ?? []
  if (words.length === 0) return null
  const prefixes = words.map((word) => `"${word}"*`).join(' AND ')
  const owner = ownerId === null ? '' : ` AND owner : "${ownerWord(ownerId)}"`
  return `({title description} : (${prefixes}))${owner}`
}

/** `+` before a column keeps the planner from leaving the index of the sort for one that would need sorting. */
const filtersOf = ({ ownerId, createdAfter, createdBefore, sort }: ItemQuery): Filter[] => {
  const created = sort.field === 'created_at' ? 'created_at' : '+created_at'
  return [
    ...(ownerId === null ? [] : [{ sql: 'owner_id = +:owner', owner: ownerId }]),
    ...(createdAfter === null ? [] : [{ sql: `${created} > +:created_after`, created_after: createdAfter }]),
    ...(createdBefore === null ? [] : [{ sql: `${created} < +:created_before`, created_before: createdBefore }]),
  ]
}

/** Lists of items, each in an order that an index keeps. */
export const createItemList = (connection: Connection): ItemReader['list'] => {
  const columns = ['created_at', 'updated_at', 'title'] as const
  const page = createPager<ItemRow>(connection, { from: 'items', rows: 'items', columns })
  // The text index is kept by id, which is the order of creation: it is read only as far as the page goes.
  const matching = {
    from: 'items_text JOIN items ON items.id = items_text.rowid',
    rows: 'items',
    columns,
    orderedBy: { created_at: 'items_text.rowid' },
  }
  const matches = createPager<ItemRow>(connection, { ...matching, countFrom: 'items_text' })
  const datedMatches = createPager<ItemRow>(connection, matching)
  const few = connection.prepare<{ id: number }, [string, number]>(
    'SELECT rowid AS id FROM items_text WHERE items_text MATCH ? LIMIT +?',
  )

  const counted = connection.prepare<{ n: number }, [string]>(
    'SELECT count(*) AS n FROM items_text WHERE items_text MATCH ?',
  )

  const inOtherOrder = (query: ItemQuery, match: string, filters: readonly Filter[]): Page<Item> => {
    const ids = few.all(match, SORTED_MATCHES + 1).map(({ id }) => id)
    if (ids.length <= SORTED_MATCHES) {
      const found = { sql: 'id IN (SELECT value FROM json_each(:ids))', ids: JSON.stringify(ids) }
      return page(query, [...filters, found], fromItemRow)
    }
    // The filters check the owner; in the match it would cost a walk along all that they own.
    const anyOwner = matchOf({ text: query.text, ownerId: null }) ?? match
    const found = { sql: '+id IN (SELECT rowid FROM items_text WHERE items_text MATCH :match)', match: anyOwner }
    // To count them in the order of the sort would be to read every item.
    const isDated = query.createdAfter !== null || query.createdBefore !== null
    const total = isDated ? undefined : () => counted.get(match)?.n ?? 0
    return page(query, [...filters, found], fromItemRow, total)
  }

  return async (query) => {
    const filters = filtersOf(query)
    if (query.text === null) return page(query, filters, fromItemRow)
    const match = matchOf(query)
    if (match === null) return { items: [], total: 'page' in query.from ? 0 : null, next: null }
    if (query.sort.field !== 'created_at') return inOtherOrder(query, match, filters)
    const text = { sql: 'items_text MATCH :match', match }
    // The owner is in the match already.
    const dates = filtersOf({ ...query, ownerId: null })
    return dates.length === 0 ? matches(query, [text], fromItemRow) : datedMatches(query, [text, ...dates], fromItemRow)
  }
}
