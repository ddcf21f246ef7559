import type { StoredIndex } from '../../application/ports/collections.ts'
import { typeOf } from '../../domain/collection.ts'
import { type Expression, FAILURE, FALSE } from '../../domain/expression.ts'
import { assume } from '../../domain/expression-binding.ts'
import { conjunctsOf, disjunctsOf, fieldOf, operandsOf } from '../../domain/expression-parts.ts'
import { type Bound, type Demand, demandOf, tighter } from './record-demands.ts'
import { afterKeys, keyOf, prefixRangeOf, rangeOf, type Scalar, typeRangeOf } from './record-keys.ts'
import type { RecordLayout } from './record-layout.ts'
import { type KeyPrefix, MAX_ORDERS_COUNT, type Order } from './record-source.ts'

/**
 * A way to find a superset of the records for which a condition holds; exactly these if it is `exact`.
 *
 * - `orders`: in parts of indexes, which have no record in common.
 * - `ids`: by their ids.
 * - `through`: those that reference records for which `condition` holds.
 * - `any`: in any of these ways. `best`: in the cheapest of these ways.
 */
export type Access =
  | { readonly kind: 'orders'; readonly orders: readonly Order[]; readonly exact: boolean }
  | { readonly kind: 'ids'; readonly ids: readonly number[]; readonly exact: false }
  | ThroughAccess
  | { readonly kind: 'any' | 'best'; readonly of: readonly Access[]; readonly exact: boolean }

interface KeyRange {
  readonly low: Uint8Array
  readonly high: Uint8Array
}

const rangeBetween = (prefix: readonly Scalar[], low: Bound | null, high: Bound | null): KeyRange => {
  const type = typeof (low ?? high)?.value === 'string' ? 'string' : 'number'
  const all = typeRangeOf(prefix, type)
  const keyAt = (bound: Bound, isAfter: boolean) => {
    const values = [...prefix, bound.value]
    return isAfter ? afterKeys(values) : keyOf(values)
  }
  return {
    low: low === null ? all.low : keyAt(low, !low.inclusive),
    high: high === null ? all.high : keyAt(high, high.inclusive),
  }
}

/** Ranges for the first field that is not fixed, and the conjuncts that they cover. */
const openRange = (prefix: readonly Scalar[], demands: readonly (Demand & { readonly at: number })[]) => {
  let low: Bound | null = null
  let high: Bound | null = null
  const covered: number[] = []
  for (const demand of demands) {
    if ('prefix' in demand && covered.length === 0) {
      return { range: prefixRangeOf(prefix, demand.prefix), covered: [demand.at] }
    }
    if (!('low' in demand)) continue
    const tightLow: Bound | null | undefined = tighter(low, demand.low, 1)
    const tightHigh: Bound | null | undefined = tighter(high, demand.high, -1)
    const mixed = tightLow && tightHigh && typeof tightLow.value !== typeof tightHigh.value
    if (tightLow === undefined || tightHigh === undefined || mixed) continue
    low = tightLow
    high = tightHigh
    covered.push(demand.at)
  }
  return covered.length === 0 ? null : { range: rangeBetween(prefix, low, high), covered }
}

interface ThroughAccess {
  readonly kind: 'through'
  readonly index: StoredIndex
  readonly target: string
  readonly condition: Expression
  readonly exact: boolean
}

type Numbered = Demand & { readonly at: number }

