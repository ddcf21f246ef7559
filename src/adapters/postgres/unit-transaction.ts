import type { Query, QueryResult, Transaction } from './connection.ts'
import { LockConflict } from './errors.ts'

/** The locks of earlier units of a transaction, for which others may wait. */
export interface EarlierLocks {
  readonly exist: boolean
  /** Limits how long the next statements wait for locks: two transactions could wait for each other. */
  limitWaits(): void
}

/** A transaction that several units may share, as seen by one of them. */
export interface UnitTransaction extends Transaction {
  /** Whether a failure of the unit must roll back changes. */
  hasWritten(): boolean
  /** Whether a statement has failed, and the transaction with it. */
  hasFailed(): boolean
  /** Whether it locks rows that others may wait for, rather than rows of its own. */
  hasLocked(): boolean
  /** Whether it has locks that others may share, and for which few wait. */
  hasShared(): boolean
  /** Whether it must run again in a separate transaction, whatever it returned. It has nothing to roll back. */
  isPostponed(): boolean
  /** Rejects all further statements of the unit. */
  end(): void
}

interface Effect {
  readonly writes?: boolean
  readonly locks?: boolean
  readonly shares?: boolean
}

export const createUnitTransaction = (query: Query, earlier: EarlierLocks): UnitTransaction => {
  let hasWritten = false
  let hasLocked = false
  let hasShared = false
  let hasFailed = false
  let isPostponed = false
  let isOver = false

  /** A unit that waited while its transaction has locks of earlier units could wait for a unit that waits for those. */
  const postpone = (): LockConflict => {
    if (earlier.exist && !hasWritten) isPostponed = true
    return new LockConflict('another transaction has a lock')
  }

  const kind =
    ({ writes = false, locks = false, shares = false }: Effect): Query =>
    (sql, ...parameters) => {
      if (isOver) throw new Error('a statement came after the end of its unit of work')
      if (isPostponed || (earlier.exist && locks && !hasWritten)) throw postpone()
      if (earlier.exist && (locks || (writes && shares))) earlier.limitWaits()
      hasWritten ||= writes
      hasLocked ||= locks
      hasShared ||= shares
      const result = query<never>(sql, ...parameters)
      result.catch(() => {
        hasFailed = true
      })
      return result
    }
  const read = kind({})
  const lock = kind({ locks: true })
  const sharing = kind({ shares: true })

  const share = async <Row>(sql: string, ids: readonly number[], ...parameters: readonly number[]) => {
    const values = [`{${ids.join()}}`, ...parameters] as const
    if (!earlier.exist) return sharing<Row>(`${sql} ORDER BY id FOR SHARE`, ...values)
    const rows = await sharing<Row>(`${sql} ORDER BY id FOR SHARE SKIP LOCKED`, ...values)
    if (rows.length === new Set(ids).size) return rows
    const existing: QueryResult<Row> = await read<Row>(sql, ...values)
    if (existing.length > rows.length) throw postpone()
    return rows
  }

  return {
    read,
    lookUp: (clause, sql, ...parameters) =>
      clause === '' ? read(sql, ...parameters) : lock(`${sql} ${clause}`, ...parameters),
    lock,
    share,
    mayWait: () => !earlier.exist,
    insert: kind({ writes: true }),
    insertUnique: kind({ writes: true, shares: true }),
    change: kind({ writes: true, locks: true }),
    postpone,
    hasWritten: () => hasWritten,
    hasLocked: () => hasLocked,
    hasShared: () => hasShared,
    hasFailed: () => hasFailed,
    isPostponed: () => isPostponed,
    end() {
      isOver = true
    },
  }
}
