import { Elysia } from 'elysia'
import { notFound } from '../../domain/errors.ts'
import type { Call } from './call.ts'
import type { Kernel } from './kernel.ts'
import { HttpProblem } from './problems.ts'

export interface Route {
  readonly method: string
  readonly path: string
}

const segmentsOf = (path: string) => path.replace(/\/$/, '').split('/')

interface ParsedRoute extends Route {
  readonly segments: readonly string[]
  readonly parameterCount: number
}

const parsed = new WeakMap<Route, ParsedRoute>()

/** Parsed once, because each start compares every route with every other. */
const parsedRoute = (route: Route): ParsedRoute => {
  const known = parsed.get(route)
  if (known !== undefined) return known
  const segments = segmentsOf(route.path)
  const { method, path } = route
  const made = { method, path, segments, parameterCount: segments.filter((part) => part.startsWith(':')).length }
  parsed.set(route, made)
  return made
}

const matches = (pattern: readonly string[], path: readonly string[]): boolean =>
  pattern.length === path.length && pattern.every((part, index) => part.startsWith(':') || part === path[index])

/** The routes of a path, for all methods. A literal segment takes precedence over `:id`. */
const matchingRoutes = (routes: readonly Route[], path: string): readonly Route[] => {
  const wanted = segmentsOf(path)
  const all = routes.map(parsedRoute).filter(({ segments }) => matches(segments, wanted))
  const fewest = Math.min(...all.map(({ parameterCount }) => parameterCount))
  return all.filter(({ parameterCount }) => parameterCount === fewest)
}

/** The path template of the route that matches a request, or would match with another method; '' for none. */
export const routeOf = (routes: readonly Route[], method: string, path: string): string => {
  const candidates = matchingRoutes(routes, path).filter((route) => !route.path.includes('*'))
  const sought = method === 'HEAD' ? 'GET' : method
  return (candidates.find((route) => route.method === sought) ?? candidates[0])?.path ?? ''
}

/** The methods of a path, for `Allow`; empty for an unknown path. */
const allowedMethods = (routes: readonly Route[], path: string): readonly string[] => {
  const methods = matchingRoutes(routes, path).map((route) => route.method)
  if (methods.length === 0) return []
  return [...new Set([...methods, ...(methods.includes('GET') ? ['HEAD'] : []), 'OPTIONS'])].sort()
}

/** Finds the routes with as many segments as a path. */
type RoutesLike = (path: string) => readonly Route[]

const groupRoutes = (routes: readonly Route[]): RoutesLike => {
  const groups = Map.groupBy(routes, (route) => parsedRoute(route).segments.length)
  return (path) => groups.get(segmentsOf(path).length) ?? []
}

/** Other methods of a path, which the router would match as another one with an `:id`. */
const shadowedRoutes = (routes: readonly Route[], routesLike: RoutesLike): readonly Route[] =>
  [...new Set(routes.map(({ path }) => path))].flatMap((path) => {
    const similar = routesLike(path)
    const allowed = allowedMethods(similar, path)
    const wanted = segmentsOf(path)
    return similar
      .filter((route) => !allowed.includes(route.method) && matches(parsedRoute(route).segments, wanted))
      .map(({ method }) => ({ method, path }))
  })

/**
 * Handles requests that match none of `known`: 404, 405 with `Allow`, or OPTIONS. Limits apply as usual. Use it after
 * all other routes.
 */
export const fallbackRoutes = (kernel: Kernel, known: readonly Route[]) => {
  const routes = known.filter(({ path }) => !path.includes('*'))
  const routesLike = groupRoutes(routes)
  const admit = { who: 'anyone' } as const
  const detail = { hide: true }
  const refuse = (call: Call, method: string, path: string, headers: Record<string, string | number>) => {
    const similar = routesLike(path)
    const allowed = allowedMethods(similar, path)
    if (allowed.length === 0) throw notFound('Path')
    call.route = routeOf(similar, method, path)
    const allow = allowed.join(', ')
    headers.allow = allow
    if (method === 'OPTIONS') return new Response(null, { status: 204 })
    throw new HttpProblem('method_not_allowed', `This path answers ${allow}`)
  }
  const app = new Elysia().use(kernel)
  for (const { method, path } of shadowedRoutes(routes, routesLike)) {
    app.route(method, path, ({ call, set }) => refuse(call, method, path, set.headers), { admit, detail })
  }
  return app.all('/*', ({ call, path, request, set }) => refuse(call, request.method, path, set.headers), {
    admit,
    detail,
  })
}
