import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { SQL } from 'bun'
import { processorTime, processorTimeOfFamily } from '../../tests/support/resources.ts'
import { postgresUrlIn, redisUrlIn, runServices, servicesCommand } from '../../tests/support/services-script.ts'
import type { Context } from './case.ts'
import { atExit } from './cleanup.ts'
import { type Core, pinned } from './cores.ts'
import { SECRET } from './crowd.ts'
import { migrate } from './skep.ts'

/** Connections of each process to Postgres: as many as Skep takes unless told otherwise. */
export const POOL_CONNECTIONS_COUNT = 10

export interface Services extends AsyncDisposable {
  /** Settings of a Skep that uses both. */
  readonly env: Readonly<Record<string, string>>
  readonly databaseUrl: string
  /** Another database on the same server, with the same tables. */
  createDatabase(name: string): Promise<string>
  /** Seconds of processor time. */
  processorTime(): { readonly postgres: number; readonly redis: number }
}

const DEBIAN = '/usr/lib/postgresql'

/** Where Debian keeps the programs of the newest version, when they are not on the PATH. */
const findPostgres = (): string | null => {
  const found = Bun.which('pg_ctl')
  if (found !== null || !existsSync(DEBIAN)) return found
  const paths = [...new Bun.Glob('*/bin/pg_ctl').scanSync({ cwd: DEBIAN, absolute: true })]
  return paths.toSorted(new Intl.Collator('en', { numeric: true }).compare).at(-1) ?? null
}

const PROGRAMS = [
  { name: 'Postgres', path: findPostgres() },
  { name: 'Redis', path: Bun.which('redis-server') },
]

/** What has to be installed before services can be started; null when nothing has. */
export const missingServices = (): string | null => {
  const missing = PROGRAMS.filter(({ path }) => path === null).map(({ name }) => name)
  return missing.length === 0 ? null : `needs ${missing.join(' and ')}`
}

/** Of those that are installed. */
export const serviceVersions = (): Readonly<Record<string, string>> =>
  Object.fromEntries(
    PROGRAMS.flatMap(({ name, path }) => {
      if (path === null) return []
      const printed = Bun.spawnSync([path, '--version'], { stderr: 'ignore' }).stdout.toString()
      return [[name.toLowerCase(), /\d+\.[\d.]*\d/.exec(printed)?.[0] ?? 'unknown']]
    }),
  )

const pidIn = (file: string): number => Number(readFileSync(file, 'utf8').split('\n')[0])

/** Postgres as it is installed, so that each commit waits for the disk; Redis keeps nothing there. */
const startBoth = async (folder: string, core: Core) => {
  const stop = atExit(() => void Bun.spawnSync([...servicesCommand('stop', folder)]))
  const printed = await runServices(pinned(servicesCommand('start', folder), core))
  return {
    stop,
    postgres: { url: postgresUrlIn(printed), pid: pidIn(join(folder, 'postgres/data/postmaster.pid')) },
    redis: { url: redisUrlIn(printed), pid: pidIn(join(folder, 'redis/pid')) },
  }
}

/** A Postgres and a Redis of one's own, on free ports and with folders of their own, limited to `core`. */
export const startServices = async ({ form, folder }: Context, core: Core): Promise<Services> => {
  const { postgres, redis, stop } = await startBoth(folder(), core)
  const env = { ...SECRET, DATABASE_POOL_SIZE: String(POOL_CONNECTIONS_COUNT), REDIS_URL: redis.url }
  const migrated = async (url: string): Promise<void> =>
    migrate(form, { folder: folder(), env: { ...env, DATABASE_URL: url } })
  await migrated(postgres.url)
  return {
    env: { ...env, DATABASE_URL: postgres.url },
    databaseUrl: postgres.url,
    async createDatabase(name) {
      await using sql = new SQL(postgres.url, { max: 1 })
      await sql`CREATE DATABASE ${sql(name)}`
      const url = new URL(postgres.url)
      url.pathname = `/${name}`
      await migrated(url.href)
      return url.href
    },
    processorTime: () => ({ postgres: processorTimeOfFamily(postgres.pid), redis: processorTime(redis.pid) }),
    async [Symbol.asyncDispose]() {
      stop()
    },
  }
}
