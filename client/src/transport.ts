import { problemOf, SkepError } from './errors.ts'
import { backoffMs } from './platform.ts'

const MAX_ATTEMPTS_COUNT = 4
const FIRST_RETRY_MS = 250
const MAX_RETRY_MS = 4_000
/** A server that asks to wait longer has its answer passed on. */
const MAX_RETRY_AFTER_MS = 30_000
const DEFAULT_TIMEOUT_MS = 30_000

export type QueryValue = string | number | boolean | null | undefined

export interface RequestOptions {
  readonly query?: Readonly<Record<string, QueryValue>>
  /** The body, as JSON. */
  readonly json?: unknown
  readonly body?: URLSearchParams | FormData
  /** Ends the request: it rejects with the code `aborted`. */
  readonly signal?: AbortSignal | undefined
  /** For each attempt; none for bodies of files. */
  readonly timeoutMs?: number
}

/** A request as it is sent. */
export interface Outgoing extends RequestOptions {
  readonly token?: string | null
  /** With it, the server does what is asked once, however often it is asked. */
  readonly key?: string | undefined
  /** Leaves the body of the answer unread. */
  readonly streams?: boolean
}

export interface Reply {
  readonly response: Response
  /** The body; empty if it is unread. */
  readonly text: string
}

export type Send = (method: string, path: string, outgoing?: Outgoing) => Promise<Reply>

/** Waits, unless the signal ends it. */
export const pause = (ms: number, signal?: AbortSignal): Promise<void> =>
  new Promise((resolve, reject) => {
    const abort = () => {
      clearTimeout(timer)
      reject(aborted(signal))
    }
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', abort)
      resolve()
    }, ms)
    if (signal?.aborted) abort()
    else signal?.addEventListener('abort', abort, { once: true })
  })

export const aborted = (signal?: AbortSignal): SkepError =>
  new SkepError('aborted', 'The request was aborted', { cause: signal?.reason })

const urlOf = (base: string, path: string, query: RequestOptions['query'] = {}): string => {
  const search = new URLSearchParams()
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined && value !== null) search.set(name, String(value))
  }
  return `${base}/api/v1${path}${search.size === 0 ? '' : `?${search}`}`
}

export const headersOf = ({ token, key, json }: Outgoing): Record<string, string> => ({
  ...(token ? { authorization: `Bearer ${token}` } : {}),
  ...(key === undefined ? {} : { 'idempotency-key': key }),
  ...(json === undefined ? {} : { 'content-type': 'application/json' }),
})

const retryAfterMs = (response: Response): number | null => {
  const header = response.headers.get('retry-after')
  return header === null ? null : Number(header) * 1_000
}

/** Whether the same request can be sent again without doing anything twice. */
const isRepeatable = (method: string, { key }: Outgoing): boolean => method === 'GET' || key !== undefined

/** What is worth another attempt: nothing was done yet, or repeating does no harm. */
const isTemporary = ({ status, code }: SkepError, repeatable: boolean): boolean =>
  status === 429 ||
  (repeatable &&
    (status === 0 || status === 503 || status === 502 || status === 504 || code === 'idempotency_in_progress'))

/** Sends one request. Throws a {@link SkepError} if there is no whole answer in time. */
const attempt = async (url: string, method: string, outgoing: Outgoing): Promise<Reply> => {
  const { json, body, signal, streams = false, timeoutMs = DEFAULT_TIMEOUT_MS } = outgoing
  if (signal?.aborted) throw aborted(signal)
  const controller = new AbortController()
  const abort = () => controller.abort()
  const timer = streams || body instanceof FormData ? undefined : setTimeout(abort, timeoutMs)
  signal?.addEventListener('abort', abort, { once: true })
  try {
    const content = json === undefined ? body : JSON.stringify(json)
    const response = await fetch(url, {
      method,
      headers: headersOf(outgoing),
      signal: controller.signal,
      // Otherwise Bun repeats any request on a connection that dies.
      keepalive: false,
      ...(content === undefined ? {} : { body: content }),
    })
    return { response, text: streams && response.ok ? '' : await response.text() }
  } catch (cause) {
    if (signal?.aborted) throw aborted(signal)
    throw new SkepError('network_error', 'The server did not answer', { cause })
  } finally {
    clearTimeout(timer)
    if (!streams) signal?.removeEventListener('abort', abort)
  }
}

/** Sends requests to a server, and repeats what failed for a while and is safe to repeat. */
export const createTransport = (base: string): Send => {
  const send: Send = async (method, path, outgoing = {}) => {
    const url = urlOf(base, path, outgoing.query)
    const repeatable = isRepeatable(method, outgoing)
    for (let failures = 0; ; failures++) {
      let waitMs: number | null = null
      try {
        const reply = await attempt(url, method, outgoing)
        if (reply.response.ok) return reply
        waitMs = retryAfterMs(reply.response)
        throw problemOf(reply.response.status, reply.text)
      } catch (error) {
        const isLast = failures + 1 >= MAX_ATTEMPTS_COUNT || (waitMs ?? 0) > MAX_RETRY_AFTER_MS
        if (isLast || !(error instanceof SkepError) || !isTemporary(error, repeatable)) throw error
      }
      await pause(waitMs ?? backoffMs(failures, FIRST_RETRY_MS, MAX_RETRY_MS), outgoing.signal)
    }
  }
  return send
}
