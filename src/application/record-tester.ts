import { type Expression, FALSE, TRUE } from '../domain/expression.ts'
import { evaluate, type Referenced } from '../domain/expression-evaluation.ts'
import type { StoredRecord } from '../domain/record.ts'
import type { ReadTx } from './ports/persistence.ts'
import { readReferenced, type StorageOf } from './referenced-rows.ts'

/** A rule follows at most two references in a row, and `&&`, `||` and `?:` may each ask for more. */
const MAX_ROUNDS_COUNT = 10

/** Tests records by bound expressions inside one transaction. Referenced records are read once. */
export interface Tester {
  holds(expression: Expression, record: StoredRecord, next?: StoredRecord): Promise<boolean>
  /** Call it when a record has changed. */
  forget(target: string, id: number): void
}

export const createTester = (tx: ReadTx, storageOf: StorageOf): Tester => {
  const known = new Map<string, Map<number, Referenced | null>>()

  const load = async (missing: ReadonlyMap<string, ReadonlySet<number>>): Promise<void> => {
    for (const [target, ids] of missing) {
      const loaded = known.get(target) ?? new Map<number, Referenced | null>()
      known.set(target, loaded)
      // Rows are locked in the same order by everyone.
      const sorted = [...ids].sort((one, other) => one - other)
      for (const id of sorted) loaded.set(id, null)
      for (const each of await readReferenced(tx, storageOf, target, sorted)) loaded.set(Number(each.id), each)
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
    forget: (target, id) => void known.get(target)?.delete(id),
  }
}
