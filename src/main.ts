// Must come first, because Elysia reads it when it is loaded.
import './main/production-mode.ts'

import pkg from '../package.json' with { type: 'json' }
import { systemClock } from './adapters/bun/clock.ts'
import { createClosers } from './adapters/bun/closers.ts'
import { createEventLoopSlices } from './adapters/bun/event-loop-slices.ts'
import { createLinkSigner } from './adapters/bun/link-signer.ts'
import { createOpaqueTokens } from './adapters/bun/opaque-tokens.ts'
import { createPasswordHasher } from './adapters/bun/password-hasher.ts'
import { createCommands } from './adapters/cli/commands.ts'
import { logCrashes, untilSignal } from './adapters/cli/lifecycle.ts'
import { EXIT, runProgram } from './adapters/cli/program.ts'
import { createConsoleLog } from './adapters/console/log.ts'
import { writeError, writeOutput } from './adapters/console/streams.ts'
import { readSettings, type Settings } from './adapters/env/settings.ts'
import { sniffContentType } from './adapters/file-type/sniff.ts'
import {
  exposedPaths,
  keptSecret,
  makeDataDir,
  type PreviousSecret,
  previousSecret,
  rotateSecret,
} from './adapters/fs/data-dir.ts'
import { NO_RESERVE } from './adapters/fs/reserve.ts'
import { createApi, describeApi } from './adapters/http/api.ts'
import { toEventBody } from './adapters/http/event-bodies.ts'
import { effectiveHosts } from './adapters/http/hosts.ts'
import { checkAddress, listen } from './adapters/http/server.ts'
import { createAccessTokens, type PreviousKey } from './adapters/jwt/access-tokens.ts'
import { createMemoryBus } from './adapters/memory/bus.ts'
import { createMetrics } from './adapters/prometheus/metrics.ts'
import { startWorker, type Worker } from './adapters/worker/worker.ts'
import { describeSocket } from './adapters/ws/asyncapi.ts'
import { createSockets, type SocketDurations } from './adapters/ws/sockets.ts'
import { createFileLinks } from './application/file-links.ts'
import { createFiles } from './application/files.ts'
import { createJobHandlers } from './application/job-handlers.ts'
import { createJobRunner } from './application/job-runner.ts'
import type { Bus, CommitSignal, Mailer } from './application/ports/messaging.ts'
import type { UnitOfWork } from './application/ports/persistence.ts'
import type { PasswordHasher } from './application/ports/security.ts'
import type { Check, Clock, Log, Reserve } from './application/ports/system.ts'
import { createRealtime, type Realtime } from './application/realtime.ts'
import { createTopics } from './application/topics.ts'
import { createUseCases } from './application/use-cases.ts'
import type { Users } from './application/users.ts'
import { COLLECTIONS } from './domain/collections/index.ts'
import { LINK_LIFE_SECONDS } from './domain/file.ts'
import { engineOf, type OpenMailer, openBlobs, openBus, openMailer, openReserve, quotaOf } from './main/choices.ts'
import { copy } from './main/copy.ts'

export type { App } from './adapters/http/api.ts'

export interface StartOptions {
  readonly settings: Settings
  readonly log: Log
  readonly clock?: Clock
  readonly passwords?: PasswordHasher
  readonly mailer?: Mailer
  readonly socketDurations?: Partial<SocketDurations>
  /** Milliseconds after which a socket that reads nothing of a replay is closed. */
  readonly stallTimeoutMs?: number
  /** Replaces the free space of the disks. */
  readonly reserve?: Reserve
}

export interface RunningSkep {
  /** `http://HOST:PORT` as it listens. */
  readonly url: string
  /** Finishes running work within SHUTDOWN_TIMEOUT. */
  close(): Promise<void>
}

const secretOf = (settings: Settings): string => settings.JWT_SECRET ?? keptSecret(settings.DATA_DIR)

interface Foundation {
  readonly unitOfWork: UnitOfWork
  readonly bus: Bus
  readonly clock: Clock
  readonly passwords: PasswordHasher
  readonly reserve: Reserve
}

/** Signatures of the previous secret are valid until its tokens have expired. */
const previousKeyOf = ({ ACCESS_TOKEN_TTL }: Settings, previous: PreviousSecret | null): PreviousKey | null =>
  previous && { secret: previous.secret, verifiesUntil: previous.retiredAt + ACCESS_TOKEN_TTL }

const signerOf = (secret: string, previous: PreviousSecret | null, now: number) => {
  const isOver = previous === null || now >= previous.retiredAt + LINK_LIFE_SECONDS.maximum * 1_000
  return createLinkSigner(secret, isOver ? [] : [previous.secret])
}

