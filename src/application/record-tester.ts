import { type Expression, FALSE, TRUE } from '../domain/expression.ts'
import { evaluate, type FindReferenced, type Referenced } from '../domain/expression-evaluation.ts'
import type { StoredRecord } from '../domain/record.ts'
import { type Awaitable, andThen } from './awaitable.ts'
import type { ReadTx } from './ports/persistence.ts'
import { findInParts, readReferenced, type StorageOf } from './referenced-rows.ts'

/** A rule follows at most two references in a row, and `&&`, `||` and `?:` may each ask for more. */
const MAX_ROUNDS_COUNT = 10

/** Tests records by bound expressions inside one transaction. Referenced records are read once. */
export interface Tester {
  isTrue(expression: Expression, record: StoredRecord, next?: StoredRecord): Awaitable<boolean>
  /** The records of a collection with these ids, in their order. Those that expressions have read are not read again. */
  records(target: string, ids: readonly number[]): Awaitable<readonly StoredRecord[]>
  /** Call it when a record has changed. */
  forget(target: string, id: number): void
}

const isNoCollection = (target: string): boolean => target === 'users' || target === 'files'

type Known<T> = Map<string, Map<number, T | null>>

const knownOf = <T>(known: Known<T>, target: string): Map<number, T | null> => {
  const ofTarget = known.get(target) ?? new Map<number, T | null>()
  known.set(target, ofTarget)
  return ofTarget
}

/** Remembers what was found of some ids, and that there is nothing of the others. */
const remember = <T extends Referenced>(
  known: Map<number, T | null>,
  ids: readonly number[],
  reading: Awaitable<readonly T[]>,
): Awaitable<void> =>
  andThen(reading, (found) => {
    for (const id of ids) known.set(id, null)
    for (const each of found) known.set(Number(each.id), each)
  })

interface Parts {
  readonly tx: ReadTx
  readonly storageOf: StorageOf
  /** Of users and files. */
  readonly known: Known<Referenced>
  readonly knownRecords: Known<StoredRecord>
}

const findRecords = (
  { tx, storageOf }: Parts,
  target: string,
  ids: readonly number[],
): Awaitable<readonly StoredRecord[]> =>
  andThen(storageOf(tx, target), (storage) => (storage === null ? [] : findInParts(tx, storage, ids)))

const loadOf = (parts: Parts, target: string, ids: ReadonlySet<number>): Awaitable<void> => {
  const { tx, storageOf, known, knownRecords } = parts
  // Rows are locked in the same order by everyone.
  const sorted = [...ids].sort((one, other) => one - other)
  if (isNoCollection(target)) {
    return remember(knownOf(known, target), sorted, readReferenced(tx, storageOf, target, sorted))
  }
  return remember(knownOf(knownRecords, target), sorted, findRecords(parts, target, sorted))
}

/** One collection after the other. */
const load = (parts: Parts, missing: Iterator<[string, ReadonlySet<number>]>): Awaitable<void> => {
  const { value } = missing.next()
  if (value === undefined) return undefined
  const [target, ids] = value
  return andThen(loadOf(parts, target, ids), () => load(parts, missing))
}

export const createTester = (tx: ReadTx, storageOf: StorageOf): Tester => {
  const parts: Parts = { tx, storageOf, known: new Map(), knownRecords: new Map() }
  const { known, knownRecords } = parts

  const find: FindReferenced = (target, id) => {
    const found = (knownRecords.get(target) ?? known.get(target))?.get(id)
    if (found !== undefined || isNoCollection(target)) return found
    const record = tx.findNow?.(target, id)
    if (record !== undefined) knownOf(knownRecords, target).set(id, record)
    return record
  }

  const test = (
    expression: Expression,
    states: { readonly record: StoredRecord; readonly next?: StoredRecord },
    roundsLeft: number,
  ): Awaitable<boolean> => {
    const missing = new Map<string, Set<number>>()
    const value = evaluate(expression, {
      ...states,
      referenced(target, id) {
        const found = find(target, id)
        if (found !== undefined) return found
        missing.set(target, (missing.get(target) ?? new Set()).add(id))
        return undefined
      },
    })
    // What could not be read cannot change a value.
    if (value !== undefined || missing.size === 0) return value === true
    if (roundsLeft === 0) return false
    return andThen(load(parts, missing.entries()), () => test(expression, states, roundsLeft - 1))
  }

  return {
    isTrue(expression, record, next) {
      if (expression === TRUE || expression === FALSE) return expression === TRUE
      return test(expression, next === undefined ? { record } : { record, next }, MAX_ROUNDS_COUNT)
    },
    records(target, ids) {
      const records = knownRecords.get(target)
      const missing = records === undefined ? ids : ids.filter((id) => !records.has(id))
      const knownOnes = (found?: ReadonlyMap<number, StoredRecord>): readonly StoredRecord[] =>
        ids.map((id) => records?.get(id) ?? found?.get(id) ?? null).filter((record) => record !== null)
      if (missing.length === 0) return knownOnes()
      return andThen(findRecords(parts, target, missing), (found) =>
        knownOnes(new Map(found.map((each) => [each.id, each]))),
      )
    },
    forget(target, id) {
      known.get(target)?.delete(id)
      knownRecords.get(target)?.delete(id)
    },
  }
}
