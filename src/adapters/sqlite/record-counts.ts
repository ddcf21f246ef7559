import type { RecordStorage } from '../../application/ports/collections.ts'
import type { Connection } from './database.ts'
import type { DeferredWrites } from './writer.ts'

/** What `record_counts` names a collection. */
const nameOf = (storage: RecordStorage): string => (typeof storage === 'string' ? storage : String(storage.id))

const prepareCount = (connection: Connection) => {
  const find = connection.prepare<{ count: number }, [string]>(
    'SELECT count FROM record_counts WHERE storage = ? AND slot = 0',
  )
  return (name: string): number => find.get(name)?.count ?? 0
}

/** Reads the number of committed records. */
export const createCountReader = (connection: Connection) => {
  const find = prepareCount(connection)
  return (storage: RecordStorage): number => find(nameOf(storage))
}

export interface RecordCounts extends DeferredWrites {
  add(storage: RecordStorage, count: number): void
  /** Including the changes of the transaction. */
  of(storage: RecordStorage): number
}

const put = (counts: Map<string, number>, name: string, count: number): void => {
  counts.set(name, (counts.get(name) ?? 0) + count)
}

/** Counts for all units of a transaction, and stores each sum once, just before the commit. */
export const createRecordCounts = (connection: Connection): RecordCounts => {
  const stored = prepareCount(connection)
  const change = connection.prepare<unknown, [string, number]>(
    `INSERT INTO record_counts (storage, slot, count) VALUES (?, 0, ?)
     ON CONFLICT (storage, slot) DO UPDATE SET count = count + excluded.count`,
  )
  const removeEmpty = connection.prepare<unknown, [string]>(
    'DELETE FROM record_counts WHERE storage = ? AND slot = 0 AND count = 0',
  )
  const ended = new Map<string, number>()
  const current = new Map<string, number>()

  const endUnit = () => {
    for (const [name, count] of current) put(ended, name, count)
    current.clear()
  }

  return {
    add: (storage, count) => put(current, nameOf(storage), count),
    of(storage) {
      const name = nameOf(storage)
      return stored(name) + (ended.get(name) ?? 0) + (current.get(name) ?? 0)
    },
    unitBegun: endUnit,
    checkUnit() {},
    undoUnit: () => current.clear(),
    discard() {
      ended.clear()
      current.clear()
    },
    write() {
      endUnit()
      for (const [name, count] of ended) {
        if (count !== 0) change.run(name, count)
        if (count < 0) removeEmpty.run(name)
      }
      ended.clear()
    },
  }
}
