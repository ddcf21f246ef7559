import { type Context, Elysia, ValidationError } from 'elysia'
import type { Metrics } from '../../application/ports/metrics.ts'
import type { Log } from '../../application/ports/system.ts'
import { type Call, openCall } from './call.ts'
import { internalProblem, type Problem, problemResponse, toProblem } from './problems.ts'
import { toResponseFailure, toValidationProblem } from './validation.ts'

interface Deps {
  readonly log: Log
  readonly metrics: Pick<Metrics, 'requestAnswered'>
  /** Whether clients reach us by https, which they are then told to keep to. */
  readonly https: boolean
  /** Path of PUBLIC_URL, without a slash at the end: a proxy in front takes it off every request. */
  readonly basePath: string
}

const POLICY = {
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'cross-origin-resource-policy': 'same-origin',
}

/** Elysia wraps what a parser throws. */
const rootOf = (error: unknown): unknown =>
  error instanceof Error && 'code' in error && error.code === 'PARSE' && error.cause !== undefined ? error.cause : error

/** The answer to a call is on its way: with the headers of every answer and one line in the log. */
export type Finish = (call: Call, request: Request, answer: { readonly headers: Headers; status: number }) => void

type Headers = Context['set']['headers']

const isPlain = (value: unknown): value is object =>
  typeof value === 'object' && value !== null && value.constructor === Object

/**
 * What holds for every request, before and after its route: request id, security headers, refusals in one shape and
 * one line in the log. Everything here must not throw.
 */
export const createEdge = ({ log, metrics, https, basePath }: Deps) => {
  const policy: Readonly<Record<string, string>> = https
    ? { ...POLICY, 'strict-transport-security': 'max-age=31536000' }
    : POLICY
  // Copied whole by each answer, which costs much less than one name after another.
  const shared = new globalThis.Headers(policy)

  const problemOf = (error: unknown, call: Call): Problem => {
    const known = error instanceof ValidationError ? toValidationProblem(error) : toProblem(error)
    if (known !== null) {
      if (known.status >= 500) log.warn('refused', { request_id: call.id, code: known.code, error })
      return known
    }
    const cause = error instanceof ValidationError ? toResponseFailure(error) : error
    log.error('request failed', { request_id: call.id, route: call.route, error: cause })
    return internalProblem()
  }

  const tell = (call: Call, request: Request, status: number): void => {
    call.finished = true
    const duration = performance.now() - call.startedAt
    metrics.requestAnswered(request.method, call.route, status, duration)
    log.info('request', {
      request_id: call.id,
      method: request.method,
      route: call.route === '' ? '(none)' : call.route,
      status,
      duration_ms: Math.round(duration * 100) / 100,
      user_id: call.principal?.userId,
    })
  }

  const finish: Finish = (call, request, { headers, status }) => {
    if (call.finished) return
    tell(call, request, status)
    for (const [name, value] of Object.entries(policy)) headers[name] ??= value
  }

  /** Routes know their own paths alone. */
  const toPublic = (location: unknown): string => `${basePath}${location}`

  const respond = (value: object, status: number, headers: Headers): Response => {
    const response = Response.json(value, { status, headers: shared })
    for (const name in headers) response.headers.set(name, String(headers[name]))
    return response
  }

  const complete = (response: Response, headers: Headers): Response => {
    const location = response.headers.get('location')
    if (location !== null) response.headers.set('location', toPublic(location))
    for (const [name, value] of Object.entries({ ...policy, ...headers })) {
      // What the route says itself stands.
      if (!response.headers.has(name)) response.headers.set(name, String(value))
    }
    return response
  }

  const plugin = new Elysia({ name: 'edge' })
    .decorate('call', null as unknown as Call)
    .onRequest((c) => {
      c.call = openCall(c.request)
      c.set.headers['x-request-id'] = c.call.id
    })
    .onError({ as: 'global' }, (c) => {
      const problem = problemOf(rootOf(c.error), c.call)
      c.set.status = problem.status
      finish(c.call, c.request, { headers: c.set.headers, status: problem.status })
      return problemResponse(problem, c.call.id)
    })
    // Not after the answer, for which Elysia would plan a task each time.
    .mapResponse({ as: 'global' }, ({ call, request, set, responseValue }) => {
      const value: unknown = responseValue
      const whole = value instanceof Response
      const status = whole ? value.status : Number(set.status)
      if (call.finished || !(whole || isPlain(value))) {
        finish(call, request, { headers: set.headers, status })
        return undefined
      }
      tell(call, request, status)
      if (set.headers.location !== undefined) set.headers.location = toPublic(set.headers.location)
      const response = whole ? complete(value, set.headers) : respond(value, status, set.headers)
      // Nothing is left for Elysia to add.
      set.headers = {}
      set.status = 200
      return response
    })
  return { plugin, finish }
}