const compose = (settings: Settings, secret: string, foundation: Foundation, previous: PreviousSecret | null = null) =>
  createUseCases({
    ...foundation,
    collections: COLLECTIONS,
    accessTokens: createAccessTokens(secret, foundation.clock, previousKeyOf(settings, previous)),
    opaqueTokens: createOpaqueTokens(secret),
    signup: settings.SIGNUP,
    attemptRate: settings.RATE_LIMIT_AUTH,
    accessTtl: settings.ACCESS_TOKEN_TTL,
    refreshTtl: settings.REFRESH_TOKEN_TTL,
  })

/** The path prefix that the proxy strips. */
const basePathOf = ({ PUBLIC_URL }: Pick<Settings, 'PUBLIC_URL'>): string =>
  PUBLIC_URL === undefined ? '' : new URL(PUBLIC_URL).pathname.replace(/\/+$/, '')

const apiOptions = (settings: Settings) => ({
  rateLimit: settings.RATE_LIMIT,
  rateLimitAuth: settings.RATE_LIMIT_AUTH,
  trustProxy: settings.TRUST_PROXY,
  maxBodySize: settings.MAX_BODY_SIZE,
  corsOrigins: settings.CORS_ORIGINS ?? [],
  allowedHosts: effectiveHosts({
    bound: settings.HOST,
    given: settings.ALLOWED_HOSTS,
    publicUrl: settings.PUBLIC_URL,
  }),
  metricsToken: settings.METRICS_TOKEN,
  https: settings.PUBLIC_URL?.startsWith('https:') ?? false,
  appName: settings.APP_NAME,
  appUrl: settings.APP_URL,
  basePath: basePathOf(settings),
  version: pkg.version,
})

/**
 * Migrates an embedded database and serves. Rejects if the port is in use, before anything is created or migrated; if
 * another server has the embedded database open; and if a database that is not embedded has pending migrations.
 */
export const start = async (options: StartOptions): Promise<RunningSkep> => {
  const { settings, log, clock = systemClock, passwords = createPasswordHasher() } = options
  checkAddress(settings.HOST, settings.PORT)
  makeDataDir(settings.DATA_DIR)
  const closers = createClosers()
  try {
    const engine = engineOf(settings)
    closers.add(engine.lock())
    const migrations = await engine.catchUp()
    if (migrations.length > 0) log.info('migrated', { migrations })

    let worker: Worker | null = null
    let stopping = false
    const accepting = async () => {
      if (stopping) throw new Error('stopping')
    }
    let feed: Realtime | null = null
    const secret = secretOf(settings)
    for (const { path, mode } of exposedPaths(settings.DATA_DIR)) {
      log.warn('other users on this machine can access the data folder: restrict its mode with chmod', { path, mode })
    }
    const previous = settings.JWT_SECRET === undefined ? previousSecret(settings.DATA_DIR, clock.now()) : null
    const bus = await openBus(settings, secret, clock, log)
    closers.add(bus.close)
    const notify = (signal: CommitSignal) => (signal === 'jobs' ? worker?.notify() : feed?.notify())
    bus.commitSignals.subscribe(notify)
    const committed = (signal: CommitSignal) => {
      notify(signal)
      bus.commitSignals.publish(signal)
    }
    const metrics = createMetrics({
      version: pkg.version,
      log,
      sockets: () => sockets.counts(),
      jobs: () => store.read((tx) => tx.jobs.countByState(100_000)),
    })
    closers.add(metrics.stop)
    const store = engine.open({
      ...quotaOf(settings),
      metrics,
      onJobs: () => committed('jobs'),
      onEvents: () => committed('events'),
    })
    closers.add(store.close)
    await store.beginEpoch()
    const blobs = await openBlobs(settings, log)
    const watched = options.reserve === undefined ? await openReserve(settings, log) : null
    closers.add(() => watched?.stop())
    const reserve = options.reserve ?? watched ?? NO_RESERVE
    const useCases = compose(settings, secret, { unitOfWork: store, bus, clock, passwords, reserve }, previous)
    const files = createFiles({
      unitOfWork: store,
      blobs,
      sniff: sniffContentType,
      clock,
      accepted: settings.UPLOAD_TYPES,
      reserve,
      ...quotaOf(settings),
      log,
    })
    const signer = signerOf(secret, previous, clock.now())
    const fileLinks = createFileLinks({ unitOfWork: store, signer, clock, reserve })
    let publicUrl = settings.PUBLIC_URL ?? ''
    const uploads = { files, fileLinks, maxUploadSize: settings.MAX_UPLOAD_SIZE, publicUrl: () => publicUrl }
    const checks: readonly Check[] = [
      { name: 'accepting', run: accepting, immediate: true },
      { name: 'database', run: store.ping },
      { name: 'files', run: blobs.ping },
      ...bus.checks,
    ]
    const protocol = { describeSocket: () => describeSocket(pkg.version, publicUrl) }
    feed = createRealtime({ unitOfWork: store, topics: createTopics(COLLECTIONS), log })
    const slices = createEventLoopSlices()
    const sockets = createSockets({
      ...useCases,
      slices,
      notices: bus.notices,
      clock,
      realtime: feed,
      toBody: toEventBody,
      log,
      metrics,
      ...(options.socketDurations && { durations: options.socketDurations }),
      maxSocketsPerUser: settings.MAX_SOCKETS_PER_USER,
      ...(options.stallTimeoutMs === undefined ? {} : { stallTimeoutMs: options.stallTimeoutMs }),
    })
    await sockets.start()
    const api = createApi(
      { ...useCases, limiter: bus.limiter, ...uploads, ...protocol, realtime: sockets, log, metrics, checks, slices },
      apiOptions(settings),
    )
    closers.add(sockets.stop)
    const server = listen(api, { host: settings.HOST, port: settings.PORT, websocket: sockets.handlers })
    sockets.publishTo(server)
    const mailer: OpenMailer = options.mailer ?? openMailer(settings, log)
    closers.add(() => mailer.close?.())
    // Unfinished jobs must still be returned to the queue.
    closers.add((left) => Promise.all([sockets.stop(), server.stop(left * 0.8), worker?.stop(left * 0.8)]))

    publicUrl = settings.PUBLIC_URL ?? server.url
    if (publicUrl === server.url && settings.APP_URL === undefined && /^(0\.0\.0\.0|::)$/.test(settings.HOST)) {
      log.warn('set PUBLIC_URL: without it, links in mail lead to an address that nobody can open', { publicUrl })
    }
    const handlers = createJobHandlers({
      unitOfWork: store,
      collections: COLLECTIONS,
      mailer,
      blobs,
      opaqueTokens: createOpaqueTokens(secret),
      clock,
      mail: {
        appName: settings.APP_NAME,
        appUrl: settings.APP_URL ?? publicUrl,
        templates: settings.MAIL_TEMPLATES,
      },
      refreshTtl: settings.REFRESH_TOKEN_TTL,
      eventRetention: settings.EVENT_RETENTION,
    })
    const runner = createJobRunner({ unitOfWork: store, handlers, clock, log, random: Math.random })
    await store.requeueAbandonedJobs(clock.now())
    await runner.prepare()
    worker = startWorker({ runner, log })

    return {
      url: server.url,
      async close() {
        stopping = true
        await closers.closeAll(settings.SHUTDOWN_TIMEOUT)
      },
    }
  } catch (error) {
    await closers.closeAll(settings.SHUTDOWN_TIMEOUT)
    throw error
  }
}

