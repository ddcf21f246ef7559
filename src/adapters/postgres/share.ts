import type { Transaction } from './connection.ts'

/** A transaction as one of its units has it. */
export interface Share extends Transaction {
  /** Whether there is something that a failure of the unit must undo. */
  hasWritten(): boolean
  /** Whether a statement that was waited for has failed, and the transaction with it. */
  hasFailed(): boolean
  /** Whether it holds rows that others may wait for, rather than rows of its own. */
  changesRows(): boolean
  /** What the unit sends from now on is refused. */
  end(): void
}

const READS = /^\s*\(?SELECT\b/
const CHANGES = /\b(?:UPDATE|DELETE)\b/

export const shareOf = (transaction: Transaction): Share => {
  let written = false
  let failed = false
  let changes = false
  let over = false
  const note = (sql: string): void => {
    if (over) throw new Error('a statement came after the end of its unit of work')
    if (!READS.test(sql)) written = true
    if (CHANGES.test(sql)) changes = true
  }
  return {
    async query(sql, ...parameters) {
      note(sql)
      try {
        return await transaction.query<never>(sql, ...parameters)
      } catch (error) {
        failed = true
        throw error
      }
    },
    send(sql, ...parameters) {
      note(sql)
      transaction.send(sql, ...parameters)
    },
    hasWritten: () => written,
    hasFailed: () => failed,
    changesRows: () => changes,
    end() {
      over = true
    },
  }
}
