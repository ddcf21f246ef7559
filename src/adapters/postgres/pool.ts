import type { Connection, Parameter, Query, QueryResult } from './connection.ts'
import { isConnectionLost, unavailable } from './errors.ts'
import { connect, type ServerConnection } from './server-connection.ts'
import { createSlots, type Slot } from './slots.ts'

export interface PoolOptions {
  /** `postgres://…`; with `?prepare=false` no statement is named, as PgBouncer in transaction mode needs it. */
  readonly url: string
  /** Maximum number of connections. */
  readonly size: number
  /** Milliseconds to wait for a free connection, or for the server to accept a new one. */
  readonly connectionTimeoutMs?: number
  /** Milliseconds without a response after which a connection is closed; never if absent. */
  readonly responseTimeoutMs?: number
  /** Runs before anything else is sent on a new connection, which is closed if it fails. */
  readonly onOpened?: (connection: ServerConnection) => Promise<void>
  /** Called with the milliseconds that a single statement waited for a connection, even if it did not get one. */
  readonly onWaited?: ((milliseconds: number) => void) | undefined
}

/** Runs single statements at once, on shared connections. */
export interface Pool extends Connection {
  /** Maximum number of concurrent exclusive users. */
  readonly maxExclusiveCount: number
  /** Milliseconds to wait for a free connection. */
  readonly connectionTimeoutMs: number
  /** Sends a statement that may run twice: if the connection is lost, it is retried on another. */
  readonly query: Query
  /** Runs `work` with exclusive use of a connection. Rejects with `unavailable` if none is free. */
  exclusively<T>(work: (connection: ServerConnection) => Promise<T>): Promise<T>
  /** Rejects new work, waits up to `timeoutMs` for running work, then closes every connection. */
  close(timeoutMs: number): Promise<void>
}

/** Opens the connection of a slot on demand; concurrent callers share it. */
const createOpener = ({ url, onOpened }: PoolOptions, timeoutMs: number) => {
  const openIn = async (slot: Slot): Promise<ServerConnection> => {
    const connection = await connect(url, timeoutMs, (closed) => {
      if (slot.connection === closed) slot.connection = null
    })
    if (onOpened === undefined) return connection
    const timer = setTimeout(connection.close, timeoutMs)
    try {
      await onOpened(connection)
      return connection
    } catch (error) {
      connection.close()
      throw error
    } finally {
      clearTimeout(timer)
    }
  }

  return async (slot: Slot): Promise<ServerConnection> => {
    slot.opening ??= openIn(slot).finally(() => {
      slot.opening = null
    })
    const connection = await slot.opening
    slot.connection = connection
    return connection
  }
}

/** Without this, a lost network or a server that hangs would block callers indefinitely. */
const closeSilent = (slots: readonly Slot[], timeoutMs: number): void => {
  const silent = slots.flatMap(({ connection }) =>
    connection !== null && connection.silenceMs() > timeoutMs ? [connection] : [],
  )
  // Idle connections are probably lost too.
  if (silent.some((connection) => connection.isWaiting())) for (const connection of silent) connection.close()
}

/** Connections that each run either one transaction, or any number of pipelined single statements. */
export const createPool = (options: PoolOptions): Pool => {
  const { size, connectionTimeoutMs = 5_000, responseTimeoutMs, onWaited } = options
  const slots = createSlots(size, connectionTimeoutMs)
  const open = createOpener(options, connectionTimeoutMs)
  let isClosing = false
  const watching =
    responseTimeoutMs === undefined
      ? null
      : setInterval(closeSilent, responseTimeoutMs / 3, slots.all, responseTimeoutMs)
  watching?.unref()

  const acquire = async (exclusive: boolean): Promise<Slot> => {
    const askedAt = performance.now()
    try {
      return await slots.acquire(exclusive)
    } finally {
      if (!exclusive) onWaited?.(performance.now() - askedAt)
    }
  }

  const exclusively = async <T>(work: (connection: ServerConnection) => Promise<T>): Promise<T> => {
    if (isClosing) throw unavailable('The server is stopping')
    const slot = slots.tryAcquire(true) ?? (await acquire(true))
    try {
      const connection = slot.connection ?? (await open(slot))
      try {
        return await work(connection)
      } catch (error) {
        if (isConnectionLost(error)) connection.close()
        throw error
      }
    } finally {
      slots.release(slot, true)
    }
  }

  const send = async <Row>(slot: Slot, sql: string, parameters: readonly Parameter[]): Promise<QueryResult<Row>> => {
    let unsent = true
    try {
      const connection = slot.connection ?? (await open(slot))
      connection.statementSent()
      try {
        const result = connection.send<Row>(sql, parameters)
        slots.sent(slot)
        unsent = false
        return await result
      } catch (error) {
        if (isConnectionLost(error)) connection.close()
        throw error
      } finally {
        connection.statementFinished()
      }
    } finally {
      // Nothing was sent, and nothing will be.
      if (unsent) slots.sent(slot)
      slots.release(slot, false)
    }
  }

  /** Connections lost while idle, as in a restart of the server, must not cause errors: each is tried and dropped. */
  const query = async <Row>(sql: string, ...parameters: readonly Parameter[]): Promise<QueryResult<Row>> => {
    for (let fresh = 0, used = 0; ; ) {
      if (isClosing) throw unavailable('The server is stopping')
      const free = slots.tryAcquire(false)
      if (free !== null) onWaited?.(0)
      const slot = free ?? (await acquire(false))
      const wasUsed = slot.connection !== null
      try {
        return await send<Row>(slot, sql, parameters)
      } catch (error) {
        if (wasUsed) used++
        else fresh++
        if (!isConnectionLost(error) || fresh > 1 || used > size) throw error
      }
    }
  }

  return {
    maxExclusiveCount: slots.maxExclusiveCount,
    connectionTimeoutMs,
    query,
    read: query,
    lookUp: (lock, sql, ...parameters) => query(`${sql} ${lock}`, ...parameters),
    exclusively,
    async close(timeoutMs) {
      isClosing = true
      const late = Promise.withResolvers<void>()
      const timer = Number.isFinite(timeoutMs) ? setTimeout(late.resolve, timeoutMs) : null
      await Promise.race([slots.idle(), late.promise])
      if (timer !== null) clearTimeout(timer)
      if (watching !== null) clearInterval(watching)
      for (const { connection } of slots.all) connection?.close()
    },
  }
}
