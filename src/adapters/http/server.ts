import type { WebSocketHandler } from 'bun'
import type { Elysia } from 'elysia'

export interface RunningServer {
  readonly port: number
  /** `http://HOST:PORT` as it listens. */
  readonly url: string
  /** Sends one text to all subscribed sockets. */
  publish(audience: string, text: string): unknown
  subscriberCount(audience: string): number
  /**
   * Accepts no more connections; requests in progress finish, and connections still open after `timeout` milliseconds
   * are cut.
   */
  stop(timeout: number): Promise<void>
}

const POLL_MS = 10

/** Seconds after which a connection on which nothing is sent or received is closed. */
export const IDLE_TIMEOUT_SECONDS = 30

export interface Listening<Carried> {
  readonly host: string
  readonly port: number
  readonly idleTimeoutSeconds: number
  /** Whether other threads listen on the port too. */
  readonly isShared?: boolean
  /** Handlers of upgraded connections, which replace Elysia's own, because those parse messages. */
  readonly websocket: WebSocketHandler<Carried>
}

const urlOf = (host: string, port: number) => `http://${host.includes(':') ? `[${host}]` : host}:${port}`

const REASONS: Readonly<Record<string, string>> = {
  EADDRINUSE: 'the port is in use',
  EADDRNOTAVAIL: 'the address is not one of this machine',
  EACCES: 'this user may not use the port',
}

/**
 * Throws, with a message for operators, unless a server could listen there now, so that a start that fails leaves
 * nothing behind. The port may still be taken a moment later.
 */
export const checkAddress = (host: string, port: number): void => {
  try {
    Bun.listen({ hostname: host, port, exclusive: true, socket: { data() {} } }).stop(true)
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : ''
    throw new Error(`cannot listen on ${urlOf(host, port)}: ${REASONS[code] ?? 'no such address'}`, { cause: error })
  }
}

/** Listens. Throws if the address is in use or not available. */
export const listen = <Carried>(
  app: Elysia,
  { host, port, idleTimeoutSeconds, isShared = false, websocket }: Listening<Carried>,
): RunningServer => {
  app.compile()
  // `app.listen` would compile a second time, load the routes again and collect garbage just after the start.
  const server = Bun.serve({
    fetch: app.fetch,
    hostname: host,
    port,
    idleTimeout: idleTimeoutSeconds,
    websocket,
    // In a single thread, a second server could share the port without an error.
    reusePort: isShared,
    development: false,
    // The routes send 413 themselves, in the common format; Bun's response has no body.
    maxRequestBodySize: Number.MAX_SAFE_INTEGER,
  })
  const { port: actual } = server
  if (actual === undefined) throw new Error('the server has no port')
  // For its routes.
  app.server = server
  return {
    port: actual,
    url: urlOf(host, actual),
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
