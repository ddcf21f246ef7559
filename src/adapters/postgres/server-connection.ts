import type { ReservedSQL } from 'bun'
import type { Parameter, QueryResult } from './connection.ts'
import { ConnectionLost } from './errors.ts'

/** One connection to the server. After it is lost, statements are rejected, never sent on another connection. */
export interface ServerConnection {
  send<Row>(
    sql: string,
    parameters: readonly Parameter[],
  ): Promise<QueryResult<Row> & { readonly command: string | null }>
  /** Sets the one listener for its loss; null for none. */
  onLoss(listener: ((error: unknown) => void) | null): void
  /** Call it for each statement, and once more when it has finished, to detect a server that does not respond. */
  statementSent(): void
  statementFinished(): void
  /** Whether statements are pending. */
  isWaiting(): boolean
  /** Milliseconds since the last response, or since the first pending statement after it. */
  silenceMs(): number
  close(): void
}

/** Bun's own timeout, in whole seconds, fires first if it works. */
const GRACE_MS = 1_000

const parse = (text: string) => {
  const url = new URL(text)
  const prepare = url.searchParams.get('prepare') !== 'false'
  url.searchParams.delete('prepare')
  return { url: url.href, prepare }
}

/**
 * Opens a connection to `postgres://…`; with `?prepare=false` no statement is named. Rejects if the server has not
 * accepted it within `timeoutMs`. `onClosed` is called when it ends for any reason.
 */
export const connect = async (
  text: string,
  timeoutMs: number,
  onClosed: (connection: ServerConnection) => void,
): Promise<ServerConnection> => {
  let lossListener: ((error: unknown) => void) | null = null
  let connection: ServerConnection | null = null
  const { url, prepare } = parse(text)
  /** Bun leaves some pending statements unresolved when a connection ends. */
  const pending = new Set<(error: unknown) => void>()
  const end = (error: unknown): void => {
    if (connection !== null) onClosed(connection)
    lossListener?.(error)
    for (const reject of pending) reject(error)
    pending.clear()
  }
  const sql = new Bun.SQL(url, {
    max: 1,
    prepare,
    idleTimeout: 0,
    maxLifetime: 0,
    connectionTimeout: Math.max(1, Math.ceil(timeoutMs / 1_000)),
    onclose: (error) => end(error ?? new ConnectionLost('The connection was closed')),
  })
  // An unreserved connection would be replaced silently, in the middle of a transaction.
  let reserved: ReservedSQL
  const late = Promise.withResolvers<never>()
  const timer = setTimeout(
    () => late.reject(new ConnectionLost('The connection was not opened in time')),
    timeoutMs + GRACE_MS,
  )
  try {
    reserved = await Promise.race([sql.reserve(), late.promise])
  } catch (error) {
    void sql.close({ timeout: 0 })
    throw error
  } finally {
    clearTimeout(timer)
  }
  let unfinishedCount = 0
  let finishedAt = performance.now()
  connection = {
    // Sent in the order of the calls; otherwise each query would start only when it is awaited.
    send: (statement, parameters) =>
      new Promise((resolve, reject) => {
        pending.add(reject)
        reserved
          .unsafe(statement, [...parameters])
          .execute()
          .then(
            (result) => {
              pending.delete(reject)
              resolve(result)
            },
            (error: unknown) => {
              pending.delete(reject)
              reject(error)
            },
          )
      }),
    statementSent() {
      if (unfinishedCount++ === 0) finishedAt = performance.now()
    },
    statementFinished() {
      unfinishedCount--
      finishedAt = performance.now()
    },
    isWaiting: () => unfinishedCount > 0,
    silenceMs: () => performance.now() - finishedAt,
    onLoss(listener) {
      lossListener = listener
    },
    close() {
      void sql.close({ timeout: 0 })
      end(new ConnectionLost('The connection was closed'))
    },
  }
  return connection
}
