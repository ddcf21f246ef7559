import { type Expression, FALSE, TRUE } from '../domain/expression.ts'
import { evaluate, type Referenced } from '../domain/expression-evaluation.ts'
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
  records(target: string, ids: readonly number[]): Promise<readonly StoredRecord[]>
  /** Call it when a record has changed. */
  forget(target: string, id: number): void
}

export const createTester = (tx: ReadTx, storageOf: StorageOf): Tester => {
  const known = new Map<string, Map<number, Referenced | null>>()
  /** The same, of collections. */
  const knownRecords = new Map<string, Map<number, StoredRecord>>()

  const read = (target: string, ids: readonly number[]): Awaitable<readonly Referenced[]> => {
    if (target === 'users' || target === 'files') return readReferenced(tx, storageOf, target, ids)
    const reading = andThen(storageOf(tx, target), (storage) => (storage === null ? [] : findInParts(tx, storage, ids)))
    return andThen(reading, (found) => {
      const records = knownRecords.get(target) ?? new Map<number, StoredRecord>()
      knownRecords.set(target, records)
      for (const each of found) records.set(each.id, each)
      return found
    })
  }

  const loadOf = (target: string, ids: ReadonlySet<number>): Awaitable<void> => {
    const loaded = known.get(target) ?? new Map<number, Referenced | null>()
    known.set(target, loaded)
    // Rows are locked in the same order by everyone.
    const sorted = [...ids].sort((one, other) => one - other)
    for (const id of sorted) loaded.set(id, null)
    return andThen(read(target, sorted), (found) => {
      for (const each of found) loaded.set(Number(each.id), each)
    })
  }

  /** One collection after the other. */
  const load = (missing: Iterator<[string, ReadonlySet<number>]>): Awaitable<void> => {
    const { value } = missing.next()
    if (value === undefined) return undefined
    const [target, ids] = value
    return andThen(loadOf(target, ids), () => load(missing))
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
        const found = known.get(target)?.get(id)
        if (found !== undefined) return found
        missing.set(target, (missing.get(target) ?? new Set()).add(id))
        return undefined
      },
    })
    // What could not be read cannot change a value.
    if (value !== undefined || missing.size === 0) return value === true
    if (roundsLeft === 0) return false
    return andThen(load(missing.entries()), () => test(expression, states, roundsLeft - 1))
  }

  return {
    isTrue(expression, record, next) {
      if (expression === TRUE || expression === FALSE) return expression === TRUE
      return test(expression, next === undefined ? { record } : { record, next }, MAX_ROUNDS_COUNT)
    },
    async records(target, ids) {
      const records = knownRecords.get(target)
      const missing = ids.filter((id) => !records?.has(id))
      const storage = missing.length === 0 ? null : await storageOf(tx, target)
      const found = storage === null ? [] : await findInParts(tx, storage, missing)
      const byId = new Map(found.map((record) => [record.id, record]))
      return ids.flatMap((id) => records?.get(id) ?? byId.get(id) ?? [])
    },
    forget(target, id) {
      known.get(target)?.delete(id)
      knownRecords.get(target)?.delete(id)
    },
  }
}