const serve = async (settings: Settings): Promise<void> => {
  const { LOG_LEVEL, LOG_FORMAT } = settings
  const log = createConsoleLog({ level: LOG_LEVEL, format: LOG_FORMAT, write: writeOutput })
  logCrashes(log)
  const stop = untilSignal()
  const skep = await start({ settings, log })
  log.flush()
  // Printed at every log level.
  const announcement = createConsoleLog({ level: 'info', format: LOG_FORMAT, write: writeOutput })
  const where = `${skep.url} (docs at ${skep.url}/docs), data in ${settings.DATA_DIR}`
  announcement.info(`Skep ${pkg.version} is listening on ${where}`)
  announcement.flush()

  log.info('stopping', { signal: await stop })
  await skep.close()
  log.info('stopped')
  log.flush()
}

const withUsers = async <T>(settings: Settings, work: (users: Users) => Promise<T>): Promise<T> => {
  const engine = engineOf(settings)
  await engine.catchUp()
  const store = engine.open()
  try {
    const own = {
      bus: createMemoryBus(systemClock),
      clock: systemClock,
      passwords: createPasswordHasher(),
      reserve: NO_RESERVE,
    }
    return await work(compose(settings, secretOf(settings), { unitOfWork: store, ...own }).users)
  } finally {
    await store.close()
  }
}

if (import.meta.main) {
  const commands = createCommands<Settings>({
    readSettings: (flags) => readSettings(process.env, flags, process.stdout.isTTY),
    serve,
    migrate: (settings) => engineOf(settings).migrate(),
    pendingMigrations: (settings) => engineOf(settings).pending(),
    withUsers,
    rotateSecret: ({ DATA_DIR }) => rotateSecret(DATA_DIR),
    copy,
    generatePassword: () => createOpaqueTokens('').generate().slice(0, 20),
    describe() {
      const reading = readSettings(process.env, {}, false)
      return describeApi(pkg.version, 'settings' in reading ? basePathOf(reading.settings) : '')
    },
    print: writeOutput,
    complain: writeError,
  })
  try {
    process.exitCode = await runProgram(Bun.argv.slice(2), pkg.version, commands)
  } catch (error) {
    writeError(`skep: ${error instanceof Error ? error.message : String(error)}\n`)
    process.exitCode = EXIT.failed
  }
}