/** Parts of an index that the demands allow, and the conjuncts that they cover. */
const indexOrders = (
  { id: indexId, fields }: StoredIndex,
  demands: readonly Numbered[],
): { readonly orders: readonly Order[]; readonly covered: readonly number[] } | null => {
  let prefixes: readonly (readonly Scalar[])[] = [[]]
  let fixedCount = 0
  const covered: number[] = []
  for (const field of fields) {
    const here = demands.filter((demand) => demand.field === field)
    const fixed = here.find((demand) => 'values' in demand)
    if (fixed !== undefined && 'values' in fixed) {
      if (prefixes.length * fixed.values.length > MAX_ORDERS_COUNT) return null
      prefixes = prefixes.flatMap((prefix) => fixed.values.map((value) => [...prefix, value]))
      covered.push(fixed.at)
      fixedCount++
      continue
    }
    const [first = []] = prefixes
    const open = openRange(first, here)
    if (open === null) break
    const orders = prefixes.map(
      (values): Order => ({ kind: 'range', indexId, ...rangeFor(values, here), prefix: prefixOf(values) }),
    )
    return { orders, covered: [...covered, ...open.covered] }
  }
  if (fixedCount === 0) return null
  const orders = prefixes.map(
    (prefix): Order =>
      fixedCount === fields.length
        ? { kind: 'point', indexId, key: keyOf(prefix) }
        : { kind: 'range', indexId, ...rangeOf(prefix), prefix: prefixOf(prefix) },
  )
  return { orders, covered }
}

const prefixOf = (values: readonly Scalar[]): KeyPrefix => ({ key: keyOf(values), fieldsCount: values.length })

const rangeFor = (prefix: readonly Scalar[], demands: readonly Numbered[]): KeyRange =>
  openRange(prefix, demands)?.range ?? rangeOf(prefix)

const isListReference = ({ collection }: RecordLayout, { isReference, fields }: StoredIndex): boolean => {
  const field = collection.fields[fields[0] ?? '']
  return isReference && field !== undefined && typeOf(field) === 'array'
}

/** `5 in record.members`, also written as `exists`. */
const membershipOf = (conjunct: Expression): { readonly field: string; readonly id: number } | null => {
  if (conjunct.kind === 'in' && conjunct.left.kind === 'literal') {
    const field = fieldOf(conjunct.right)
    const { value } = conjunct.left
    return field !== null && typeof value === 'number' ? { field, id: value } : null
  }
  if (conjunct.kind !== 'exists' || conjunct.test.kind !== 'equal') return null
  const { name, list, test } = conjunct
  const field = fieldOf(list)
  const [one, other] = test.left.kind === 'literal' ? [test.right, test.left] : [test.left, test.right]
  if (field === null || one.kind !== 'element' || one.name !== name || other.kind !== 'literal') return null
  return typeof other.value === 'number' ? { field, id: other.value } : null
}

/** Replaces references to the record that `field` names. */
const replaceReference = (expression: Expression, field: string, by: Expression): Expression => {
  if (expression.kind === 'referenced' && fieldOf(expression.of) === field) return by
  const replace = (each: Expression) => replaceReference(each, field, by)
  if ('left' in expression) return { ...expression, left: replace(expression.left), right: replace(expression.right) }
  switch (expression.kind) {
    case 'list':
      return { ...expression, elements: expression.elements.map(replace) }
    case 'if':
      return {
        ...expression,
        condition: replace(expression.condition),
        yes: replace(expression.yes),
        no: replace(expression.no),
      }
    case 'exists':
      return { ...expression, list: replace(expression.list), test: replace(expression.test) }
    case 'literal':
    case 'variable':
    case 'element':
    case 'failure':
      return expression
    default:
      return { ...expression, of: replace(expression.of) }
  }
}

const RECORD: Expression = { kind: 'variable', name: 'record' }

/** The references that start from the record itself, and whether it is used in another way. */
const referencesFrom = (expression: Expression, found: Map<string, string>): boolean => {
  if (expression.kind === 'referenced') {
    const field = fieldOf(expression.of)
    if (field !== null) {
      found.set(field, expression.target)
      return true
    }
  }
  if (expression.kind === 'variable') return expression.name !== 'record'
  return operandsOf(expression).every((operand) => referencesFrom(operand, found))
}

