import { Elysia } from 'elysia'
import type { Access } from '../../application/access.ts'
import type { Accounts } from '../../application/accounts.ts'
import type { FileLinks } from '../../application/file-links.ts'
import type { Files } from '../../application/files.ts'
import type { Jobs } from '../../application/jobs.ts'
import type { Metrics } from '../../application/ports/metrics.ts'
import type { RateLimiter } from '../../application/ports/security.ts'
import type { Check, EventLoopSlices, Log } from '../../application/ports/system.ts'
import type { Records } from '../../application/records.ts'
import type { Sessions } from '../../application/sessions.ts'
import type { Tokens } from '../../application/tokens.ts'
import type { Users } from '../../application/users.ts'
import type { Collection } from '../../domain/collection.ts'
import { COLLECTIONS } from '../../domain/collections/index.ts'
import type { Rate } from '../../domain/measures.ts'
import { accountRoutes } from './accounts.ts'
import { createAddressOf } from './client-address.ts'
import { createCommonHeaders } from './common-headers.ts'
import { crossOrigin } from './cross-origin.ts'
import { describeRoutes } from './docs/document.ts'
import type { Node } from './docs/node.ts'
import { docsRoutes } from './docs/pages.ts'
import { unusable } from './docs/unusable.ts'
import { createEdge } from './edge.ts'
import { fallbackRoutes, routeOf } from './fallback.ts'
import { fileLinkRoutes } from './files/links.ts'
import { fileRoutes } from './files/routes.ts'
import { healthRoutes } from './health.ts'
import type { AllowedHosts } from './hosts.ts'
import { jobRoutes } from './jobs.ts'
import { createKernel, type Kernel } from './kernel.ts'
import { createLimits } from './limits.ts'
import { linkPageRoutes } from './links/routes.ts'
import { type Exposition, metricsRoutes } from './metrics.ts'
import { oauthMetadataRoutes } from './oauth-metadata.ts'
import { type RealtimeUpgrade, realtimeRoutes } from './realtime.ts'
import { recordRoutes } from './records.ts'
import { createResponseBodies } from './response-bodies.ts'
import { sessionRoutes, userSessionRoutes } from './sessions.ts'
import { homeRoutes } from './site/home.ts'
import type { Site } from './site/layout.ts'
import { tokenRoutes } from './tokens.ts'
import { userRoutes } from './users.ts'

export interface ApiDeps {
  readonly access: Access
  readonly tokens: Tokens
  readonly sessions: Sessions
  readonly accounts: Accounts
  /** Those defined in code. */
  readonly collections: readonly Collection[]
  readonly records: Records
  readonly files: Files
  readonly fileLinks: FileLinks
  readonly maxUploadBytes: number
  /** Base of links, without a trailing slash; known once the server listens. */
  readonly publicUrl: () => string
  readonly jobs: Jobs
  readonly realtime: RealtimeUpgrade
  readonly users: Users
  readonly limiter: RateLimiter
  readonly log: Log
  readonly slices: EventLoopSlices
  readonly metrics: Pick<Metrics, 'requestFinished'> & Exposition
  readonly checks: readonly Check[]
  /** The AsyncAPI document, as plain data; created once the server listens. */
  readonly describeSocket: () => Node
}

/** `basePath` is empty when PUBLIC_URL has no path. */
export interface ApiOptions extends Site {
  readonly rateLimit: Rate | 'off'
  readonly rateLimitAuth: Rate | 'off'
  readonly trustProxy: number
  readonly maxBodyBytes: number
  readonly corsOrigins: '*' | readonly string[]
  readonly allowedHosts: AllowedHosts
  /** A bearer token that is valid only for the metrics. */
  readonly metricsToken?: string | undefined
  /** Whether clients use https. */
  readonly https: boolean
  /** Version of the program. */
  readonly version: string
}

type NoRoutes = Elysia['~Routes']

type RoutesOf<All extends readonly Collection[]> = All extends readonly [
  infer First extends Collection,
  ...infer Rest extends readonly Collection[],
]
  ? ReturnType<typeof recordRoutes<First>>['~Routes'] & RoutesOf<Rest>
  : NoRoutes

type RegisteredRoutes = Elysia<
  '',
  Elysia['~Singleton'],
  Elysia['~Definitions'],
  Elysia['~Metadata'],
  RoutesOf<typeof COLLECTIONS>
