import { chmodSync, existsSync } from 'node:fs'
import { join } from 'node:path'
import pkg from '../package.json' with { type: 'json' }
import { systemClock } from './adapters/bun/clock.ts'
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
import { createFsBlobStore } from './adapters/fs/blob-store.ts'
import { keptSecret, makeDataDir } from './adapters/fs/data-dir.ts'
import { createApi, describeApi } from './adapters/http/api.ts'
import { toResponse as toItemBody } from './adapters/http/item-schemas.ts'
import { toResponse as toJobBody } from './adapters/http/jobs.ts'
import { listen } from './adapters/http/server.ts'
import { createAccessTokens } from './adapters/jwt/access-tokens.ts'
import { createMemoryAccessNotices } from './adapters/memory/access-notices.ts'
import { createMemoryRateLimiter } from './adapters/memory/rate-limiter.ts'
import { createFileMailer } from './adapters/nodemailer/file-mailer.ts'
import { createSmtpMailer } from './adapters/nodemailer/smtp-mailer.ts'
import { createS3BlobStore } from './adapters/s3/blob-store.ts'
import { openWriter } from './adapters/sqlite/database.ts'
import { lockInstance } from './adapters/sqlite/instance-lock.ts'
import { migrate, pendingMigrations } from './adapters/sqlite/migrate.ts'
import { openSqliteStore } from './adapters/sqlite/unit-of-work.ts'
import { startWorker, type Worker } from './adapters/worker/worker.ts'
import { describeSocket } from './adapters/ws/asyncapi.ts'
import { createSockets } from './adapters/ws/sockets.ts'
import { createAccess } from './application/access.ts'
import { createAccounts } from './application/accounts.ts'
import { createAttempts } from './application/attempts.ts'
import { createFileLinks } from './application/file-links.ts'
import { createFiles } from './application/files.ts'
import { createItems } from './application/items.ts'
import { createJobHandlers } from './application/job-handlers.ts'
import { createJobRunner } from './application/job-runner.ts'
import { createJobs } from './application/jobs.ts'
import type { Mailer } from './application/ports/messaging.ts'
import type { UnitOfWork } from './application/ports/persistence.ts'
import type { PasswordHasher } from './application/ports/security.ts'
import type { Clock, Log } from './application/ports/system.ts'
import { createRealtime, type Realtime } from './application/realtime.ts'
import { createSessions } from './application/sessions.ts'
import { createTokens } from './application/tokens.ts'
import { createUsers, type Users } from './application/users.ts'

export interface StartOptions {
  readonly settings: Settings
  readonly log: Log
  readonly clock?: Clock
  readonly passwords?: PasswordHasher
  readonly mailer?: Mailer
}

export interface RunningSkep {
  /** `http://HOST:PORT` as it listens. */
  readonly url: string
  /** Finishes what is under way, within SHUTDOWN_TIMEOUT. */
  close(): Promise<void>
}

interface Foundation {
  readonly settings: Settings
  readonly unitOfWork: UnitOfWork
  readonly clock?: Clock | undefined
  readonly passwords?: PasswordHasher | undefined
}

const compose = ({ settings, unitOfWork, clock = systemClock, passwords = createPasswordHasher() }: Foundation) => {
  const secret = settings.JWT_SECRET ?? keptSecret(settings.DATA_DIR)
  const accessTokens = createAccessTokens(secret, clock)
  const opaqueTokens = createOpaqueTokens(secret)
  const limiter = createMemoryRateLimiter(clock)
  const notices = createMemoryAccessNotices()
  const attempts = createAttempts(limiter, settings.RATE_LIMIT_AUTH)
  const shared = { unitOfWork, passwords, opaqueTokens, notices, attempts, clock }
  return {
    secret,
    clock,
    opaqueTokens,
    limiter,
    notices,
    access: createAccess({ unitOfWork, accessTokens, notices, clock }),
    users: createUsers({ ...shared, signup: settings.SIGNUP }),
    tokens: createTokens({
      ...shared,
      accessTokens,
      accessTtl: settings.ACCESS_TOKEN_TTL,
      refreshTtl: settings.REFRESH_TOKEN_TTL,
    }),
    sessions: createSessions(shared),
    accounts: createAccounts(shared),
    items: createItems(shared),
    jobs: createJobs(shared),
  }
}

