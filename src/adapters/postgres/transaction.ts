import type { Parameter, Transaction } from './connection.ts'
import { isConflict, isLost } from './errors.ts'
import type { Link } from './link.ts'

/**
 * Each statement sees what is committed; what a unit judges by it holds (see `HOLD`). Whoever stops in the middle holds
 * others up for so long and no longer. Set here and not for the connection, which a proxy may share out.
 */
const BEGIN = `BEGIN ISOLATION LEVEL READ COMMITTED;
  SET LOCAL lock_timeout = '5s'; SET LOCAL idle_in_transaction_session_timeout = '15s'`

/** A failure after which nothing of the transaction is in the database. */
export class RolledBack extends Error {
  /** `conflict`: another transaction was in the way. `lost`: the connection was. Both may pass, what `failed` does not. */
  readonly reason: 'conflict' | 'lost' | 'failed'

  constructor(cause: unknown, reason: RolledBack['reason'] = isConflict(cause) ? 'conflict' : 'failed') {
    super('the transaction was rolled back', { cause })
    this.reason = reason
  }
}

/** Runs `work` in one transaction. Throws {@link RolledBack}, or what else happened when nobody knows the outcome. */
export const transact = async <T>(link: Link, work: (transaction: Transaction) => Promise<T>): Promise<T> => {
  const unanswered: Promise<unknown>[] = []
  const ask = async <Row>(sql: string, parameters: readonly Parameter[] = []) => {
    link.asked()
    try {
      return await link.send<Row>(sql, parameters)
    } finally {
      link.answered()
    }
  }
  let over = false
  let lost = false
  let failed = false
  let failure: unknown = null
  const run = async <Row>(sql: string, parameters: readonly Parameter[]) => {
    if (over) throw new Error('a statement came after the end of its transaction')
    try {
      return await ask<Row>(sql, parameters)
    } catch (error) {
      // What follows a failed statement fails because of it; the first failure is the one to tell.
      if (!failed) failure = error
      failed = true
      throw failure
    }
  }
  const transaction: Transaction = {
    query: (sql, ...parameters) => run(sql, parameters),
    send(sql, ...parameters) {
      const answer = run(sql, parameters)
      answer.catch(() => {})
      unanswered.push(answer)
    },
  }
  const done = (): Promise<T> =>
    new Promise<T>((resolve, reject) => {
      link.watch((error) => {
        lost = true
        reject(error)
      })
      work(transaction).then(resolve, reject)
    }).finally(() => link.watch(null))

  // Nothing waits for the answer to BEGIN: the first statement follows at once.
  transaction.send(BEGIN)
  try {
    const value = await done()
    over = true
    const [end] = await Promise.allSettled([ask('COMMIT'), ...unanswered])
    if (end.status === 'rejected') {
      // Lost with the answer to COMMIT on its way: nobody knows what became of it.
      throw isLost(end.reason) ? end.reason : new RolledBack(end.reason)
    }
    if (!failed && end.value.command === 'COMMIT') return value
    throw new RolledBack(failure)
  } catch (error) {
    if (over) throw error
    over = true
    if (lost || isLost(failure)) {
      link.close()
      throw new RolledBack(failed ? failure : error, 'lost')
    }
    await ask('ROLLBACK').catch(() => link.close())
    throw new RolledBack(isConflict(failure) ? failure : error)
  }
}
