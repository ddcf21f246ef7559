import type { StoredIndex } from '../../application/ports/collections.ts'
import type { RecordQuery, RecordReader } from '../../application/ports/records.ts'
import { conjunctionOf } from '../../domain/expression-parts.ts'
import { isCounted, MAX_TOTAL_COUNT, type Page } from '../../domain/page.ts'
import type { StoredRecord } from '../../domain/record.ts'
import { queryWordsOf } from '../../domain/words.ts'
import { type Candidates, createAccess } from './record-access.ts'
import { createBudget } from './record-budget.ts'
import { type Conditions, conditionsOf } from './record-conditions.ts'
import { positionOf, type RecordLayout, type SortOrder, sortOrderOf } from './record-layout.ts'
import { type Listing, sortedPage, streamedPage, walkedPage } from './record-pages.ts'
import { planOf, wholeIndex } from './record-plan.ts'
import { createReferences } from './record-references.ts'
import type { Order, QueryDatabase, RangeOrder } from './record-source.ts'
import { collectIds, countEntries } from './record-stream.ts'
import { createRecordTester } from './record-tests.ts'
import type { RunStep } from './step-queue.ts'

/** With fewer candidates, the text index is not asked. */
const FEW_COUNT = 1_000

/** What a request may spend on finding candidates; the rest is for reading in the order of the sort. */
const CANDIDATES_PART = 0.5

/** A part of an index in the order of another one, if its keys are those of the other behind the prefix of the part. */
const sortedBy = (sortIndex: StoredIndex, order: RangeOrder, { indexes }: RecordLayout): Order | null => {
  if (order.indexId === sortIndex.id) return order
  const index = indexes.find(({ id }) => id === order.indexId)
  const following = index?.fields.slice(order.prefix.fieldsCount)
  return following?.join() === sortIndex.fields.join() ? { ...order, relative: true } : null
}

/** The orders in the sequence of the sort, if they can be read in it. */
const streamedOrders = (
  { sort, layout }: Pick<Listing, 'sort' | 'layout'>,
  { orders, ids }: Candidates,
): readonly Order[] | null => {
  if (ids.length > 0) return null
  const streamed: Order[] = []
  for (const order of orders) {
    if ('column' in sort) {
      const isIndexed =
        order.kind === 'column' && (order.ownerId === undefined || layout.ownerColumns.includes(sort.column))
      if (isIndexed) streamed.push({ ...order, column: sort.column })
      else if (order.kind === 'point' && sort.column === 'created_at') streamed.push(order)
      else return null
    } else {
      const sorted = order.kind === 'range' ? sortedBy(sort.index, order, layout) : null
      if (sorted === null) return null
      streamed.push(sorted)
    }
  }
  return streamed
}

const emptyPage = (query: RecordQuery): Page<StoredRecord> => ({
  items: [],
  total: isCounted(query) ? 0 : null,
  next: null,
})

/** Every record of the collection, in the sequence of the sort. */
const everything = (sort: SortOrder): Candidates => ({
  orders: ['column' in sort ? { kind: 'column', column: sort.column } : wholeIndex(sort.index)],
  ids: [],
  exact: false,
  disjoint: true,
})

/** The number of matches, if indexes alone tell it. Up to one beyond {@link MAX_TOTAL_COUNT}. */
const countExactly = async (
  { source, conditions, budget }: Listing,
  { orders, ids, exact, disjoint }: Candidates,
): Promise<number | null> => {
  if (!exact || ids.length > 0) return null
  const byCreation = orders.map(
    (order): Order => (order.kind === 'column' ? { ...order, column: 'created_at' } : order),
  )
  const isDated = conditions.createdAfter !== null || conditions.createdBefore !== null
  if (isDated && orders.some(({ kind }) => kind === 'range')) return null
  if (disjoint) return countEntries(source, byCreation, conditions, MAX_TOTAL_COUNT, budget)
  const found = await collectIds(source, byCreation, conditions, MAX_TOTAL_COUNT, budget)
  if (found === null) return budget.isSpent ? null : MAX_TOTAL_COUNT + 1
  return found.size
}

/** The ids of all candidates; null if there are too many. */
const idsOf = async ({ source, conditions, budget }: Listing, { orders, ids }: Candidates, limit: number) => {
  const isDated = orders.every(({ kind }) => kind !== 'range')
  const range = isDated ? conditions : { createdAfter: null, createdBefore: null }
  const found = await collectIds(source, orders, range, limit, budget)
  return found === null ? null : [...new Set([...found, ...ids])]
}