/** A mailer that may hold connections. */
type OpenMailer = Mailer & { readonly close?: () => void }

const openMailer = (settings: Settings, log: Log): OpenMailer => {
  const { SMTP_URL, MAIL_FROM, DATA_DIR } = settings
  if (SMTP_URL === undefined) return createFileMailer({ folder: join(DATA_DIR, 'mail'), from: MAIL_FROM, log })
  return createSmtpMailer({ url: SMTP_URL, from: MAIL_FROM })
}

/** The place of uploaded files. Rejects when it cannot be used. */
export const openBlobs = async (settings: Settings, log: Log) => {
  const { FILES_URL, AWS_ACCESS_KEY_ID = '', AWS_SECRET_ACCESS_KEY = '', AWS_SESSION_TOKEN } = settings
  const token = AWS_SESSION_TOKEN === undefined ? {} : { sessionToken: AWS_SESSION_TOKEN }
  const keys = { accessKeyId: AWS_ACCESS_KEY_ID, secretAccessKey: AWS_SECRET_ACCESS_KEY, ...token }
  const blobs =
    typeof FILES_URL === 'string' ? createFsBlobStore(FILES_URL) : createS3BlobStore({ place: FILES_URL, keys, log })
  await blobs.prepare()
  return blobs
}

const apiOptions = (settings: Settings) => ({
  rateLimit: settings.RATE_LIMIT,
  rateLimitAuth: settings.RATE_LIMIT_AUTH,
  trustProxy: settings.TRUST_PROXY,
  maxBodySize: settings.MAX_BODY_SIZE,
  corsOrigins: settings.CORS_ORIGINS ?? [],
  https: settings.PUBLIC_URL?.startsWith('https:') ?? false,
  version: pkg.version,
})

const migrateDatabase = (settings: Settings): readonly string[] => {
  makeDataDir(settings.DATA_DIR)
  const connection = openWriter(settings.DATABASE_URL)
  try {
    chmodSync(settings.DATABASE_URL, 0o600)
    return migrate(connection.database)
  } finally {
    connection.close()
  }
}

const urlOf = (host: string, port: number) => `http://${host.includes(':') ? `[${host}]` : host}:${port}`

