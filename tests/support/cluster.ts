import { afterAll } from 'bun:test'
import { Glob, SQL } from 'bun'
import { migrate } from '../../src/adapters/postgres/migrate.ts'
import { type Answer, type Call, callAt, type Fields } from './call.ts'
import type { Random } from './load/random.ts'
import { type Letter, type MailSink, openMailSink } from './mail-sink.ts'
import { type Exit, run, type Server, serve } from './process.ts'
import { needsRedisServer, type RedisServer, redisServer } from './redis.ts'
import { startPostgres } from './services.ts'
import { temporaryFolder } from './skep.ts'
import { HAS_S3, s3Settings } from './stack.ts'
import { until } from './until.ts'

const hasPostgres =
  Bun.which('pg_ctl') !== null ||
  !new Glob('/usr/lib/postgresql/*/bin/pg_ctl').scanSync({ onlyFiles: false }).next().done
const missing = [...(hasPostgres ? [] : ['Postgres']), ...(needsRedisServer === '' ? [] : ['redis-server'])]

/** Put into the name of what is skipped, so that it says why. */
export const needsCluster = missing.length === 0 ? '' : ` (SKIPPED: needs ${missing.join(' and ')})`

/** Where the files of a cluster are, in words. */
export const FILES = HAS_S3 ? 'S3' : 'a shared folder'

/** Where one process runs, again and again. */
export interface Place {
  readonly name: string
  /** Takes the mails that this process sends. */
  readonly mail: MailSink
  /** Null while it does not run. */
  server: Server | null
}

export interface Cluster {
  readonly places: readonly Place[]
  readonly postgres: { readonly url: string; restart(): Promise<unknown> }
  readonly redis: RedisServer
  /** Every mail that was sent through any of the processes. */
  letters(): readonly Letter[]
  /** Those that run. */
  running(): readonly Server[]
  /** Sends to a random process, and to another when that one took no connection. */
  balanced<T>(send: (url: string) => Promise<T>): Promise<T>
  /** One balanced request. */
  call<T = Fields>(method: string, path: string, options?: Call): Promise<Answer<T>>
  start(place: Place): Promise<Server>
  /** SIGKILL. Resolves once the database has nothing more of it, either. */
  kill(place: Place): Promise<void>
  /** SIGTERM. Resolves once it has ended. */
  stop(place: Place): Promise<Exit>
  /** Starts others on the same services with settings of their own; the caller disposes of them. */
  startOthers(env: Readonly<Record<string, string>>): Promise<readonly Server[]>
  createAdmin(email: string, password: string): Promise<void>
}

const isRefused = (error: unknown): boolean =>
  error instanceof Error && 'code' in error && error.code === 'ECONNREFUSED'

const namedUrl = (text: string, name: string): string => {
  const url = new URL(text)
  url.searchParams.set('application_name', name)
  return url.href
}

/** Three processes on a Postgres and a Redis of their own. To be called outside tests. */
export const startCluster = async ({ pick }: Pick<Random, 'pick'>): Promise<Cluster> => {
  const places: Place[] = []
  // Registered first, so that nobody is connected when the services go.
  afterAll(async () => {
    for (const { server } of places) await server?.[Symbol.asyncDispose]()
    for (const { mail } of places) await mail.close()
  })
  const redis = await redisServer()
  const [postgres] = await Promise.all([startPostgres(), redis.start()])
  await migrate(postgres.url)
  const common = {
    REDIS_URL: redis.url,
    JWT_SECRET: crypto.randomUUID() + crypto.randomUUID(),
    SHUTDOWN_TIMEOUT: '10s',
    LOG_LEVEL: 'warn',
    LOG_FORMAT: 'json',
    ...(HAS_S3 ? s3Settings(crypto.randomUUID()) : { FILES_URL: `file:${temporaryFolder()}` }),
  }
  const homes = new Map<string, string>()
  const optionsOf = (name: string) => {
    const cwd = homes.get(name) ?? temporaryFolder()
    homes.set(name, cwd)
    return { cwd, env: { ...common, DATABASE_URL: namedUrl(postgres.url, name) } }
  }

  const running = () => places.flatMap(({ server }) => (server === null ? [] : [server]))
  const balanced = async <T>(send: (url: string) => Promise<T>): Promise<T> => {
    for (;;) {
      try {
        return await send(pick(running()).url)
      } catch (error) {
        if (!isRefused(error)) throw error
      }
    }
  }
  const start = async (place: Place): Promise<Server> => {
    const { cwd, env } = optionsOf(place.name)
    const server = await serve({ cwd, env: { ...env, SMTP_URL: place.mail.url } })
    place.server = server
    return server
  }
  const end = async (place: Place, signal: 'SIGKILL' | 'SIGTERM'): Promise<Exit> => {
    const { server } = place
    if (server === null) throw new Error(`${place.name} does not run`)
    place.server = null
    server.signal(signal)
    return await server.exit()
  }

  for (const name of ['A', 'B', 'C']) places.push({ name, mail: await openMailSink(), server: null })
  await Promise.all(places.map(start))
  return {
    places,
    postgres,
    redis,
    letters: () => places.flatMap(({ mail }) => mail.letters),
    running,
    balanced,
    call: (method, path, options) => balanced((url) => callAt(url, method, path, options)),
    start,
    async kill(place) {
      await end(place, 'SIGKILL')
      await using sql = new SQL(postgres.url, { max: 1 })
      await until(async () => {
        const left = await sql`SELECT FROM pg_stat_activity WHERE application_name = ${place.name}`
        return left.count === 0
      })
    },
    stop: (place) => end(place, 'SIGTERM'),
    startOthers: (env) =>
      Promise.all(
        places.map(({ name, mail }) => {
          const options = optionsOf(`${name}, limited`)
          return serve({ ...options, env: { ...options.env, SMTP_URL: mail.url, ...env } })
        }),
      ),
    async createAdmin(email, password) {
      const made = await run(['admin', 'create', email, '--password-stdin'], {
        ...optionsOf('admin'),
        stdin: `${password}\n`,
      })
      if (made.code !== 0) throw new Error(`admin create: ${made.stderr}`)
    },
  }
}
