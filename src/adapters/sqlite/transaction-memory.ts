import type { Connection } from './database.ts'
import type { Remember } from './snapshots.ts'
import type { Deferred } from './writer.ts'

/** What the units of one transaction share of what they found. Nobody else changes it meanwhile: one writes at a time. */
export interface TransactionMemory {
  readonly remember: Remember
  /** To be called when a unit changes what may be remembered. */
  forget(): void
  /** The same changes, with which it is forgotten, too. */
  endingWith(deferred: Deferred): Deferred
}

export const createTransactionMemory = ({ database }: Connection): TransactionMemory => {
  const memories: Map<number, object>[] = []
  const forget = () => {
    for (const memory of memories) memory.clear()
  }
  return {
    remember<Row extends object>(find: (id: number) => Row | null) {
      const memory = new Map<number, Row>()
      memories.push(memory)
      return (id) => {
        // SQLite may have rolled back by itself: what was found before need not be true any more.
        if (!database.inTransaction) return find(id)
        const known = memory.get(id)
        if (known !== undefined) return known
        const row = find(id)
        if (row !== null) memory.set(id, row)
        return row
      }
    },
    forget,
    endingWith: ({ mark, check, ...deferred }) => ({
      mark,
      check,
      undo() {
        forget()
        deferred.undo()
      },
      clear() {
        forget()
        deferred.clear()
      },
      flush() {
        forget()
        deferred.flush()
      },
    }),
  }
}
