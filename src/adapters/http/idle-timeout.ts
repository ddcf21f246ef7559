/** Connections are closed when nothing is sent or received on them for some time. */
export interface IdleTimeout {
  /** Keeps the connection of a request open, however long its work takes. The next request on it begins anew. */
  suspend(request: Request): void
  /** Undoes {@link IdleTimeout.suspend}: the time begins now. */
  resume(request: Request): void
}

/** The part of Bun's server that this needs. */
interface Server {
  timeout(request: Request, seconds: number): void
}

export const createIdleTimeout = (server: () => Server | null, seconds: number): IdleTimeout => ({
  suspend: (request) => server()?.timeout(request, 0),
  resume: (request) => server()?.timeout(request, seconds),
})

/** The chunks of a body. The timeout applies while the next chunk is awaited, not while the server works on one. */
export const withIdleTimeout = async function* <T>(
  chunks: AsyncIterable<T>,
  request: Request,
  { suspend, resume }: IdleTimeout,
): AsyncGenerator<T> {
  resume(request)
  for await (const chunk of chunks) {
    suspend(request)
    yield chunk
    resume(request)
  }
  suspend(request)
}
