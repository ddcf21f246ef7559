import type { Elysia } from 'elysia'

export interface RunningServer {
  readonly port: number
  /** No more connections; requests under way finish, and what is still open after `timeout` milliseconds is cut. */
  stop(timeout: number): Promise<void>
}

const POLL_MS = 10

/** Listens. Throws when the address is taken or not ours. */
export const listen = (app: Elysia, { host, port }: { host: string; port: number }): RunningServer => {
  app.listen({
    hostname: host,
    port,
    // Otherwise a second server shares the port in silence.
    reusePort: false,
    development: false,
    // The routes answer 413 themselves, in the common shape; Bun would close without a body.
    maxRequestBodySize: Number.MAX_SAFE_INTEGER,
  })
  const { server } = app
  if (server === null || server.port === undefined) throw new Error('the server did not start')
  return {
    port: server.port,
    async stop(timeout) {
      const deadline = performance.now() + timeout
      void server.stop(false)
      while (server.pendingRequests > 0 && performance.now() < deadline) await Bun.sleep(POLL_MS)
      await server.stop(true)
    },
  }
}
