import { chmodSync, existsSync, writeFileSync, writeSync } from 'node:fs'
import pkg from '../package.json' with { type: 'json' }
import { systemClock } from './adapters/bun/clock.ts'
import { opaqueTokens } from './adapters/bun/opaque-tokens.ts'
import { createPasswordHasher } from './adapters/bun/password-hasher.ts'
import { type Commands, EXIT, type Flags, runProgram } from './adapters/cli/program.ts'
import { type ConsoleLog, createConsoleLog } from './adapters/console/log.ts'
import { readSettings, type Settings } from './adapters/env/settings.ts'
import { keptSecret, makeDataDir } from './adapters/fs/data-dir.ts'
import { type ApiDeps, createApi } from './adapters/http/api.ts'
import { listen } from './adapters/http/server.ts'
import { createAccessTokens } from './adapters/jwt/access-tokens.ts'
import { createMemoryAccessNotices } from './adapters/memory/access-notices.ts'
import { createMemoryRateLimiter } from './adapters/memory/rate-limiter.ts'
import { openWriter } from './adapters/sqlite/database.ts'
import { lockInstance } from './adapters/sqlite/instance-lock.ts'
import { migrate, pendingMigrations } from './adapters/sqlite/migrate.ts'
import { openSqliteStore } from './adapters/sqlite/unit-of-work.ts'
import { createAccess } from './application/access.ts'
import { createAttempts } from './application/attempts.ts'
import type { AccessNotices } from './application/ports/messaging.ts'
import type { UnitOfWork } from './application/ports/persistence.ts'
import type { PasswordHasher, RateLimiter } from './application/ports/security.ts'
import type { Clock, Log } from './application/ports/system.ts'
import { createTokens } from './application/tokens.ts'
import { createUsers } from './application/users.ts'
import { AppError } from './domain/errors.ts'
import { isEmail, isPassword, isUserName, USER_LIMITS } from './domain/user.ts'

export interface StartOptions {
  readonly settings: Settings
  readonly log: Log
  readonly clock?: Clock
  readonly passwords?: PasswordHasher
}

export interface RunningSkep {
  /** `http://HOST:PORT` as it listens. */
  readonly url: string
  /** Finishes what is under way, within SHUTDOWN_TIMEOUT. */
  close(): Promise<void>
}

interface Adapters {
  readonly settings: Settings
  readonly unitOfWork: UnitOfWork
  readonly clock: Clock
  readonly passwords: PasswordHasher
  readonly limiter: RateLimiter
  readonly notices: AccessNotices
  readonly secret: string
}

const compose = ({ settings, unitOfWork, clock, passwords, limiter, notices, secret }: Adapters) => {
  const accessTokens = createAccessTokens(secret, clock)
  const attempts = createAttempts(limiter, settings.RATE_LIMIT_AUTH)
  return {
    access: createAccess({ unitOfWork, accessTokens, notices, clock }),
    users: createUsers({ unitOfWork, passwords, notices, attempts, clock, signup: settings.SIGNUP }),
    tokens: createTokens({
      unitOfWork,
      passwords,
      accessTokens,
      opaqueTokens,
      attempts,
      clock,
      accessTtl: settings.ACCESS_TOKEN_TTL,
      refreshTtl: settings.REFRESH_TOKEN_TTL,
    }),
  }
}

const openDatabase = (settings: Settings): readonly string[] => {
  makeDataDir(settings.DATA_DIR)
  const connection = openWriter(settings.DATABASE_URL)
  try {
    chmodSync(settings.DATABASE_URL, 0o600)
    return migrate(connection.database)
  } finally {
    connection.close()
  }
}

const createSkepApi = (deps: ApiDeps, settings: Settings) =>
  createApi(deps, {
    rateLimit: settings.RATE_LIMIT,
    rateLimitAuth: settings.RATE_LIMIT_AUTH,
    trustProxy: settings.TRUST_PROXY,
    maxBodySize: settings.MAX_BODY_SIZE,
    corsOrigins: settings.CORS_ORIGINS ?? [],
    https: settings.PUBLIC_URL?.startsWith('https:') ?? false,
  })

