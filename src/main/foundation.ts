import { availableParallelism } from 'node:os'
import pkg from '../../package.json' with { type: 'json' }
import { systemClock } from '../adapters/bun/clock.ts'
import type { Closers } from '../adapters/bun/closers.ts'
import { createEventLoopSlices } from '../adapters/bun/event-loop-slices.ts'
import { createOpaqueTokens } from '../adapters/bun/opaque-tokens.ts'
import { createPasswordHasher } from '../adapters/bun/password-hasher.ts'
import { compileExpression } from '../adapters/cel/compile.ts'
import { isEmbedded, type Settings, type ShownSetting } from '../adapters/env/settings.ts'
import { exposedPaths, keptSecret, type PreviousSecret, previousSecret } from '../adapters/fs/data-dir.ts'
import { NO_RESERVE } from '../adapters/fs/reserve.ts'
import { applyPatch } from '../adapters/json-patch/patch.ts'
import { compilePattern } from '../adapters/json-schema/patterns.ts'
import { compileValidator } from '../adapters/json-schema/validator.ts'
import { createAccessTokens, type PreviousKey } from '../adapters/jwt/access-tokens.ts'
import { createMetrics } from '../adapters/prometheus/metrics.ts'
import type { NamedSamples, ThreadSamples } from '../adapters/prometheus/samples.ts'
import type { WritersLock } from '../adapters/sqlite/writers-lock.ts'
import type { ThreadBus } from '../adapters/threads/hub.ts'
import type { SocketDurations, Sockets } from '../adapters/ws/sockets.ts'
import { createCatalog } from '../application/catalog.ts'
import { type Collections, createCollections } from '../application/collections.ts'
import type { Engine } from '../application/ports/engine.ts'
import type { Bus, CommitSignal, Mailer } from '../application/ports/messaging.ts'
import type { UnitOfWork } from '../application/ports/persistence.ts'
import type { PasswordHasher } from '../application/ports/security.ts'
import type { Clock, EventLoopSlices, Log, Reserve } from '../application/ports/system.ts'
import { createUseCases } from '../application/use-cases.ts'
import { type AuditDetails, auditEntry, SERVER_ORIGIN } from '../domain/audit.ts'
import { COLLECTIONS } from '../domain/collections/index.ts'
import { archivesAt, engineOf, openBlobs, openBus, openReserve, quotaOf } from './choices.ts'
import { applyFolder } from './definition-folder.ts'

export interface StartOptions {
  readonly settings: Settings
  /** The same as they are shown to admins, without secrets. */
  readonly shownSettings?: readonly ShownSetting[]
  readonly log: Log
  readonly clock?: Clock
  readonly passwords?: PasswordHasher
  readonly mailer?: Mailer
  readonly socketDurations?: Partial<SocketDurations>
  /** Milliseconds after which a socket that reads nothing of a replay is closed. */
  readonly stallTimeoutMs?: number
  /** Seconds after which an idle connection is closed. */
  readonly idleTimeoutSeconds?: number
  /** Replaces the free space of the disks. */
  readonly reserve?: Reserve
  /** For failure tests of several threads: called with a function that ends a thread that serves, by its number. */
  readonly onThreads?: (kill: (thread: number) => void) => void
}

export interface Secrets {
  readonly secret: string
  readonly previous: PreviousSecret | null
}

/** The part of one thread in a process that serves with several. */
export interface ThreadPart {
  readonly lock: WritersLock
  /** `ownSamples` reads what this thread has counted. */
  readonly openBus: (ownSamples: () => Promise<ThreadSamples>) => ThreadBus
  /** Of a thread that serves: the main thread has prepared the database, and has read the secrets. */
  readonly secrets?: Secrets
}

export const secretOf = (settings: Settings): string => settings.JWT_SECRET ?? keptSecret(settings.DATA_DIR)

