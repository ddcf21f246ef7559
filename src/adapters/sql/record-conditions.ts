import type { RecordQuery } from '../../application/ports/records.ts'
import { type Expression, FALSE, TRUE } from '../../domain/expression.ts'
import { assume } from '../../domain/expression-binding.ts'
import { conjunctsOf, equalitiesOf, fieldOf } from '../../domain/expression-parts.ts'
import type { CreatedRange } from './record-access.ts'
import { demandOf } from './record-demands.ts'
import type { References } from './record-references.ts'

/** What a list demands, taken apart. */
export interface Conditions extends CreatedRange {
  /** All of them must hold; none if every record is listed. */
  readonly conjuncts: readonly Expression[]
}

/** References that follow from other references are loaded one after the other. */
const MAX_ROUNDS_COUNT = 4

/** The owner of a query is a condition like any other. */
const ownerCondition = (ownerId: number): Expression => ({
  kind: 'equal',
  left: { kind: 'member', of: { kind: 'variable', name: 'record' }, name: 'owner_id', time: false },
  right: { kind: 'literal', value: ownerId },
})

/** The field that a conjunct gives a value. */
const equalField = (conjunct: Expression): string | null => {
  if (conjunct.kind !== 'equal') return null
  const { left, right } = conjunct
  return left.kind === 'literal' || right.kind === 'literal' ? (fieldOf(left) ?? fieldOf(right)) : null
}

/** What else must hold for records whose fields have the values that some conjuncts demand. Null if nothing can. */
const simplify = async (all: readonly Expression[], references: References): Promise<readonly Expression[] | null> => {
  const equalities = equalitiesOf(all.reduce((left, right): Expression => ({ kind: 'and', left, right }), TRUE))
  if (equalities.size === 0) return all
  const kept: Expression[] = []
  const names = new Set<string>()
  for (const conjunct of all.toReversed()) {
    // The last one of each field, whose value is known; an earlier one may contradict it.
    const name = equalField(conjunct)
    if (name !== null && equalities.has(name) && !names.has(name)) {
      names.add(name)
      kept.push(conjunct)
      continue
    }
    let rest = conjunct
    for (let round = 0; round < MAX_ROUNDS_COUNT; round++) {
      rest = assume(conjunct, equalities, references.find)
      if (!references.takeMissed()) break
      await references.load()
    }
    if (rest === FALSE) return null
    kept.push(...conjunctsOf(rest).filter((each) => each !== TRUE))
  }
  return kept.toReversed()
}

const later = (one: number | null, other: number | null): number | null =>
  one === null || other === null ? (one ?? other) : Math.max(one, other)

const earlier = (one: number | null, other: number | null): number | null =>
  one === null || other === null ? (one ?? other) : Math.min(one, other)

/** What a conjunct demands of `created_at`, if it demands nothing else. */
const createdRangeOf = (conjunct: Expression): CreatedRange | null => {
  const demand = demandOf(conjunct)
  if (demand === null || demand.field !== 'created_at') return null
  if ('values' in demand) {
    const [time] = demand.values
    if (demand.values.length !== 1 || typeof time !== 'number') return null
    return { createdAfter: time - 1, createdBefore: time + 1 }
  }
  if (!('low' in demand)) return null
  const { low, high } = demand
  if (typeof low?.value === 'string' || typeof high?.value === 'string') return null
  return {
    createdAfter: low === null ? null : low.value - (low.inclusive ? 1 : 0),
    createdBefore: high === null ? null : high.value + (high.inclusive ? 1 : 0),
  }
}

/** Null if no record can meet them. */
export const conditionsOf = async (query: RecordQuery, references: References): Promise<Conditions | null> => {
  const given = query.condition ?? TRUE
  const all = conjunctsOf(given).filter((each) => each !== TRUE)
  if (all.includes(FALSE)) return null
  if (query.ownerId !== null) all.push(ownerCondition(query.ownerId))
  const simplified = await simplify(all, references)
  if (simplified === null) return null
  let { createdAfter, createdBefore } = query
  const conjuncts = simplified.filter((conjunct) => {
    const range = createdRangeOf(conjunct)
    if (range === null) return true
    createdAfter = later(createdAfter, range.createdAfter)
    createdBefore = earlier(createdBefore, range.createdBefore)
    return false
  })
  return { conjuncts, createdAfter, createdBefore }
}
