import { Elysia, ValidationError } from 'elysia'
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
}

const API_POLICY = "default-src 'none'; frame-ancestors 'none'"

/** Elysia wraps what a parser throws. */
const rootOf = (error: unknown): unknown =>
  error instanceof Error && 'code' in error && error.code === 'PARSE' && error.cause !== undefined ? error.cause : error

/**
 * What holds for every request, before and after its route: request id, security headers, refusals in one shape and
 * one line in the log. Everything here must not throw.
 */
export const createEdge = ({ log, metrics, https }: Deps) => {
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

  return new Elysia({ name: 'edge' })
    .decorate('call', null as unknown as Call)
    .onRequest((c) => {
      c.call = openCall(c.request)
      const headers = c.set.headers
      headers['x-request-id'] = c.call.id
      headers['x-content-type-options'] = 'nosniff'
      headers['x-frame-options'] = 'DENY'
      headers['referrer-policy'] = 'no-referrer'
      headers['content-security-policy'] = API_POLICY
      headers['cross-origin-resource-policy'] = 'same-origin'
      if (https) headers['strict-transport-security'] = 'max-age=31536000'
    })
    .onError({ as: 'global' }, (c) => {
      const problem = problemOf(rootOf(c.error), c.call)
      c.set.status = problem.status
      return problemResponse(problem, c.call.id)
    })
    .onAfterResponse({ as: 'global' }, ({ call, request, set, responseValue }) => {
      const duration = performance.now() - call.startedAt
      const status = responseValue instanceof Response ? responseValue.status : set.status
      metrics.requestAnswered(request.method, call.route, Number(status), duration)
      log.info('request', {
        request_id: call.id,
        method: request.method,
        route: call.route === '' ? '(none)' : call.route,
        status,
        duration_ms: Math.round(duration * 100) / 100,
        user_id: call.principal?.userId,
      })
    })
}