/** Migrates an embedded database and serves. Rejects when the port is taken or another server holds the database. */
export const start = async ({ settings, log, ...overrides }: StartOptions): Promise<RunningSkep> => {
  makeDataDir(settings.DATA_DIR)
  // What was opened, for closing in the opposite order, all within one time.
  const opened: ((milliseconds: number) => unknown)[] = []
  const shut = async (timeout: number) => {
    const end = performance.now() + timeout
    for (let close = opened.pop(); close !== undefined; close = opened.pop()) {
      await close(Math.max(0, end - performance.now()))
    }
  }
  try {
    const unlock = lockInstance(settings.DATABASE_URL)
    if (unlock === null) throw new Error(`another server has ${settings.DATABASE_URL} open`)
    opened.push(unlock)
    const migrated = migrateDatabase(settings)
    if (migrated.length > 0) log.info('migrated', { migrations: migrated })

    let worker: Worker | null = null
    let stopping = false
    const accepting = async () => {
      if (stopping) throw new Error('stopping')
    }
    let feed: Realtime | null = null
    const store = openSqliteStore({
      path: settings.DATABASE_URL,
      onJobs: () => worker?.wake(),
      onEvents: () => feed?.wake(),
    })
    opened.push(store.close)
    const blobs = await openBlobs(settings, log)
    const foundation = { clock: overrides.clock, passwords: overrides.passwords }
    const useCases = compose({ settings, unitOfWork: store, ...foundation })
    const { clock, opaqueTokens, secret } = useCases
    const files = createFiles({
      unitOfWork: store,
      blobs,
      sniff: sniffContentType,
      clock,
      accepted: settings.UPLOAD_TYPES,
      log,
    })
    const fileLinks = createFileLinks({ unitOfWork: store, signer: createLinkSigner(secret), clock })
    let publicUrl = settings.PUBLIC_URL ?? ''
    const uploads = { files, fileLinks, maxUploadSize: settings.MAX_UPLOAD_SIZE, publicUrl: () => publicUrl }
    const checks = [
      { name: 'accepting', run: accepting },
      { name: 'database', run: store.ping },
      { name: 'files', run: blobs.ping },
    ]
    const protocol = { describeSocket: () => describeSocket(pkg.version, publicUrl) }
    feed = createRealtime({ unitOfWork: store, log })
    const sockets = createSockets({ ...useCases, realtime: feed, toBody: { item: toItemBody, job: toJobBody }, log })
    await sockets.start()
    const api = createApi(
      { ...useCases, ...uploads, ...protocol, realtime: sockets, log, checks },
      apiOptions(settings),
    )
    opened.push(sockets.stop)
    const server = listen(api, { host: settings.HOST, port: settings.PORT, websocket: sockets.handlers })
    sockets.publishTo(server)
    const url = urlOf(settings.HOST, server.port)
    const mailer: OpenMailer = overrides.mailer ?? openMailer(settings, log)
    opened.push(() => mailer.close?.())
    // What they leave unfinished still has to be written down.
    opened.push((left) => Promise.all([sockets.stop(), server.stop(left * 0.8), worker?.stop(left * 0.8)]))

    publicUrl = settings.PUBLIC_URL ?? url
    if (publicUrl === url && /^(0\.0\.0\.0|::)$/.test(settings.HOST)) {
      log.warn('set PUBLIC_URL: links in mail would lead to an address that nobody can open', { publicUrl })
    }
    const handlers = createJobHandlers({
      unitOfWork: store,
      mailer,
      blobs,
      opaqueTokens,
      clock,
      publicUrl,
      refreshTtl: settings.REFRESH_TOKEN_TTL,
      eventRetention: settings.EVENT_RETENTION,
    })
    const runner = createJobRunner({ unitOfWork: store, handlers, clock, log, random: Math.random })
    // The lock says that no other process has jobs of this database in its hands: what runs was left by a crash.
    await store.write((tx) => tx.jobs.releaseAll(clock.now()))
    await runner.prepare()
    worker = startWorker({ runner, log })

    return {
      url,
      async close() {
        stopping = true
        await shut(settings.SHUTDOWN_TIMEOUT)
      },
    }
  } catch (error) {
    await shut(settings.SHUTDOWN_TIMEOUT)
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
  // Said whatever the level is.
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
  migrateDatabase(settings)
  const store = openSqliteStore({ path: settings.DATABASE_URL })
  try {
    return await work(compose({ settings, unitOfWork: store }).users)
  } finally {
    await store.close()
  }
}

const missingMigrations = (settings: Settings): readonly string[] => {
  const connection = openWriter(existsSync(settings.DATABASE_URL) ? settings.DATABASE_URL : ':memory:')
  try {
    return pendingMigrations(connection.database).map(({ name }) => name)
  } finally {
    connection.close()
  }
}

if (import.meta.main) {
  const commands = createCommands<Settings>({
    readSettings: (flags) => readSettings(process.env, flags, process.stdout.isTTY),
    serve,
    migrate: migrateDatabase,
    pendingMigrations: missingMigrations,
    withUsers,
    generatePassword: () => createOpaqueTokens('').generate().slice(0, 20),
    describe: () => describeApi(pkg.version),
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
