import type { Parameter, Query, QueryResult } from './connection.ts'
import { isConflict, isConnectionLost } from './errors.ts'
import type { ServerConnection } from './server-connection.ts'

/** How long a statement waits for a lock. */
export const LOCK_TIMEOUT_MS = 5_000

export const lockTimeout = (milliseconds: number): string => `SET LOCAL lock_timeout = ${milliseconds}`

/**
 * Each statement sees committed data; a unit locks the rows it authorizes by (see `ROW_LOCK`). The timeouts limit how
 * long a stalled unit blocks others. They are set per transaction, because a proxy may share the connection.
 */
const BEGIN = `BEGIN ISOLATION LEVEL READ COMMITTED;
  ${lockTimeout(LOCK_TIMEOUT_MS)}; SET LOCAL idle_in_transaction_session_timeout = '15s'`

/** A failure that rolled the whole transaction back. */
export class RolledBack extends Error {
  /**
   * `conflict`: another transaction interfered. `lost`: the connection was lost. Both may be temporary; `failed` is
   * not.
   */
  readonly reason: 'conflict' | 'lost' | 'failed'

  constructor(cause: unknown, reason: RolledBack['reason'] = isConflict(cause) ? 'conflict' : 'failed') {
    super('the transaction was rolled back', { cause })
    this.reason = reason
  }
}

/** Runs `work` in one transaction. Throws {@link RolledBack}, or another error if the outcome is unknown. */
export const transact = async <T>(connection: ServerConnection, work: (query: Query) => Promise<T>): Promise<T> => {
  const settlements: Promise<void>[] = []
  const ask = async <Row>(sql: string, parameters: readonly Parameter[] = []) => {
    connection.statementSent()
    try {
      return await connection.send<Row>(sql, parameters)
    } finally {
      connection.statementFinished()
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
      // Later statements fail because of the first failure, so that is the one to report.
      if (!failed) failure = error
      failed = true
      throw failure
    }
  }
  const query = <Row>(sql: string, ...parameters: readonly Parameter[]): Promise<QueryResult<Row>> => {
    const result = run<Row>(sql, parameters)
    const settled = () => {}
    settlements.push(result.then(settled, settled))
    return result
  }
  const done = (): Promise<T> =>
    new Promise<T>((resolve, reject) => {
      connection.onLoss((error) => {
        lost = true
        reject(error)
      })
      work(query).then(resolve, reject)
    }).finally(() => connection.onLoss(null))

  // BEGIN is not awaited: the first statement follows at once.
  void query(BEGIN)
  try {
    const value = await done()
    over = true
    const [end] = await Promise.allSettled([ask('COMMIT'), ...settlements])
    if (end.status === 'rejected') {
      // The connection was lost before the response to COMMIT: the outcome is unknown.
      throw isConnectionLost(end.reason) ? end.reason : new RolledBack(end.reason)
    }
    if (!failed && end.value.command === 'COMMIT') return value
    throw new RolledBack(failure)
  } catch (error) {
    if (over) throw error
    over = true
    if (lost || isConnectionLost(failure)) {
      connection.close()
      throw new RolledBack(failed ? failure : error, 'lost')
    }
    await ask('ROLLBACK').catch(() => connection.close())
    throw new RolledBack(isConflict(failure) ? failure : error)
  }
}