/** Migrates an embedded database and serves. Rejects when the port is taken or another server holds the database. */
export const start = async ({ settings, log, ...overrides }: StartOptions): Promise<RunningSkep> => {
  const clock = overrides.clock ?? systemClock
  const limiter = createMemoryRateLimiter(clock)
  makeDataDir(settings.DATA_DIR)
  const unlock = lockInstance(settings.DATABASE_URL)
  if (unlock === null) throw new Error(`another server has ${settings.DATABASE_URL} open`)
  const migrated = openDatabase(settings)
  if (migrated.length > 0) log.info('migrated', { migrations: migrated })
  const store = openSqliteStore({ path: settings.DATABASE_URL })

  let stopping = false
  const accepting = async () => {
    if (stopping) throw new Error('stopping')
  }
  const useCases = compose({
    settings,
    unitOfWork: store,
    clock,
    passwords: overrides.passwords ?? createPasswordHasher(),
    limiter,
    notices: createMemoryAccessNotices(),
    secret: settings.JWT_SECRET ?? keptSecret(settings.DATA_DIR),
  })
  const checks = [
    { name: 'accepting', run: accepting },
    { name: 'database', run: store.ping },
  ]
  const app = createSkepApi({ ...useCases, limiter, log, checks }, settings)
  const server = listen(app, { host: settings.HOST, port: settings.PORT })
  const host = settings.HOST.includes(':') ? `[${settings.HOST}]` : settings.HOST
  return {
    url: `http://${host}:${server.port}`,
    async close() {
      stopping = true
      await server.stop(settings.SHUTDOWN_TIMEOUT)
      await store.close()
      unlock()
    },
  }
}

const print = (text: string) => void writeSync(1, text)
const complain = (text: string) => void writeSync(2, text)

/** Standard output, whole even when it is a pipe that is full; nothing when nobody reads it any more. */
const writeLog = (lines: string): void => {
  const bytes = Buffer.from(lines)
  for (let written = 0; written < bytes.length; ) {
    try {
      written += writeSync(1, bytes, written)
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === 'EAGAIN')) return
    }
  }
}

/** Runs a command with the settings, or says every wrong one and answers 2. */
const withSettings = async (flags: Flags, run: (settings: Settings) => Promise<number>): Promise<number> => {
  const result = readSettings(process.env, flags, process.stdout.isTTY)
  if ('settings' in result) return run(result.settings)
  for (const problem of result.problems) complain(`${problem}\n`)
  return EXIT.usage
}

const logFor = (settings: Settings): ConsoleLog =>
  createConsoleLog({ level: settings.LOG_LEVEL, format: settings.LOG_FORMAT, write: writeLog })

const signalled = (): Promise<NodeJS.Signals> => {
  const { promise, resolve } = Promise.withResolvers<NodeJS.Signals>()
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    process.once(signal, () => {
      process.once(signal, () => process.exit(EXIT.failed))
      resolve(signal)
    })
  }
  return promise
}

const serve = async (settings: Settings): Promise<number> => {
  const log = logFor(settings)
  process.on('unhandledRejection', (error) => log.error('unhandled rejection', { error }))
  process.on('uncaughtException', (error) => {
    // Nobody knows what was left half done: the next start finds a database that is whole.
    log.error('uncaught exception', { error })
    process.exit(EXIT.failed)
  })
  const stop = signalled()
  const skep = await start({ settings, log })
  const where = `${skep.url} (docs at ${skep.url}/docs), data in ${settings.DATA_DIR}`
  const announcement = createConsoleLog({ level: 'info', format: settings.LOG_FORMAT, write: writeLog })
  announcement.info(`Skep ${pkg.version} is listening on ${where}`)
  announcement.flush()

  const signal = await stop
  log.info('stopping', { signal })
  await skep.close()
  log.info('stopped')
  log.flush()
  return EXIT.done
}

