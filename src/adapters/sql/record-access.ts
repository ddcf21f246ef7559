import type { Expression } from '../../domain/expression.ts'
import { conjunctsOf } from '../../domain/expression-parts.ts'
import type { Instant } from '../../domain/user.ts'
import type { Budget } from './record-budget.ts'
import { keyOf } from './record-keys.ts'
import { codeLayout, type RecordLayout, storedLayout } from './record-layout.ts'
import { type Access, planOf } from './record-plan.ts'
import type { References } from './record-references.ts'
import { MAX_ORDERS_COUNT, type Order, type QueryDatabase } from './record-source.ts'
import { collectIds, countEntries } from './record-stream.ts'
import { createRecordTester } from './record-tests.ts'

/** Where to find the records of a condition: in these parts of indexes, and among these ids. */
export interface Candidates {
  readonly orders: readonly Order[]
  readonly ids: readonly number[]
  /** Whether every candidate is known to match, so that none has to be tested. */
  readonly exact: boolean
  /** Whether no record is in two of the orders. */
  readonly disjoint: boolean
}

export interface CreatedRange {
  readonly createdAfter: Instant | null
  readonly createdBefore: Instant | null
}

/** Whether candidates can be read in the order of the list. */
export type InOrder = (candidates: Candidates) => boolean

interface Parts {
  readonly database: QueryDatabase
  readonly references: References
  readonly budget: Budget
}

const ALWAYS: CreatedRange = { createdAfter: null, createdBefore: null }

/** Alternatives are compared by counting up to this number. */
const MAX_COMPARED_COUNT = 1_000
/** Records whose references are followed back. */
const MAX_THROUGH_COUNT = MAX_ORDERS_COUNT
const MAX_THROUGH_DEPTH = 2

const orderName = (order: Order): string => {
  if (order.kind === 'column') return `${order.column} ${order.ownerId}`
  if (order.kind === 'point') return `${order.indexId} ${order.key.toHex()}`
  return `${order.indexId} ${order.low.toHex()} ${order.high.toHex()}`
}

/** Entries of one index with different keys; a list of references has several for one record. */
const areDisjoint = (orders: readonly Order[], { collection, indexes }: RecordLayout): boolean => {
  const [first] = orders
  if (orders.length <= 1 || first === undefined) return true
  if (first.kind === 'column') return orders.every(({ kind }) => kind === 'column')
  const index = indexes.find(({ id }) => id === first.indexId)
  const isList = index?.isReference && collection.fields[index.fields[0] ?? '']?.type === 'array'
  return !isList && orders.every((order) => order.kind === 'point' && order.indexId === first.indexId)
}

const combine = (parts: readonly Candidates[], layout: RecordLayout): Candidates | null => {
  const orders = [...new Map(parts.flatMap((part) => part.orders).map((order) => [orderName(order), order])).values()]
  const ids = [...new Set(parts.flatMap((part) => part.ids))]
  if (orders.length > MAX_ORDERS_COUNT || ids.length > MAX_ORDERS_COUNT) return null
  const exact = parts.every((part) => part.exact)
  const onlyOne = parts.length === 1 && parts[0]?.disjoint === true
  return { orders, ids, exact, disjoint: onlyOne || areDisjoint(orders, layout) }
}

/** The candidates of an access that follows no references. */
const knownCandidates = (access: Access): Candidates | null => {
  if (access.kind !== 'orders' || access.orders.length > MAX_ORDERS_COUNT) return null
  return { orders: access.orders, ids: [], exact: access.exact, disjoint: true }
}

const IN_NO_ORDER: InOrder = () => false

const layoutNamed = async (database: QueryDatabase, name: string): Promise<RecordLayout | null> => {
  const stored = codeLayout(name) === null ? await database.findCollection(name) : null
  return codeLayout(name) ?? (stored && storedLayout(stored))
}

