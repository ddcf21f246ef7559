import pkg from '../../package.json' with { type: 'json' }
import type { Closers } from '../adapters/bun/closers.ts'
import { createBackupLinkSigner, createLinkSigner } from '../adapters/bun/link-signer.ts'
import type { Settings } from '../adapters/env/settings.ts'
import { sniffContentType } from '../adapters/file-type/sniff.ts'
import { createApi } from '../adapters/http/api.ts'
import { toEventBody, toRecordBody } from '../adapters/http/event-bodies.ts'
import { effectiveHosts } from '../adapters/http/hosts.ts'
import { IDLE_TIMEOUT_SECONDS, listen } from '../adapters/http/server.ts'
import { describeEvents, describeSocket } from '../adapters/ws/asyncapi.ts'
import { createSockets } from '../adapters/ws/sockets.ts'
import { createBackups } from '../application/backups.ts'
import { createFileLinks } from '../application/file-links.ts'
import { createFiles } from '../application/files.ts'
import type { Check } from '../application/ports/system.ts'
import { createReadableCollections } from '../application/readable-collections.ts'
import { createRealtime } from '../application/realtime.ts'
import { createTopics } from '../application/topics.ts'
import { COLLECTIONS } from '../domain/collections/index.ts'
import { LINK_LIFE_SECONDS } from '../domain/file.ts'
import { quotaOf } from './choices.ts'
import type { Foundation, StartOptions } from './foundation.ts'

/** The path prefix that the proxy strips. */
export const basePathOf = ({ PUBLIC_URL }: Pick<Settings, 'PUBLIC_URL'>): string =>
  PUBLIC_URL === undefined ? '' : new URL(PUBLIC_URL).pathname.replace(/\/+$/, '')

const apiOptions = (settings: Settings) => ({
  rateLimit: settings.RATE_LIMIT,
  rateLimitAuth: settings.RATE_LIMIT_AUTH,
  trustProxy: settings.TRUST_PROXY,
  maxBodyBytes: settings.MAX_BODY_SIZE,
  corsOrigins: settings.CORS_ORIGINS ?? [],
  allowedHosts: effectiveHosts({
    bound: settings.HOST,
    given: settings.ALLOWED_HOSTS,
    publicUrl: settings.PUBLIC_URL,
  }),
  metricsToken: settings.METRICS_TOKEN,
  userLookup: settings.USER_LOOKUP,
  docs: settings.DOCS,
  https: settings.PUBLIC_URL?.startsWith('https:') ?? false,
  appName: settings.APP_NAME,
  appUrl: settings.APP_URL,
  basePath: basePathOf(settings),
  version: pkg.version,
})

const signerOf = ({ secret, previous, clock }: Foundation) => {
  const isOver = previous === null || clock.now() >= previous.retiredAt + LINK_LIFE_SECONDS.maximum * 1_000
  return createLinkSigner(secret, isOver ? [] : [previous.secret])
}

/** The use cases of files, and what their routes need besides. */
const composeFiles = (foundation: Foundation) => {
  const { settings, store, blobs, clock, reserve, log, useCases } = foundation
  return {
    files: createFiles({
      unitOfWork: store,
      catalog: useCases.catalog,
      units: useCases.units,
      blobs,
      sniff: sniffContentType,
      clock,
      accepted: settings.UPLOAD_TYPES,
      reserve,
      ...quotaOf(settings),
      log,
    }),
    fileLinks: createFileLinks({ unitOfWork: store, signer: signerOf(foundation), clock, reserve }),
    maxUploadBytes: settings.MAX_UPLOAD_SIZE,
  }
}

const composeBackups = ({ settings, secret, store, archives, clock }: Foundation) =>
  createBackups({
    unitOfWork: store,
    archives,
    signer: createBackupLinkSigner(secret),
    clock,
    encrypts: settings.BACKUP_KEY !== undefined,
  })

/** Answers requests and sockets until both are stopped. `accepting` rejects while the server is stopping. */
export const serveApi = async (
  foundation: Foundation,
  options: StartOptions,
  closers: Closers,
  accepting: () => Promise<void>,
) => {
  const { settings, log, clock, bus, listeners, metrics, store, blobs, slices, useCases } = foundation
  const { idleTimeoutSeconds = IDLE_TIMEOUT_SECONDS } = options
  const readable = createReadableCollections(useCases.catalog)
  const topics = createTopics({ collections: COLLECTIONS, readable, clock })
  const realtime = createRealtime({ unitOfWork: store, topics, readable, clock, slices, log })
  listeners.events = realtime.notify
  const sockets = createSockets({
    ...useCases,
    slices,
    notices: bus.notices,
    slots: bus.socketSlots,
    clock,
    realtime,
    toBody: toEventBody,
    toRecordBody,
    log,
    metrics,
    ...(options.socketDurations && { durations: options.socketDurations }),
    maxSocketsPerUser: settings.MAX_SOCKETS_PER_USER,
    threadsCount: settings.WORKERS,
    ...(options.stallTimeoutMs === undefined ? {} : { stallTimeoutMs: options.stallTimeoutMs }),
  })
  listeners.sockets = sockets
  closers.add(sockets.stop)
  await sockets.start()
  const checks: readonly Check[] = [
    { name: 'accepting', run: accepting, uncached: true },
    { name: 'database', run: store.ping },
    { name: 'files', run: blobs.ping },
    ...bus.checks,
  ]
  let publicUrl = settings.PUBLIC_URL ?? ''
  const api = createApi(
    {
      ...useCases,
      ...composeFiles(foundation),
      backups: composeBackups(foundation),
      storedCollections: () => store.read((tx) => tx.collections.all()),
      publicUrl: () => publicUrl,
      describeSocket: {
        document: (collections) => describeSocket(pkg.version, publicUrl, collections),
        events: describeEvents,
      },
      limiter: bus.limiter,
      realtime: sockets,
      log,
      metrics,
      checks,
      shownSettings: options.shownSettings ?? [],
      slices,
    },
    { ...apiOptions(settings), idleTimeoutSeconds },
  )
  const { HOST: host, PORT: port } = settings
  const isShared = settings.WORKERS > 1
  const server = listen(api, { host, port, idleTimeoutSeconds, isShared, websocket: sockets.handlers })
  store.beginServing()
  sockets.publishTo(server)
  publicUrl = settings.PUBLIC_URL ?? server.url
  return { server, sockets, publicUrl }
}

/** Warns if links in mail would lead to the address that means all addresses. */
export const warnAboutPublicUrl = ({ settings, log }: Pick<StartOptions, 'settings' | 'log'>, publicUrl: string) => {
  const { PUBLIC_URL, APP_URL, HOST } = settings
  if (PUBLIC_URL !== undefined || APP_URL !== undefined || !/^(0\.0\.0\.0|::)$/.test(HOST)) return
  log.warn('set PUBLIC_URL: without it, links in mail lead to an address that nobody can open', { publicUrl })
}
