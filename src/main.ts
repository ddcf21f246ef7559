// Must come first, because Elysia reads it when it is loaded.
import './main/production-mode.ts'

import pkg from '../package.json' with { type: 'json' }
import { systemClock } from './adapters/bun/clock.ts'
import { type Closers, createClosers } from './adapters/bun/closers.ts'
import { createEventLoopSlices } from './adapters/bun/event-loop-slices.ts'
import { createOpaqueTokens } from './adapters/bun/opaque-tokens.ts'
import { createPasswordHasher } from './adapters/bun/password-hasher.ts'
import { createCommands } from './adapters/cli/commands.ts'
import { logCrashes, untilSignal } from './adapters/cli/lifecycle.ts'
import { EXIT, runProgram } from './adapters/cli/program.ts'
import { createConsoleLog } from './adapters/console/log.ts'
import { isTerminal, writeError, writeLines, writeOutput } from './adapters/console/streams.ts'
import { readSettings, type Settings, type ValidSettings } from './adapters/env/settings.ts'
import { makeDataDir, rotateSecret } from './adapters/fs/data-dir.ts'
import { NO_RESERVE } from './adapters/fs/reserve.ts'
import { describeApi } from './adapters/http/api.ts'
import { checkAddress } from './adapters/http/server.ts'
import { createMemoryBus } from './adapters/memory/bus.ts'
import type { Worker } from './adapters/worker/worker.ts'
import type { Users } from './application/users.ts'
import { engineOf, type OpenMailer, openMailer } from './main/choices.ts'
import { applyCollections, declareTypes, exportCollections, migrate, pendingChanges } from './main/collections.ts'
import { copy } from './main/copy.ts'
import { composeUseCases, type Foundation, openFoundation, type StartOptions, secretOf } from './main/foundation.ts'
import { startJobs } from './main/jobs.ts'
import { basePathOf, serveApi, warnAboutPublicUrl } from './main/serving.ts'
import { type SharedParts, shareParts, startServingThreads } from './main/threads.ts'

export type { App } from './adapters/http/api.ts'
export type { StartOptions }

export interface RunningSkep {
  /** `http://HOST:PORT` as it listens. */
  readonly url: string
  /** Where the first admin is created; null if there is an admin. */
  readonly setupUrl: string | null
  /** Finishes running work within SHUTDOWN_TIMEOUT. */
  close(): Promise<void>
}

/** An API that is served. */
interface Served {
  readonly url: string
  readonly publicUrl: string
  stop(timeoutMs: number): Promise<unknown>
}

const serveHere = async (
  foundation: Foundation,
  options: StartOptions,
  closers: Closers,
  accepting: () => Promise<void>,
): Promise<Served> => {
  const { server, sockets, publicUrl } = await serveApi(foundation, options, closers, accepting)
  return { url: server.url, publicUrl, stop: (timeoutMs) => Promise.all([sockets.stop(), server.stop(timeoutMs)]) }
}

const serveInThreads = async (foundation: Foundation, options: StartOptions, shared: SharedParts) => {
  const threads = await startServingThreads(foundation, options, shared)
  options.onThreads?.(threads.kill)
  return threads
}

/**
 * Migrates an embedded database and serves. Rejects if the port is in use, before anything is created or migrated; if
 * another server has the embedded database open; and if a database that is not embedded has pending migrations.
 */
export const start = async (options: StartOptions): Promise<RunningSkep> => {
  const { settings, log } = options
  checkAddress(settings.HOST, settings.PORT)
  makeDataDir(settings.DATA_DIR)
  const closers = createClosers()
  try {
    const shared = settings.WORKERS === 1 ? null : shareParts(settings.WORKERS, options.clock ?? systemClock)
    const foundation = await openFoundation(options, closers, shared?.part)
    let stopping = false
    const accepting = async () => {
      if (stopping) throw new Error('stopping')
    }
    const { url, publicUrl, stop } = shared
      ? await serveInThreads(foundation, options, shared)
      : await serveHere(foundation, options, closers, accepting)
    warnAboutPublicUrl(options, publicUrl)
    const mailer: OpenMailer = options.mailer ?? openMailer(settings, log)
    closers.add(() => mailer.close?.())
    let worker: Worker | null = null
    // Unfinished jobs must still be returned to the queue.
    closers.add((left) => Promise.all([stop(left * 0.8), worker?.stop(left * 0.8)]))
    worker = await startJobs(foundation, mailer, publicUrl)
    const token = await foundation.useCases.setup.issueToken()
    return {
      url,
      setupUrl: token === null ? null : `${publicUrl}/console/setup#token=${token}`,
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

const serve = async ({ settings, shown }: ValidSettings): Promise<void> => {
  const { LOG_LEVEL, LOG_FORMAT, WORKERS } = settings
  const write = WORKERS === 1 ? writeOutput : writeLines
  const log = createConsoleLog({ level: LOG_LEVEL, format: LOG_FORMAT, write })
  logCrashes(log)
  const stop = untilSignal()
  const skep = await start({ settings, shownSettings: shown, log })
  log.flush()
  // Printed at every log level.
  const announcement = createConsoleLog({ level: 'info', format: LOG_FORMAT, write })
  const where = `${skep.url} (docs at ${skep.url}/docs), data in ${settings.DATA_DIR}`
  announcement.info(`Skep ${pkg.version} is listening on ${where}`)
  if (skep.setupUrl !== null) announcement.info(`There is no admin yet. Create one at ${skep.setupUrl}`)
  announcement.flush()

  log.info('stopping', { signal: await stop })
  await skep.close()
  log.info('stopped')
  log.flush()
}

const withUsers = async <T>(settings: Settings, work: (users: Users) => Promise<T>): Promise<T> => {
  const engine = engineOf(settings)
  await engine.ensureMigrated()
  const store = engine.open()
  try {
    const own = {
      bus: createMemoryBus(systemClock),
      clock: systemClock,
      passwords: createPasswordHasher(),
      reserve: NO_RESERVE,
      slices: createEventLoopSlices(),
    }
    return await work(composeUseCases(settings, secretOf(settings), { unitOfWork: store, ...own }).users)
  } finally {
    await store.close()
  }
}

if (import.meta.main) {
  const commands = createCommands<Settings>({
    readSettings: (flags) => readSettings(process.env, flags, isTerminal()),
    serve,
    migrate,
    pendingChanges,
    withUsers,
    rotateSecret: ({ DATA_DIR }) => rotateSecret(DATA_DIR),
    copy,
    applyCollections,
    exportCollections,
    declareTypes,
    // Loaded when it is needed, because a server works on archives in another thread.
    backup: async (...args) => (await import('./main/backup-commands.ts')).backup(...args),
    verifyBackup: async (...args) => (await import('./main/backup-commands.ts')).verify(...args),
    restore: async (...args) => (await import('./main/backup-commands.ts')).restore(...args),
    printBackupKey: async () => (await import('./main/backup-commands.ts')).printKey(),
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