/** The ids of records that may contain the words; null if there are too many. */
const idsByWords = async (
  { source, words, layout, query, budget }: Listing,
  limit: number,
): Promise<readonly number[] | null> => {
  const { storage } = layout
  const collection = typeof storage === 'string' ? {} : { collectionId: storage.id }
  const step = source.matching(words, { ownerId: query.ownerId, ...collection, before: Number.MAX_SAFE_INTEGER })
  const found: number[] = []
  for (;;) {
    const { ids, reached, cost } = await budget.run(step)
    budget.addCost(cost)
    found.push(...ids)
    if (found.length > limit || budget.isSpentTo(CANDIDATES_PART)) return reached === null ? found : null
    if (reached === null) return found
  }
}

/** The ids of all candidates of a search, by whichever index has fewer. */
const searchedIds = async (listing: Listing, candidates: Candidates | null): Promise<readonly number[] | null> => {
  const few = candidates && (await idsOf(listing, candidates, FEW_COUNT))
  if (few !== null) return few
  const found = await idsByWords(listing, MAX_TOTAL_COUNT)
  return found ?? (candidates && idsOf(listing, candidates, MAX_TOTAL_COUNT))
}

const listBy = async (listing: Listing, found: Candidates | null): Promise<Page<StoredRecord>> => {
  const { sort, words, conditions, layout } = listing
  const candidates = found && { ...found, exact: found.exact && layout.isExact }
  const isSearch = words.length > 0
  const whole = everything(sort)
  // Dates are tested record by record where the order of the sort does not have them.
  const isCovered = conditions.conjuncts.length === 0 && !isSearch
  const present = candidates ?? (isCovered ? { ...whole, exact: layout.isExact } : null)
  const isDated = conditions.createdAfter !== null || conditions.createdBefore !== null
  const streamed = isSearch ? null : streamedOrders(listing, present ?? whole)
  if (streamed !== null) {
    const count = present && isCounted(listing.query) ? await countExactly(listing, present) : null
    const hasDates = 'column' in sort && sort.column === 'created_at'
    const exact = present?.exact === true && (!isDated || hasDates)
    return streamedPage(listing, streamed, { count, exact })
  }
  const ids = isSearch
    ? await searchedIds(listing, candidates)
    : candidates && (await idsOf(listing, candidates, MAX_TOTAL_COUNT))
  const [inOrder] = streamedOrders(listing, whole) ?? []
  const isKnown = !isSearch && present?.exact === true && !isDated
  const walked = ids && inOrder && isKnown ? await walkedPage(listing, ids, inOrder) : null
  const sorted = walked ?? (ids && (await sortedPage(listing, ids)))
  return sorted ?? streamedPage(listing, streamedOrders(listing, whole) ?? [], { count: null, exact: false })
}

/**
 * Lists records by conditions, in any order. Rows are found by index and tested in memory, step by step: each step is
 * short, other work runs between steps, and a request that would need too many ends early with a cursor.
 */
export const createRecordQuery = (
  layout: RecordLayout,
  database: QueryDatabase,
  runStep: RunStep,
): RecordReader['list'] => {
  const source = database.sourceOf(layout.storage)
  const { collection } = layout

  return async (query) => {
    const { from } = query
    const sort = sortOrderOf(layout, query.sort.field, 'after' in from ? from.after : null)
    const words = query.text === null || collection.search.length === 0 ? [] : queryWordsOf(query.text)
    if (query.text !== null && words.length === 0) return emptyPage(query)
    const account = query.account ?? query.ownerId
    using budget = createBudget(runStep, account)
    const references = createReferences(database, budget)
    const conditions: Conditions | null = await conditionsOf(query, references)
    if (conditions === null) return emptyPage(query)
    const plan = planOf(conditions.conjuncts, layout)
    const resolve = createAccess({ database, references, budget })
    const isDated = conditions.createdAfter !== null || conditions.createdBefore !== null
    const isOrdered = words.length === 0 && (!isDated || query.sort.field === 'created_at')
    const inOrder = (found: Candidates) => isOrdered && streamedOrders({ sort, layout }, found) !== null
    const candidates = plan && (await resolve(plan, layout, inOrder))
    const condition = conjunctionOf(conditions.conjuncts)
    const { createdAfter, createdBefore } = conditions
    const test = { condition, createdAfter, createdBefore, words, textOf: layout.textOf }
    const testRecords = createRecordTester(test, { source, references, budget })
    const listing: Listing = { query, layout, sort, source, words, conditions, budget, testRecords }
    const isNone = candidates !== null && candidates.orders.length === 0 && candidates.ids.length === 0
    if (isNone) return emptyPage(query)
    const page = await listBy(listing, candidates)
    return { ...page, next: page.next && positionOf(sort, page.next) }
  }
}