/** Signatures of the previous secret are valid until its tokens have expired. */
const previousKeyOf = ({ ACCESS_TOKEN_TTL }: Settings, previous: PreviousSecret | null): PreviousKey | null =>
  previous && { secret: previous.secret, verifiesUntil: previous.retiredAt + ACCESS_TOKEN_TTL }

interface UseCasePorts {
  readonly unitOfWork: UnitOfWork
  readonly bus: Bus
  readonly clock: Clock
  readonly passwords: PasswordHasher
  readonly reserve: Reserve
  readonly slices: EventLoopSlices
}

const compilers = { compilePattern, compileExpression, compileValidator, applyPatch }

/** The definitions of collections, for commands. */
export const composeCollections = (unitOfWork: UnitOfWork, clock: Clock): Collections =>
  createCollections({
    catalog: createCatalog({ collections: COLLECTIONS, ...compilers }),
    unitOfWork,
    clock,
    slices: createEventLoopSlices(),
    ...compilers,
    // Definitions in files have no transform, which alone could make a record larger.
    maxRecordBytes: Number.MAX_SAFE_INTEGER,
    managed: false,
  })

/** The use cases that need only the database and the bus. */
export const composeUseCases = (
  settings: Settings,
  secret: string,
  ports: UseCasePorts,
  previous: PreviousSecret | null = null,
) =>
  createUseCases({
    ...ports,
    collections: COLLECTIONS,
    ...compilers,
    maxRecordBytes: settings.MAX_RECORD_SIZE,
    managed: settings.COLLECTIONS_DIR !== undefined,
    accessTokens: createAccessTokens(secret, ports.clock, previousKeyOf(settings, previous)),
    opaqueTokens: createOpaqueTokens(secret),
    signup: settings.SIGNUP,
    attemptRate: settings.RATE_LIMIT_AUTH,
    accessTtlMs: settings.ACCESS_TOKEN_TTL,
    refreshTtlMs: settings.REFRESH_TOKEN_TTL,
  })

/** Parts that start later: those that react to commits, and the sockets that metrics count. */
interface Listeners {
  jobs?: () => void
  events?: () => void
  sockets?: Sockets
}

const NO_SOCKETS = { open: 0, signedIn: 0, subscriptions: 0 }

/**
 * Makes an embedded database have the definitions of COLLECTIONS_DIR. Another one, which other processes may use, has to
 * have them: throws if it does not, because its rules would not be those of the files. Throws with a line for each problem.
 */
const ensureDefinitions = async ({ COLLECTIONS_DIR, DATABASE_URL }: Settings, collections: Collections, log: Log) => {
  if (COLLECTIONS_DIR === undefined) return
  const check = !isEmbedded(DATABASE_URL)
  const applied = await applyFolder(collections, { folder: COLLECTIONS_DIR, check, prune: false })
  if ('problems' in applied) {
    throw new Error(`the definitions in COLLECTIONS_DIR cannot be used:\n${applied.problems.join('\n')}`)
  }
  const { changes } = applied
  if (changes.length === 0) return
  if (check) {
    const difference = changes.join(', ').toLowerCase()
    throw new Error(`the database differs from COLLECTIONS_DIR (migrating ${difference}): run skep migrate`)
  }
  log.info('applied definitions', { changes })
}

/** How much of a setting is in the audit log. */
const MAX_SETTING_LENGTH = 500

/** Adds the settings that are not the default ones, without secrets, to the audit log. */
const noteStart = (store: UnitOfWork, shown: readonly ShownSetting[], clock: Clock): Promise<void> => {
  const given = shown.filter(({ source }) => source !== 'default')
  const settings = given.map(({ name, value }) => [name, value === null ? null : value.slice(0, MAX_SETTING_LENGTH)])
  const details: AuditDetails = { version: pkg.version, ...Object.fromEntries(settings) }
  const entry = auditEntry(SERVER_ORIGIN, 'settings.loaded', { details, now: clock.now() })
  return store.write((tx) => tx.audit.append(entry))
}

