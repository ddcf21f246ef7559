import { cors } from '@elysiajs/cors'
import { Elysia } from 'elysia'
import type { Call } from './call.ts'
import { RESPONSE_HEADERS } from './docs/headers.ts'
import type { Finish } from './edge.ts'

const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE']
const REQUEST_HEADERS = [
  'Authorization',
  'Content-Type',
  'Idempotency-Key',
  'If-Match',
  'If-None-Match',
  'If-Range',
  'Prefer',
  'Range',
  'X-Request-Id',
]
const EXPOSED_HEADERS = [...Object.keys(RESPONSE_HEADERS), 'Allow', 'Content-Length']
const PREFLIGHT_SECONDS = 600

interface Deps {
  readonly origins: '*' | readonly string[]
  readonly finish: Finish
  /** The route that matches a request with this method and path; '' for none. */
  readonly routeOf: (method: string, path: string) => string
}

const pathOf = (url: string): string => (URL.canParse(url) ? new URL(url).pathname : '')

/**
 * CORS for these exact origins, or for all (never with credentials). Answers preflights; unknown origins get no CORS
 * headers. Use it after the edge, so that preflight responses have the common headers too.
 */
export const crossOrigin = ({ origins, finish, routeOf }: Deps) => {
  const known: ReadonlySet<string> = new Set(origins)
  return new Elysia({ name: 'cross-origin' })
    .use(
      cors({
        // With strings, the plugin also matches `localhost` with `http://localhost`.
        origin: origins === '*' ? '*' : (request) => known.has(request.headers.get('origin') ?? ''),
        methods: METHODS,
        allowedHeaders: REQUEST_HEADERS,
        exposeHeaders: EXPOSED_HEADERS,
        credentials: origins !== '*',
        preflight: false,
      }),
    )
    .decorate('call', null as unknown as Call)
    .onRequest((c) => {
      const headers = c.set.headers
      const isKnown = c.request.headers.has('origin') && headers['access-control-allow-origin'] !== undefined
      if (origins === '*') delete headers.vary
      if (!isKnown) {
        for (const name of Object.keys(headers)) if (name.startsWith('access-control-')) delete headers[name]
      }
      const method = c.request.method === 'OPTIONS' ? c.request.headers.get('access-control-request-method') : null
      if (!isKnown || method === null) return
      headers['access-control-max-age'] = String(PREFLIGHT_SECONDS)
      c.call.route = routeOf(method, pathOf(c.request.url))
      finish(c.call, c.request, { headers, status: 204 })
      return new Response(null, { status: 204 })
    })
}
