/** Stands between a store and S3, and can be an S3 that has no time. */
export interface S3Proxy extends AsyncDisposable {
  readonly url: string
  /** `METHOD path?query` of every request, in order. */
  readonly requests: readonly string[]
  /** The next so many requests are refused. */
  refuse(times: number, status: number, code: string): void
  /** The first request of this kind is done, but its client hears nothing of it. */
  stopAnswering(kind: (request: string) => boolean): void
  /** Answers in place of S3, where this answers at all. */
  answer(instead: (request: string) => Response | null): void
  /** Resolves when a client goes away before it has its answer. */
  readonly left: Promise<void>
}

export const startS3Proxy = (target: string): S3Proxy => {
  const requests: string[] = []
  const left = Promise.withResolvers<void>()
  let refusals = 0
  let answerInstead: (request: string) => Response | null = () => null
  let deaf: ((request: string) => boolean) | null = null
  let refusal = { status: 503, code: '' }
  const server = Bun.serve({
    port: 0,
    hostname: '127.0.0.1',
    async fetch(request) {
      const { pathname, search } = new URL(request.url)
      const asked = `${request.method} ${pathname}${search}`
      requests.push(asked)
      request.signal.addEventListener('abort', () => left.resolve())
      if (refusals-- > 0) {
        return new Response(`<Error><Code>${refusal.code}</Code></Error>`, { status: refusal.status })
      }
      const instead = answerInstead(asked)
      if (instead !== null) return instead
      // With its headers as they are, the host among them: they are signed.
      const response = await fetch(target + pathname + search, {
        method: request.method,
        headers: request.headers,
        signal: request.signal,
        decompress: false,
        ...(request.body === null ? {} : { body: await request.bytes() }),
      })
      if (deaf?.(asked) !== true) return response
      deaf = null
      await response.text()
      return new Response('', { status: 504 })
    },
  })
  return {
    url: server.url.origin,
    requests,
    left: left.promise,
    stopAnswering(kind) {
      deaf = kind
    },
    answer(instead) {
      answerInstead = instead
    },
    refuse(times, status, code) {
      refusals = times
      refusal = { status, code }
    },
    [Symbol.asyncDispose]: () => server.stop(true),
  }
}