/** A condition that depends on nothing but one referenced record, as a condition on that record. */
const throughOf = (conjunct: Expression, { indexes }: RecordLayout): ThroughAccess | null => {
  const found = new Map<string, string>()
  if (!referencesFrom(conjunct, found) || found.size !== 1) return null
  const [[field, target] = ['', '']] = found
  const index = indexes.find(({ isReference, fields }) => isReference && fields[0] === field)
  if (index === undefined) return null
  // It must not hold without the referenced record.
  const without = assume(replaceReference(conjunct, field, FAILURE), new Map(), () => undefined)
  if (without !== FALSE) return null
  return { kind: 'through', index, target, condition: replaceReference(conjunct, field, RECORD), exact: true }
}

const idsIn = (values: readonly Scalar[]): readonly number[] =>
  values.filter((value): value is number => typeof value === 'number' && Number.isSafeInteger(value))

/** By the owner or by the ids. */
const columnAccess = (demand: Numbered, exact: boolean): Access | null => {
  if (!('values' in demand)) return null
  if (demand.field === 'id' && demand.values.length <= MAX_ORDERS_COUNT) {
    return { kind: 'ids', ids: idsIn(demand.values), exact: false }
  }
  if (demand.field !== 'owner_id' || demand.values.length > MAX_ORDERS_COUNT) return null
  const owners: readonly (number | null)[] = [...idsIn(demand.values), ...(demand.values.includes(null) ? [null] : [])]
  const orders = owners.map((ownerId): Order => ({ kind: 'column', column: 'created_at', ownerId }))
  return { kind: 'orders', orders, exact }
}

/** By what only one conjunct demands. */
const conjunctAccess = (conjunct: Expression, layout: RecordLayout, exact: boolean): Access | null => {
  const through = throughOf(conjunct, layout)
  if (through !== null) return { ...through, exact }
  if (conjunct.kind === 'or') {
    const ways = disjunctsOf(conjunct).map((each) => planOf(conjunctsOf(each), layout))
    const known = ways.filter((way) => way !== null)
    if (known.length === ways.length) {
      return { kind: 'any', of: known, exact: exact && known.every((way) => way.exact) }
    }
  }
  const membership = membershipOf(conjunct)
  if (membership === null) return null
  const { field, id } = membership
  const index = layout.indexes.find((each) => each.fields[0] === field && isListReference(layout, each))
  if (index === undefined) return null
  return { kind: 'orders', orders: [{ kind: 'point', indexId: index.id, key: keyOf([id]) }], exact }
}

/** How to find the records for which all of these hold; null if there is no other way than to test every record. */
export const planOf = (conjuncts: readonly Expression[], layout: RecordLayout): Access | null => {
  const demands = conjuncts.flatMap((conjunct, at) => {
    const demand = demandOf(conjunct)
    return demand === null ? [] : [{ ...demand, at }]
  })
  const ways: Access[] = []
  const isWhole = (covered: readonly number[]) => new Set(covered).size === conjuncts.length
  for (const demand of demands) {
    const way = columnAccess(demand, isWhole([demand.at]))
    if (way !== null) ways.push(way)
  }
  for (const index of layout.indexes) {
    const found = isListReference(layout, index) ? null : indexOrders(index, demands)
    if (found !== null) ways.push({ kind: 'orders', orders: found.orders, exact: isWhole(found.covered) })
  }
  for (const [at, conjunct] of conjuncts.entries()) {
    if (demands.some((demand) => demand.at === at)) continue
    const way = conjunctAccess(conjunct, layout, conjuncts.length === 1)
    if (way !== null) ways.push(way)
  }
  const [only] = ways
  if (only === undefined) return null
  return ways.length === 1 ? only : { kind: 'best', of: ways, exact: ways.every(({ exact }) => exact) }
}

/** The entries of a whole index. */
export const wholeIndex = ({ id }: StoredIndex): Order => ({
  kind: 'range',
  indexId: id,
  ...rangeOf([]),
  prefix: prefixOf([]),
})
