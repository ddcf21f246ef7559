import { type Expression, FALSE, TRUE } from '../domain/expression.ts'
import { evaluate, type Referenced } from '../domain/expression-evaluation.ts'
import type { StoredRecord } from '../domain/record.ts'
import type { ReadTx } from './ports/persistence.ts'
import { findInParts, readReferenced, type StorageOf } from './referenced-rows.ts'

/** A rule follows at most two references in a row, and `&&`, `||` and `?:` may each ask for more. */
const MAX_ROUNDS_COUNT = 10

/** Tests records by bound expressions inside one transaction. Referenced records are read once. */
export interface Tester {
  holds(expression: Expression, record: StoredRecord, next?: StoredRecord): Promise<boolean>
  /** The records of a collection with these ids, in their order. Those that expressions have read are not read again. */
  records(target: string, ids: readonly number[]): Promise<readonly StoredRecord[]>
  /** Call it when a record has changed. */
  forget(target: string, id: number): void
}

export const createTester = (tx: ReadTx, storageOf: StorageOf): Tester => {
  const known = new Map<string, Map<number, Referenced | null>>()
  /** The same, of collections. */
  const knownRecords = new Map<string, Map<number, StoredRecord>>()

  const read = async (target: string, ids: readonly number[]): Promise<readonly Referenced[]> => {
    if (target === 'users' || target === 'files') return readReferenced(tx, storageOf, target, ids)
    const storage = await storageOf(tx, target)
    const found = storage === null ? [] : await findInParts(tx, storage, ids)
    const records = knownRecords.get(target) ?? new Map<number, StoredRecord>()
    knownRecords.set(target, records)
    for (const each of found) records.set(each.id, each)
    return found
  }

  const load = async (missing: ReadonlyMap<string, ReadonlySet<number>>): Promise<void> => {
    for (const [target, ids] of missing) {
      const loaded = known.get(target) ?? new Map<number, Referenced | null>()
      known.set(target, loaded)
      // Rows are locked in the same order by everyone.
      const sorted = [...ids].sort((one, other) => one - other)
      for (const id of sorted) loaded.set(id, null)
      for (const each of await read(target, sorted)) loaded.set(Number(each.id), each)
    }
  }

  return {
    async holds(expression, record, next) {
      if (expression === TRUE || expression === FALSE) return expression === TRUE
      for (let round = 0; round < MAX_ROUNDS_COUNT; round++) {
        const missing = new Map<string, Set<number>>()
        const value = evaluate(expression, {
          record,
          ...(next === undefined ? {} : { next }),
          referenced(target, id) {
            const found = known.get(target)?.get(id)
            if (found === undefined) missing.set(target, (missing.get(target) ?? new Set()).add(id))
            return found
          },
        })
        // What could not be read cannot change a value.
        if (value !== undefined || missing.size === 0) return value === true
        await load(missing)
      }
      return false
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
