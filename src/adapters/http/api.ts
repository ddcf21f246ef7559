import { Elysia } from 'elysia'
import type { Access } from '../../application/access.ts'
import type { Accounts } from '../../application/accounts.ts'
import type { AuditLog } from '../../application/audit-log.ts'
import type { AuditReads } from '../../application/audit-reads.ts'
import type { Backups } from '../../application/backups.ts'
import type { Collections } from '../../application/collections.ts'
import type { FileLinks } from '../../application/file-links.ts'
import type { Files } from '../../application/files.ts'
import type { Jobs } from '../../application/jobs.ts'
import type { StoredCollection } from '../../application/ports/collections.ts'
import type { Metrics } from '../../application/ports/metrics.ts'
import type { RateLimiter } from '../../application/ports/security.ts'
import type { Check, EventLoopSlices, Log } from '../../application/ports/system.ts'
import type { RecordHistory, Records } from '../../application/records.ts'
import type { Sessions } from '../../application/sessions.ts'
import type { Setup } from '../../application/setup.ts'
import type { Tokens } from '../../application/tokens.ts'
import type { Users } from '../../application/users.ts'
import type { Collection } from '../../domain/collection.ts'
import { COLLECTIONS } from '../../domain/collections/index.ts'
import type { Rate } from '../../domain/measures.ts'
import { accountRoutes } from './accounts.ts'
import { auditRoutes } from './audit.ts'
import { backupRoutes } from './backups.ts'
import { createAddressOf } from './client-address.ts'
import { collectionRecordRoutes } from './collection-records.ts'
import { collectionRoutes } from './collections.ts'
import { createCommonHeaders } from './common-headers.ts'
import { consoleRoutes } from './console/routes.ts'
import { setupRoutes } from './console/setup.ts'
import { crossOrigin } from './cross-origin.ts'
import { describeRoutes } from './docs/document.ts'
import { createLiveDocument } from './docs/live-document.ts'
import { createLiveSocketDocument, type SocketDescription } from './docs/live-socket-document.ts'
import { docsRoutes } from './docs/pages.ts'
import { unusable } from './docs/unusable.ts'
import { createEdge } from './edge.ts'
import { fallbackRoutes, routeOf } from './fallback.ts'
import { fileLinkRoutes } from './files/links.ts'
import { fileRoutes, toFileResponse } from './files/routes.ts'
import { createReadinessCheck, healthRoutes } from './health.ts'
import type { AllowedHosts } from './hosts.ts'
import { createIdleTimeout } from './idle-timeout.ts'
import { jobRoutes } from './jobs.ts'
import { createKernel, type Kernel } from './kernel.ts'
import { lazy } from './lazy.ts'
import { createLimits } from './limits.ts'
import { linkPageRoutes } from './links/routes.ts'
import { type Exposition, metricsRoutes } from './metrics.ts'
import { oauthMetadataRoutes } from './oauth-metadata.ts'
import { type OverviewSource, overviewRoutes } from './overview.ts'
import { type RealtimeUpgrade, realtimeRoutes } from './realtime.ts'
import { recordBatchRoutes } from './record-batch.ts'
import { createShowRecord, type ShowRecord } from './record-bodies.ts'
import { recordTransferRoutes } from './record-transfer.ts'
import { recordRoutes } from './records.ts'
import { createResponseBodies } from './response-bodies.ts'
import { sessionRoutes, userSessionRoutes } from './sessions.ts'
import { type ShownSetting, settingRoutes } from './settings.ts'
import { homeRoutes } from './site/home.ts'
import type { Site } from './site/layout.ts'
import { tokenRoutes } from './tokens.ts'
import { userLookupRoutes } from './user-lookup.ts'
import { userRoutes } from './users.ts'