const readStdin = async () => (await Bun.stdin.text()).replace(/\r?\n$/, '')

const createAdmin = async (
  { email, name = 'Admin', passwordFromStdin }: Parameters<Commands['createAdmin']>[0],
  settings: Settings,
): Promise<number> => {
  const password = passwordFromStdin ? await readStdin() : opaqueTokens.generate().slice(0, 20)
  const { minLength, maxLength } = USER_LIMITS.password
  const wrong = [
    ...(isEmail(email) ? [] : ['EMAIL: expected an email address']),
    ...(isUserName(name) ? [] : ['--name: expected 1 to 200 visible characters']),
    ...(isPassword(password) ? [] : [`password: expected ${minLength} to ${maxLength} characters`]),
  ]
  if (wrong.length > 0) {
    complain(`${wrong.join('\n')}\n`)
    return EXIT.usage
  }
  openDatabase(settings)
  const store = openSqliteStore({ path: settings.DATABASE_URL })
  try {
    const { users } = compose({
      settings,
      unitOfWork: store,
      clock: systemClock,
      passwords: createPasswordHasher(),
      limiter: createMemoryRateLimiter(systemClock),
      notices: createMemoryAccessNotices(),
      secret: settings.JWT_SECRET ?? keptSecret(settings.DATA_DIR),
    })
    const admin = await users.createAdmin({ email, name, password })
    print(`Created admin ${admin.email} (id ${admin.id})\n`)
    if (!passwordFromStdin) print(`Password: ${password}\n`)
    return EXIT.done
  } finally {
    await store.close()
  }
}

const migrateCommand = async (check: boolean, settings: Settings): Promise<number> => {
  if (!check) {
    const done = openDatabase(settings)
    print(done.length === 0 ? 'Up to date\n' : done.map((name) => `Applied ${name}\n`).join(''))
    return EXIT.done
  }
  const connection = openWriter(existsSync(settings.DATABASE_URL) ? settings.DATABASE_URL : ':memory:')
  try {
    const pending = pendingMigrations(connection.database)
    for (const { name } of pending) print(`Pending ${name}\n`)
    return pending.length === 0 ? EXIT.done : EXIT.failed
  } finally {
    connection.close()
  }
}

const showConfig = async (flags: Flags): Promise<number> => {
  const result = readSettings(process.env, flags, process.stdout.isTTY)
  if ('problems' in result) return withSettings(flags, async () => EXIT.done)
  for (const { name, value, source } of result.shown) print(`${name}=${value}  # ${source}\n`)
  return EXIT.done
}

const checkHealth = async ({ HOST, PORT }: Settings): Promise<number> => {
  const host = HOST === '0.0.0.0' ? '127.0.0.1' : HOST === '::' ? '[::1]' : HOST.includes(':') ? `[${HOST}]` : HOST
  const response = await fetch(`http://${host}:${PORT}/health/ready`, { signal: AbortSignal.timeout(5_000) })
  print(`${await response.text()}\n`)
  return response.ok ? EXIT.done : EXIT.failed
}

const commands: Commands = {
  serve: (flags) => withSettings(flags, serve),
  migrate: ({ check }, flags) => withSettings(flags, (settings) => migrateCommand(check, settings)),
  createAdmin: (options, flags) => withSettings(flags, (settings) => createAdmin(options, settings)),
  config: showConfig,
  health: (flags) => withSettings(flags, checkHealth),
  async openapi({ out }) {
    const document = 'TODO'
    if (out === undefined) print(document)
    else writeFileSync(out, document)
    return EXIT.done
  },
}

if (import.meta.main) {
  try {
    process.exitCode = await runProgram(Bun.argv.slice(2), pkg.version, commands)
  } catch (error) {
    complain(`skep: ${error instanceof AppError || error instanceof Error ? error.message : String(error)}\n`)
    process.exitCode = EXIT.failed
  }
}