>

/** The routes of every collection, typed by those that are defined in code. */
const collectionRoutes = (
  kernel: Kernel,
  { collections, records }: Pick<ApiDeps, 'collections' | 'records'>,
): RegisteredRoutes => {
  const all = new Elysia()
  for (const collection of collections) all.use(recordRoutes(kernel, collection, records))
  return all as unknown as RegisteredRoutes
}

/** All routes in the OpenAPI document. */
const createFeatures = (
  kernel: Kernel,
  deps: ApiDeps,
  resources: Pick<ApiDeps, 'collections' | 'records'>,
  basePath: string,
  metricsToken?: string,
) =>
  new Elysia()
    .use(healthRoutes(kernel, deps.checks))
    .use(metricsRoutes(kernel, deps.metrics, metricsToken))
    .use(
      new Elysia({ prefix: '/api/v1' })
        .use(userRoutes(kernel, deps.users))
        .use(tokenRoutes(kernel, deps.tokens))
        .use(sessionRoutes(kernel, deps.sessions))
        .use(userSessionRoutes(kernel, deps.sessions))
        .use(accountRoutes(kernel, deps.accounts))
        .use(collectionRoutes(kernel, resources))
        .use(fileRoutes(kernel, deps, basePath))
        .use(fileLinkRoutes(kernel, deps.files, deps.fileLinks, deps.publicUrl))
        .use(jobRoutes(kernel, deps.jobs)),
    )

/** For Elysia's typed client: `treaty<App>(url)` of `@elysiajs/eden`. */
export type App = ReturnType<typeof createFeatures>

const described = () => ({ collections: COLLECTIONS, records: unusable<Records>() })

/** The OpenAPI document, as plain data. Needs no dependencies, because the routes are only described, not run. */
export const describeApi = (version: string, basePath = '') =>
  describeRoutes(createFeatures(createKernel(unusable()), unusable(), described(), basePath), { version, basePath })

/** The whole HTTP interface. The caller calls `listen`. */
export const createApi = (deps: ApiDeps, options: ApiOptions) => {
  const peerOf = (request: Request): string => app.server?.requestIP(request)?.address ?? ''
  const addressOf = createAddressOf({ peerOf, trustProxy: options.trustProxy })
  const responseBodies = createResponseBodies()
  const { basePath, version } = options
  const common = createCommonHeaders(options.https)
  const kernel = createKernel({
    responseBodies,
    common,
    slices: deps.slices,
    access: deps.access,
    limits: createLimits({ limiter: deps.limiter, general: options.rateLimit, credentials: options.rateLimitAuth }),
    addressOf,
    maxBodyBytes: options.maxBodyBytes,
  })
  const preflighted = (method: string, path: string) => routeOf(app.routes, method, path)
  const edge = createEdge({
    log: deps.log,
    metrics: deps.metrics,
    addressOf,
    common,
    allowedHosts: options.allowedHosts,
    responseBodies,
    basePath,
  })
  const app: Elysia = new Elysia({
    // Otherwise a short Host header shifts the path (`Host: a`, `/pub/admin` runs `/admin`).
    handler: { standardHostname: false },
    // Otherwise unknown properties are dropped silently.
    normalize: false,
    encodeSchema: false,
    // Bun's own router is off, because it matches paths differently from Elysia's.
    systemRouter: false,
  })
    .use(edge.plugin)
    .use(
      options.corsOrigins.length === 0
        ? new Elysia()
        : crossOrigin({ origins: options.corsOrigins, finish: edge.finish, routeOf: preflighted }),
    )
    .use(createFeatures(kernel, deps, deps, basePath, options.metricsToken))
    .use(linkPageRoutes(kernel, options))
    .use(homeRoutes(kernel, options, version))
    .use(oauthMetadataRoutes(kernel, deps.publicUrl, basePath))
    .use(
      realtimeRoutes(kernel, deps.realtime, {
        upgrade: (request, carried) => app.server?.upgrade(request, carried) ?? false,
        publicUrl: deps.publicUrl,
        corsOrigins: options.corsOrigins,
      }),
    )
    .use(
      docsRoutes(kernel, { openapi: () => describeApi(version, basePath), asyncapi: deps.describeSocket }, basePath),
    ) as unknown as Elysia
  return app.use(fallbackRoutes(kernel, app.routes)) as unknown as Elysia
}
