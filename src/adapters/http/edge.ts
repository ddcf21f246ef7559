import { type Context, Elysia, ValidationError } from 'elysia'
import type { Metrics } from '../../application/ports/metrics.ts'
import type { Log } from '../../application/ports/system.ts'
import { type Call, clientOf, openCall } from './call.ts'
import type { CommonHeaders } from './common-headers.ts'
import { acceptsGzip, addVary, compressJson, isCompressible } from './compression.ts'
import { type AllowedHosts, createHostCheck } from './hosts.ts'
import { HttpProblem, internalProblem, type Problem, problemResponse, toProblem } from './problems.ts'
import type { ResponseBodies } from './response-bodies.ts'
import { textOf } from './shown-once.ts'
import { toResponseFailure, toValidationProblem } from './validation.ts'

interface Deps {
  readonly log: Log
  readonly metrics: Pick<Metrics, 'requestFinished'>
  /** The client's address, as reported by trusted proxies. */
  readonly addressOf: (request: Request) => string
  readonly common: CommonHeaders
  readonly allowedHosts: AllowedHosts
  readonly responseBodies: ResponseBodies
  /** Path of PUBLIC_URL, without a trailing slash: the proxy strips it from every request. */
  readonly basePath: string
}

/** Elysia wraps errors thrown by a parser. */
const rootOf = (error: unknown): unknown =>
  error instanceof Error && 'code' in error && error.code === 'PARSE' && error.cause !== undefined ? error.cause : error

/** What to report of a failed request: that the caller may not make it comes before what is wrong with it. */
const toReport = async (error: unknown, { recheck }: Call): Promise<unknown> => {
  const isFaultOfRequest = error instanceof ValidationError || error instanceof HttpProblem
  if (recheck === null || !isFaultOfRequest) return error
  return recheck().then(
    () => error,
    (refusal: unknown) => refusal,
  )
}

/** Completes the response to a request: adds the common headers and writes one log line. */
export type Finish = (call: Call, request: Request, answer: { readonly headers: Headers; status: number }) => void

type Headers = Context['set']['headers']

type Body = string | Uint8Array<ArrayBuffer> | ReadableStream<Uint8Array> | null

const isPlain = (value: unknown): value is object =>
  typeof value === 'object' && value !== null && value.constructor === Object

/** Writes log lines for failures and for every response. */
const createReports = ({ log, metrics, addressOf }: Deps) => {
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

  const report = (call: Call, request: Request, status: number): void => {
    call.finished = true
    const durationMs = performance.now() - call.startedAt
    metrics.requestFinished(request.method, call.route, status, durationMs)
    log.info('request', {
      request_id: call.id,
      method: request.method,
      route: call.route === '' ? '(none)' : call.route,
      status,
      duration_ms: Math.round(durationMs * 100) / 100,
      user_id: call.principal?.userId,
      address: call.address ?? addressOf(request),
    })
  }

  return { problemOf, report }
}

/**
 * Runs before and after the route of every request: request id, security headers, problem responses and one log line.
 * Nothing here may throw.
 */
export const createEdge = (deps: Deps) => {
  const { common, allowedHosts, responseBodies, basePath } = deps
  const { problemOf, report } = createReports(deps)
  const checkHost = createHostCheck(allowedHosts)
  const finish: Finish = (call, request, { headers, status }) => {
    if (call.finished) return
    report(call, request, status)
    for (const [name, value] of Object.entries(common.policy)) headers[name] ??= value
  }

  /** Routes know only their own paths. */
  const toPublic = (location: unknown): string => {
    const text = String(location)
    return text.startsWith('/') ? `${basePath}${text}` : text
  }

  /** Turns a plain object into a response body, or an error if the client has too much unread data. */
  const bodyOf = (call: Call, value: object, request: Request, headers: Headers): Body | Response => {
    try {
      const text = textOf(value)
      // It fits into the socket's buffer, so it is neither compressed nor counted.
      if (!isCompressible(text)) return text
      const packed = acceptsGzip(request) ? compressJson(text, headers) : null
      const body = packed instanceof Uint8Array ? packed : responseBodies.body(clientOf(call), text, { packed })
      if (packed === null) return body
      headers['content-encoding'] = 'gzip'
      addVary(headers, 'Accept-Encoding')
      return body
    } catch (error) {
      return problemResponse(problemOf(error, call), call.id)
    }
  }

  const complete = (response: Response, headers: Headers): Response => {
    const all = response.headers
    const location = basePath === '' ? null : all.get('location')
    if (location !== null) all.set('location', toPublic(location))
    // Headers set by the route take precedence.
    const add = (name: string, value: unknown) => {
      if (!all.has(name)) all.set(name, String(value))
    }
    for (const name in headers) add(name, headers[name])
    if (!common.has(response)) for (const name in common.policy) add(name, common.policy[name])
    return response
  }

  const plugin = new Elysia({ name: 'edge' })
    .decorate('call', null as unknown as Call)
    .onRequest((c) => {
      c.call = openCall(c.request)
      c.set.headers['x-request-id'] = c.call.id
      const misdirected = checkHost(c.request.headers.get('host'))
      // Not returned as a response, because Elysia would then wait a turn for every request.
      if (misdirected !== null) throw misdirected
    })
    .onError({ as: 'global' }, async (c) => {
      const problem = problemOf(await toReport(rootOf(c.error), c.call), c.call)
      c.set.status = problem.status
      finish(c.call, c.request, { headers: c.set.headers, status: problem.status })
      return problemResponse(problem, c.call.id)
    })
    // Not in `onAfterResponse`, for which Elysia would schedule a task each time.
    .mapResponse({ as: 'global' }, ({ call, request, set, responseValue }) => {
      const given: unknown = responseValue
      const body = !call.finished && isPlain(given) ? bodyOf(call, given, request, set.headers) : null
      const whole = given instanceof Response ? given : body instanceof Response ? body : null
      const status = whole?.status ?? Number(set.status)
      if (call.finished || (whole === null && body === null)) {
        finish(call, request, { headers: set.headers, status })
        return undefined
      }
      report(call, request, status)
      if (set.headers.location !== undefined) set.headers.location = toPublic(set.headers.location)
      const response =
        whole !== null
          ? complete(whole, set.headers)
          : common.respond(body instanceof Response ? null : body, status, set.headers)
      // The response is complete, so Elysia has nothing to add.
      set.headers = {}
      set.status = 200
      return response
    })
  return { plugin, finish }
}
