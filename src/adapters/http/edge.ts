import { type Context, Elysia, ValidationError } from 'elysia'
import type { Metrics } from '../../application/ports/metrics.ts'
import type { Log } from '../../application/ports/system.ts'
import { type Call, openCall } from './call.ts'
import { acceptsGzip, addVary, compressJson } from './compression.ts'
import { type AllowedHosts, createHostCheck } from './hosts.ts'
import { internalProblem, type Problem, problemResponse, toProblem } from './problems.ts'
import { toResponseFailure, toValidationProblem } from './validation.ts'

interface Deps {
  readonly log: Log
  readonly metrics: Pick<Metrics, 'requestAnswered'>
  /** The address of the client, as far as proxies are trusted to tell it. */
  readonly addressOf: (request: Request) => string
  /** Whether clients reach us by https, which they are then told to keep to. */
  readonly https: boolean
  readonly allowedHosts: AllowedHosts
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
export const createEdge = ({ log, metrics, addressOf, https, allowedHosts }: Deps) => {
  const judgeHost = createHostCheck(allowedHosts)
  const policy: Readonly<Record<string, string>> = https
    ? { ...POLICY, 'strict-transport-security': 'max-age=31536000' }
    : POLICY
  // Copied whole by each answer, which costs much less than one name after another.
  const shared = new globalThis.Headers(policy)
  const sharedByJson = new globalThis.Headers({ ...policy, 'content-type': 'application/json;charset=utf-8' })

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
      address: addressOf(request),
    })
  }

  const finish: Finish = (call, request, { headers, status }) => {
    if (call.finished) return
    tell(call, request, status)
    for (const [name, value] of Object.entries(policy)) headers[name] ??= value
  }

  const respond = (value: object, status: number, headers: Headers, request: Request): Response => {
    const response = acceptsGzip(request)
      ? compressed(JSON.stringify(value), status, headers)
      : Response.json(value, { status, headers: shared })
    for (const name in headers) response.headers.set(name, String(headers[name]))
    return response
  }

  const compressed = (text: string, status: number, headers: Headers): Response => {
    const body = compressJson(text, headers)
    if (body === null) return new Response(text, { status, headers: sharedByJson })
    headers['content-encoding'] = 'gzip'
    addVary(headers, 'Accept-Encoding')
    return new Response(body, { status, headers: sharedByJson })
  }

  const complete = (response: Response, headers: Headers): Response => {
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
      const misdirected = judgeHost(c.request.headers.get('host'))
      if (misdirected === null) return
      const problem = problemOf(misdirected, c.call)
      finish(c.call, c.request, { headers: c.set.headers, status: problem.status })
      return problemResponse(problem, c.call.id)
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
      const response = whole ? complete(value, set.headers) : respond(value, status, set.headers, request)
      // Nothing is left for Elysia to add.
      set.headers = {}
      set.status = 200
      return response
    })
  return { plugin, finish }
}