/** Finds out where the candidates of a plan are: follows references back, and chooses between alternatives. */
export const createAccess = ({ database, references, budget }: Parts) => {
  /** Ids of the records of a collection that match a condition; null if there are more than can be followed. */
  const idsWhere = async (target: string, condition: Expression, depth: number): Promise<readonly number[] | null> => {
    const layout = await layoutNamed(database, target)
    const plan = planOf(conjunctsOf(condition), layout ?? NO_LAYOUT)
    if (plan === null) return null
    if (layout === null) return plan.kind === 'ids' ? plan.ids : null
    const found = await resolve(plan, layout, depth, IN_NO_ORDER)
    if (found === null) return null
    const source = database.sourceOf(layout.storage)
    const ids = await collectIds(source, found.orders, ALWAYS, MAX_THROUGH_COUNT, budget)
    if (ids === null) return null
    const all = [...new Set([...ids, ...found.ids])]
    if (all.length > MAX_THROUGH_COUNT) return null
    if (found.exact) return all
    const test = { condition, ...ALWAYS, words: [], textOf: layout.textOf }
    const testRecords = createRecordTester(test, { source, references, budget })
    const passed: number[] = []
    for (let at = 0; at < all.length; ) {
      const tested = await testRecords(all.slice(at))
      passed.push(...tested.passed.keys())
      at += tested.readCount
      if (budget.isSpent) return null
    }
    return passed
  }

  const estimate = async ({ orders, ids }: Candidates, layout: RecordLayout): Promise<number> =>
    ids.length +
    (await countEntries(database.sourceOf(layout.storage), orders, ALWAYS, MAX_COMPARED_COUNT - ids.length, budget))

  const best = async (
    of: readonly Access[],
    layout: RecordLayout,
    depth: number,
    inOrder: InOrder,
  ): Promise<Candidates | null> => {
    // Nothing costs less than reading no further than the page in entries that all match.
    const perfect = of.map(knownCandidates).find((found) => found?.exact === true && inOrder(found))
    if (perfect) return perfect
    let chosen: { readonly found: Candidates; readonly count: number; readonly rank: number } | null = null
    for (const way of of) {
      if (budget.isSpent) break
      const found = await resolve(way, layout, depth, inOrder)
      if (found === null) continue
      const count = await estimate(found, layout)
      const rank = (inOrder(found) ? 2 : 0) + (found.exact ? 1 : 0)
      const isBetter = chosen === null || count < chosen.count || (count === chosen.count && rank >= chosen.rank)
      if (isBetter) chosen = { found, count, rank }
    }
    return chosen === null ? null : chosen.found
  }

  const resolve = async (
    access: Access,
    layout: RecordLayout,
    depth: number,
    inOrder: InOrder,
  ): Promise<Candidates | null> => {
    switch (access.kind) {
      case 'orders':
        return knownCandidates(access)
      case 'ids':
        return { orders: [], ids: access.ids, exact: false, disjoint: true }
      case 'through': {
        if (depth >= MAX_THROUGH_DEPTH) return null
        const ids = await idsWhere(access.target, access.condition, depth + 1)
        if (ids === null) return null
        const orders = ids.map((id): Order => ({ kind: 'point', indexId: access.index.id, key: keyOf([id]) }))
        return { orders, ids: [], exact: access.exact, disjoint: true }
      }
      case 'any': {
        const parts: Candidates[] = []
        for (const way of access.of) {
          const part = await resolve(way, layout, depth, inOrder)
          if (part === null) return null
          parts.push(part)
        }
        const all = combine(parts, layout)
        return all && { ...all, exact: all.exact && access.exact }
      }
      case 'best':
        return best(access.of, layout, depth, inOrder)
    }
  }

  return (access: Access, layout: RecordLayout, inOrder: InOrder): Promise<Candidates | null> =>
    resolve(access, layout, 0, inOrder)
}

/** Of users and files: they are found by nothing but their ids. */
const NO_LAYOUT: Pick<RecordLayout, 'indexes' | 'collection'> & RecordLayout = {
  storage: '',
  collection: {
    name: '',
    singular: '',
    description: '',
    fields: {},
    required: [],
    sorts: [],
    search: [],
  },
  columns: [],
  ownerColumns: [],
  indexes: [],
  sortIndexes: [],
  isExact: true,
  textOf: () => '',
}
