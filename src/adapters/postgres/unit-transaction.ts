import type { Query, Transaction } from './connection.ts'

/** A transaction that several units may share, as seen by one of them. */
export interface UnitTransaction extends Transaction {
  /** Whether a failure of the unit must roll back changes. */
  hasWritten(): boolean
  /** Whether a statement has failed, and the transaction with it. */
  hasFailed(): boolean
  /** Whether it locks rows that others may wait for, rather than rows of its own. */
  hasLocked(): boolean
  /** Rejects all further statements of the unit. */
  end(): void
}

export const createUnitTransaction = (query: Query): UnitTransaction => {
  let hasWritten = false
  let hasLocked = false
  let hasFailed = false
  let isOver = false

  const kind =
    ({ writes = false, locks = false }): Query =>
    (sql, ...parameters) => {
      if (isOver) throw new Error('a statement came after the end of its unit of work')
      hasWritten ||= writes
      hasLocked ||= locks
      const result = query<never>(sql, ...parameters)
      result.catch(() => {
        hasFailed = true
      })
      return result
    }
  const read = kind({})
  const lock = kind({ locks: true })

  return {
    read,
    lookUp: (clause, sql, ...parameters) =>
      clause === '' ? read(sql, ...parameters) : lock(`${sql} ${clause}`, ...parameters),
    lock,
    insert: kind({ writes: true }),
    change: kind({ writes: true, locks: true }),
    hasWritten: () => hasWritten,
    hasLocked: () => hasLocked,
    hasFailed: () => hasFailed,
    end() {
      isOver = true
    },
  }
}
