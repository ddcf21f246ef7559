import { Elysia } from 'elysia'
import type { Access } from '../../application/access.ts'
import type { RateLimiter } from '../../application/ports/security.ts'
import type { Log } from '../../application/ports/system.ts'
import type { Tokens } from '../../application/tokens.ts'
import type { Users } from '../../application/users.ts'
import type { Rate } from '../../domain/measures.ts'
import { crossOrigin } from './cross-origin.ts'
import { createEdge } from './edge.ts'
import { fallbackRoutes } from './fallback.ts'
import { type Check, healthRoutes } from './health.ts'
import { createKernel } from './kernel.ts'
import { createLimits } from './limits.ts'
import { tokenRoutes } from './tokens.ts'
import { userRoutes } from './users.ts'

export interface ApiDeps {
  readonly access: Access
  readonly tokens: Tokens
  readonly users: Users
  readonly limiter: RateLimiter
  readonly log: Log
  readonly checks: readonly Check[]
}

export interface ApiOptions {
  readonly rateLimit: Rate | 'off'
  readonly rateLimitAuth: Rate | 'off'
  readonly trustProxy: number
  /** Bytes. */
  readonly maxBodySize: number
  readonly corsOrigins: '*' | readonly string[]
  /** Whether clients reach us by https. */
  readonly https: boolean
}

/** The whole HTTP side. Its `listen` is the caller's. */
export const createApi = (deps: ApiDeps, options: ApiOptions) => {
  const kernel = createKernel({
    access: deps.access,
    limits: createLimits({ limiter: deps.limiter, general: options.rateLimit, credentials: options.rateLimitAuth }),
    peerOf: (request) => app.server?.requestIP(request)?.address ?? '',
    trustProxy: options.trustProxy,
    maxBodySize: options.maxBodySize,
  })
  const features = new Elysia({ prefix: '/api/v1' })
    .use(userRoutes(kernel, deps.users))
    .use(tokenRoutes(kernel, deps.tokens))
  const app: Elysia = new Elysia({
    // Otherwise a short Host header shifts the path (`Host: a`, `/pub/admin` runs `/admin`).
    handler: { standardHostname: false },
    // Otherwise unknown properties are dropped in silence.
    normalize: false,
    encodeSchema: false,
    // Bun's own router knows other paths than Elysia's: one of them is enough.
    systemRouter: false,
  })
    .use(createEdge({ log: deps.log, https: options.https }))
    .use(options.corsOrigins.length === 0 ? new Elysia() : crossOrigin(options.corsOrigins))
    .use(healthRoutes(kernel, deps.checks))
    .use(features)
    .use(fallbackRoutes(kernel, () => app.routes.filter((route) => !route.path.includes('*')))) as unknown as Elysia
  return app
}