export interface ApiDeps {
  readonly access: Access
  readonly tokens: Tokens
  readonly sessions: Sessions
  readonly accounts: Accounts
  readonly setup: Setup
  readonly collections: Collections
  readonly records: Records & RecordHistory
  /** The collections defined at run time: the same objects as before unless they have changed. */
  readonly storedCollections: () => Promise<readonly StoredCollection[]>
  readonly files: Files
  readonly fileLinks: FileLinks
  readonly maxUploadBytes: number
  /** Base of links, without a trailing slash; known once the server listens. */
  readonly publicUrl: () => string
  readonly jobs: Jobs
  readonly backups: Backups
  readonly auditLog: AuditLog
  readonly auditReads: AuditReads
  readonly realtime: RealtimeUpgrade
  readonly users: Users
  readonly limiter: RateLimiter
  readonly log: Log
  readonly slices: EventLoopSlices
  readonly metrics: Pick<Metrics, 'requestFinished'> & Exposition & OverviewSource
  readonly checks: readonly Check[]
  readonly shownSettings: readonly ShownSetting[]
  readonly describeSocket: SocketDescription
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
  /** Whether users can find each other by address. */
  readonly userLookup: 'exact' | 'off'
  /** Who may read the documents of the API. */
  readonly docs: 'public' | 'admin'
  readonly idleTimeoutSeconds: number
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

/** The own routes of the collections that are defined in code, such as `/items/`. */
const builtInRoutes = (kernel: Kernel, records: ApiDeps['records'], show: ShowRecord): RegisteredRoutes => {
  const all = new Elysia()
  for (const collection of COLLECTIONS) all.use(recordRoutes(kernel, collection, records, show))
  return all as unknown as RegisteredRoutes
}

/** The routes of all collections, wherever they are defined. */
const anyCollectionRoutes = (kernel: Kernel, deps: ApiDeps, show: ShowRecord, maxBodyBytes: number) =>
  new Elysia()
    .use(collectionRoutes(kernel, deps.collections))
    .use(recordTransferRoutes(kernel, { ...deps, show, maxLineBytes: maxBodyBytes }))
    .use(collectionRecordRoutes(kernel, deps.records, show))
    .use(recordBatchRoutes(kernel, deps.records, show))

type FeatureOptions = Pick<ApiOptions, 'version' | 'basePath' | 'metricsToken' | 'maxBodyBytes' | 'userLookup'>

/** All routes in the OpenAPI document. */
const createFeatures = (
  kernel: Kernel,
  deps: ApiDeps,
  { version, basePath, metricsToken, maxBodyBytes, userLookup }: FeatureOptions,
) => {
  const show = createShowRecord((file) => toFileResponse(file, basePath))
  const checkReadiness = createReadinessCheck(deps.checks)
  return new Elysia()
    .use(healthRoutes(kernel, checkReadiness))
    .use(metricsRoutes(kernel, deps.metrics, metricsToken))
    .use(
      new Elysia({ prefix: '/api/v1' })
        .use(userLookupRoutes(kernel, deps.users, userLookup))
        .use(userRoutes(kernel, deps.users))
        .use(tokenRoutes(kernel, deps.tokens))
        .use(sessionRoutes(kernel, deps.sessions))
        .use(userSessionRoutes(kernel, deps.sessions))
        .use(accountRoutes(kernel, deps.accounts))
        .use(setupRoutes(kernel, deps.setup))
        .use(builtInRoutes(kernel, deps.records, show))
        .use(anyCollectionRoutes(kernel, deps, show, maxBodyBytes))
        .use(fileRoutes(kernel, deps, basePath))
        .use(fileLinkRoutes(kernel, deps.files, deps.fileLinks, deps.publicUrl))
        .use(jobRoutes(kernel, deps.jobs))
        .use(backupRoutes(kernel, deps))
        .use(auditRoutes(kernel, deps.auditLog))
        .use(overviewRoutes(kernel, { source: deps.metrics, checkReadiness, version }))
        .use(settingRoutes(kernel, deps.shownSettings)),
    )
}

/** For Elysia's typed client: `treaty<App>(url)` of `@elysiajs/eden`. */
export type App = ReturnType<typeof createFeatures>

const IN_ONE_SLICE: EventLoopSlices = { isOver: () => false, next: async () => {} }

/** The OpenAPI document, as plain data. Needs no dependencies, because the routes are only described, not run. */
export const describeApi = async (version: string, basePath = '', slices: EventLoopSlices = IN_ONE_SLICE) => {
  const options = { version, basePath, maxBodyBytes: 0, userLookup: 'exact' } as const
  await slices.next()
  const routes = createFeatures(createKernel(unusable()), unusable(), options)
  await slices.next()
  return describeRoutes(routes, { version, basePath, slices })
}

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
    idleTimeout: createIdleTimeout(() => app.server, options.idleTimeoutSeconds),
    access: deps.access,
    auditReads: deps.auditReads,
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
  const collections = deps.storedCollections
  const openapi = createLiveDocument({
    base: lazy(() => describeApi(version, basePath, deps.slices)),
    collections,
    slices: deps.slices,
  })
  const asyncapi = createLiveSocketDocument({ describe: deps.describeSocket, collections, slices: deps.slices })
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
    .use(createFeatures(kernel, deps, options))
    .use(linkPageRoutes(kernel, options))
    .use(consoleRoutes(kernel, options))
    .use(homeRoutes(kernel, options, version))
    .use(oauthMetadataRoutes(kernel, deps.publicUrl, basePath))
    .use(
      realtimeRoutes(kernel, deps.realtime, {
        upgrade: (request, carried) => app.server?.upgrade(request, carried) ?? false,
        publicUrl: deps.publicUrl,
        corsOrigins: options.corsOrigins,
      }),
    )
    .use(docsRoutes(kernel, { openapi, asyncapi }, options)) as unknown as Elysia
  return app.use(fallbackRoutes(kernel, app.routes)) as unknown as Elysia
}
