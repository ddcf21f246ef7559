import { cors } from '@elysiajs/cors'
import { Elysia } from 'elysia'
import type { Call } from './call.ts'
import type { Finish } from './edge.ts'

const METHODS = ['GET', 'HEAD', 'POST', 'PATCH', 'DELETE']
const REQUEST_HEADERS = [
  'Authorization',
  'Content-Type',
  'Idempotency-Key',
  'If-Match',
  'If-None-Match',
  'Prefer',
  'Range',
  'X-Request-Id',
]
const RESPONSE_HEADERS = [
  'ETag',
  'Location',
  'Idempotency-Replayed',
  'RateLimit-Limit',
  'RateLimit-Remaining',
  'RateLimit-Reset',
  'Retry-After',
  'X-Request-Id',
]
const PREFLIGHT_SECONDS = 600

/**
 * CORS for these exact origins, or for all (never with credentials). Answers preflights, and says nothing to an
 * origin it does not know. Must stand behind the edge, whose headers a preflight carries too.
 */
export const crossOrigin = (origins: '*' | readonly string[], finish: Finish) =>
  new Elysia({ name: 'cross-origin' })
    .use(
      cors({
        origin: origins === '*' ? '*' : [...origins],
        methods: METHODS,
        allowedHeaders: REQUEST_HEADERS,
        exposeHeaders: RESPONSE_HEADERS,
        credentials: origins !== '*',
        preflight: false,
      }),
    )
    .decorate('call', null as unknown as Call)
    .onRequest((c) => {
      const headers = c.set.headers
      const known = c.request.headers.has('origin') && headers['access-control-allow-origin'] !== undefined
      if (origins === '*') delete headers.vary
      if (!known) {
        for (const name of Object.keys(headers)) if (name.startsWith('access-control-')) delete headers[name]
      }
      const isPreflight = c.request.method === 'OPTIONS' && c.request.headers.has('access-control-request-method')
      if (!known || !isPreflight) return
      headers['access-control-max-age'] = String(PREFLIGHT_SECONDS)
      finish(c.call, c.request, { headers, status: 204 })
      return new Response(null, { status: 204 })
    })
