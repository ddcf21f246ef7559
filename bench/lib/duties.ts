/**
 * What every response of Skep has, done by a raw server in the leanest way known: a request id, the policy of the page,
 * the user of the token, what is left of a limit of that user and of the client's address, a line in the log, and its place
 * in the metrics. Nothing can be refused.
 */
import { writeSync } from 'node:fs'
import { createHistogram, LATENCY_BUCKETS } from '../../src/adapters/prometheus/histogram.ts'

const MAX_BATCH_COUNT = 128
const RATE_LIMIT_COUNT = 999_999_999
const RESET_SECONDS = '3600'

/** One request. */
export interface Begun {
  readonly request: Request
  readonly requestId: string
  readonly startedAt: number
  readonly userId: number
  readonly address: string
  readonly remaining: number
}

export interface Duties {
  begin(request: Request): Begun
  /** The response with its line in the log. `headers` are the same names each time. */
  respond(begun: Begun, status: number, body: string, headers?: Readonly<Record<string, string>>): Response
}

interface Options {
  /** As the log shows it. */
  readonly route: string
  readonly userId: number
  readonly addressOf: (request: Request) => string | undefined
}

/** The time as text; many lines share a millisecond. */
const createTimestamps = () => {
  let instant = 0
  let text = ''
  return (): string => {
    const now = Date.now()
    if (now !== instant) text = new Date(now).toISOString()
    instant = now
    return text
  }
}

export const createDuties = ({ route, userId, addressOf }: Options): Duties => {
  // Each response copies it. In between, only what differs is set.
  const common = new Headers({
    'x-content-type-options': 'nosniff',
    'x-frame-options': 'DENY',
    'referrer-policy': 'no-referrer',
    'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
    'cross-origin-resource-policy': 'same-origin',
    'content-type': 'application/json;charset=utf-8',
    'ratelimit-limit': String(RATE_LIMIT_COUNT),
    'ratelimit-reset': RESET_SECONDS,
  })
  const users = new Map<string, number>()
  const counts = new Map<string, number>()
  const timestamp = createTimestamps()
  let lines = ''
  let lineCount = 0

  const count = (key: string): number => {
    const all = (counts.get(key) ?? 0) + 1
    counts.set(key, all)
    return all
  }

  const latencies = createHistogram(LATENCY_BUCKETS)
  const statuses = new Map<number, number>()
  const measure = (status: number, seconds: number): void => {
    statuses.set(status, (statuses.get(status) ?? 0) + 1)
    latencies.observe(seconds)
  }

  const log = ({ request, requestId, startedAt, userId: user, address }: Begun, status: number): void => {
    const elapsedMs = performance.now() - startedAt
    measure(status, elapsedMs / 1_000)
    const durationMs = Math.round(elapsedMs * 100) / 100
    lines += `{"level":"info","time":"${timestamp()}","msg":"request","request_id":"${requestId}","method":"${request.method}","route":"${route}","status":${status},"duration_ms":${durationMs},"user_id":${user},"address":"${address}"}\n`
    if (++lineCount % MAX_BATCH_COUNT > 0) return
    writeSync(1, lines)
    lines = ''
  }

  return {
    begin(request) {
      const startedAt = performance.now()
      const { headers } = request
      const requestId = headers.get('x-request-id') ?? crypto.randomUUID()
      if (headers.get('host') === null) throw new Error('the request has no Host header')
      const token = headers.get('authorization') ?? ''
      const user = users.get(token) ?? userId
      users.set(token, user)
      const address = addressOf(request) ?? ''
      count(`all:${address}`)
      const remaining = RATE_LIMIT_COUNT - count(`user:${user}`)
      return { request, requestId, startedAt, userId: user, address, remaining }
    },
    respond(begun, status, body, headers = {}) {
      common.set('x-request-id', begun.requestId)
      common.set('ratelimit-remaining', String(begun.remaining))
      for (const name in headers) common.set(name, headers[name] ?? '')
      const response = new Response(body, { status, headers: common })
      log(begun, status)
      return response
    },
  }
}
