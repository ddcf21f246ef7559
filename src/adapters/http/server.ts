import type { WebSocketHandler } from 'bun'
import type { Elysia } from 'elysia'

export interface RunningServer {
  /** `http://HOST:PORT` as it listens. */
  readonly url: string
  /** Hands one text to all sockets that have subscribed to it. */
  publish(audience: string, text: string): unknown
  subscriberCount(audience: string): number
  /** No more connections; requests under way finish, and what is still open after `timeout` milliseconds is cut. */
  stop(timeout: number): Promise<void>
}

const POLL_MS = 10

export interface Listening<Carried> {
  readonly host: string
  readonly port: number
  /** What handles the connections that a route upgrades: in place of Elysia's own handlers, which parse what comes. */
  readonly websocket: WebSocketHandler<Carried>
}

const urlOf = (host: string, port: number) => `http://${host.includes(':') ? `[${host}]` : host}:${port}`

const REASONS: Readonly<Record<string, string>> = {
  EADDRINUSE: 'the port is in use',
  EADDRNOTAVAIL: 'the address is not one of this machine',
  EACCES: 'this user may not use the port',
}

/**
 * Throws, in words for operators, unless a server could listen there now: for a start that fails because of that must
 * leave nothing behind. It may still be taken a moment later.
 */
export const checkAddress = (host: string, port: number): void => {
  try {
    Bun.listen({ hostname: host, port, exclusive: true, socket: { data() {} } }).stop(true)
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : ''
    throw new Error(`cannot listen on ${urlOf(host, port)}: ${REASONS[code] ?? 'no such address'}`, { cause: error })
  }
}

/** Listens. Throws when the address is taken or not ours. */
export const listen = <Carried>(app: Elysia, { host, port, websocket }: Listening<Carried>): RunningServer => {
  app.listen({
    hostname: host,
    port,
    websocket: websocket as WebSocketHandler<unknown>,
    // Otherwise a second server shares the port in silence.
    reusePort: false,
    development: false,
    // The routes answer 413 themselves, in the common shape; Bun would close without a body.
    maxRequestBodySize: Number.MAX_SAFE_INTEGER,
  })
  const { server } = app
  if (server === null || server.port === undefined) throw new Error('the server did not start')
  return {
    url: urlOf(host, server.port),
    publish: (audience, text) => server.publish(audience, text),
    subscriberCount: (audience) => server.subscriberCount(audience),
    async stop(timeout) {
      const deadline = performance.now() + timeout
      void server.stop(false)
      while (server.pendingRequests > 0 && performance.now() < deadline) await Bun.sleep(POLL_MS)
      await server.stop(true)
    },
  }
}
