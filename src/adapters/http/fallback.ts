import { Elysia } from 'elysia'
import { notFound } from '../../domain/errors.ts'
import type { Kernel } from './kernel.ts'
import { HttpProblem } from './problems.ts'

export interface Route {
  readonly method: string
  readonly path: string
}

const segmentsOf = (path: string) => path.replace(/\/$/, '').split('/')

const fits = (pattern: readonly string[], path: readonly string[]): boolean =>
  pattern.length === path.length && pattern.every((part, index) => part.startsWith(':') || part === path[index])

/** The methods that a path answers, for `Allow`; empty for an unknown path. */
export const allowedMethods = (routes: readonly Route[], path: string): readonly string[] => {
  const wanted = segmentsOf(path)
  const methods = routes.filter((route) => fits(segmentsOf(route.path), wanted)).map((route) => route.method)
  if (methods.length === 0) return []
  return [...new Set([...methods, ...(methods.includes('GET') ? ['HEAD'] : []), 'OPTIONS'])].sort()
}

/** Answers what no route does: 404, 405 with `Allow`, or OPTIONS. Counted by the limits like everything else. */
export const fallbackRoutes = (kernel: Kernel, routes: () => readonly Route[]) =>
  new Elysia().use(kernel).all(
    '/*',
    ({ path, request, set }) => {
      const allowed = allowedMethods(routes(), path)
      if (allowed.length === 0) throw notFound('Path')
      const allow = allowed.join(', ')
      set.headers.allow = allow
      if (request.method === 'OPTIONS') return new Response(null, { status: 204 })
      throw new HttpProblem('method_not_allowed', `This path answers ${allow}`)
    },
    { admit: { who: 'anyone' }, detail: { hide: true } },
  )