/** Locks and migrates the database, and reads the secrets. */
const prepare = async (engine: Engine, settings: Settings, log: Log, clock: Clock, closers: Closers) => {
  closers.add(engine.lock())
  const migrations = await engine.ensureMigrated()
  if (migrations.length > 0) log.info('migrated', { migrations })

  const secret = secretOf(settings)
  for (const { path, mode } of exposedPaths(settings.DATA_DIR)) {
    log.warn('other users on this machine can access the data folder: restrict its mode with chmod', { path, mode })
  }
  const previous = settings.JWT_SECRET === undefined ? previousSecret(settings.DATA_DIR, clock.now()) : null
  return { secret, previous }
}

/** Threads share the cores, and each hash in progress takes 19 MiB. */
const passwordsOf = ({ WORKERS }: Settings): PasswordHasher =>
  WORKERS === 1
    ? createPasswordHasher()
    : createPasswordHasher({ concurrency: Math.max(1, Math.floor(availableParallelism() / WORKERS)) })

/** Calls the listeners of this thread after a commit, and publishes it to the others. */
const connectSignals = (bus: Bus, listeners: Listeners) => {
  const notify = (signal: CommitSignal) => listeners[signal]?.()
  bus.commitSignals.subscribe(notify)
  return (signal: CommitSignal) => {
    notify(signal)
    bus.commitSignals.publish(signal)
  }
}

/**
 * Opens the database, the bus and the file storage, in that order, and registers each with `closers`. `part` is given if
 * several threads serve.
 */
export const openFoundation = async (options: StartOptions, closers: Closers, part?: ThreadPart) => {
  const { settings, log, clock = systemClock, passwords = passwordsOf(settings) } = options
  const engine = engineOf(settings, part?.lock)
  const { secret, previous } = part?.secrets ?? (await prepare(engine, settings, log, clock, closers))
  const threadBus = part?.openBus(() => metrics.collect())
  const bus = threadBus ?? (await openBus(settings, secret, clock, log))
  closers.add(bus.close)
  const listeners: Listeners = {}
  const committed = connectSignals(bus, listeners)
  const metrics = createMetrics({
    version: pkg.version,
    log,
    sockets: () => listeners.sockets?.counts() ?? NO_SOCKETS,
    jobs: () => store.read((tx) => tx.jobs.countByState(100_000)),
    storage: async () => ({ ...(await store.measure()), disk: watched?.fullest() ?? null }),
    // Threads of one process run the same code.
    ...(threadBus && { addOthers: async (own: ThreadSamples) => (await threadBus.totals(own)) as NamedSamples }),
  })
  closers.add(metrics.stop)
  const store = engine.open({
    ...quotaOf(settings),
    metrics,
    onJobs: () => committed('jobs'),
    onEvents: () => committed('events'),
  })
  closers.add(store.close)
  const isPrepared = part?.secrets !== undefined
  if (!isPrepared) await store.beginEpoch()
  const blobs = await openBlobs(settings, log)
  const archives = archivesAt(settings, log)
  const watched = options.reserve === undefined ? await openReserve(settings, log) : null
  closers.add(() => watched?.stop())
  const reserve = options.reserve ?? watched ?? NO_RESERVE
  const slices = createEventLoopSlices()
  const ports = { unitOfWork: store, bus, clock, passwords, reserve, slices }
  const useCases = composeUseCases(settings, secret, ports, previous)
  if (!isPrepared) {
    await useCases.collections.abandonUnfinished({ isAlone: isEmbedded(settings.DATABASE_URL) })
    await noteStart(store, options.shownSettings ?? [], clock)
    await ensureDefinitions(settings, useCases.collections, log)
  }
  const resources = { bus, metrics, store, blobs, archives, reserve }
  return { settings, log, clock, slices, secret, previous, listeners, ...resources, useCases }
}

export type Foundation = Awaited<ReturnType<typeof openFoundation>>
