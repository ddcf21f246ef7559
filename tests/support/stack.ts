import { join } from 'node:path'
import { openPostgresStore } from '../../src/adapters/postgres/unit-of-work.ts'
import { openWriter } from '../../src/adapters/sqlite/database.ts'
import { openSqliteStore } from '../../src/adapters/sqlite/unit-of-work.ts'
import type { Store } from '../../src/application/ports/persistence.ts'

const { SKEP_TEST_S3_URL = '', AWS_ACCESS_KEY_ID = '', AWS_SECRET_ACCESS_KEY = '' } = process.env

/** Whether there is an S3 server to test with: `scripts/test-s3.sh` starts one. */
export const HAS_S3 = SKEP_TEST_S3_URL !== ''

/** Settings for the place `name` in the bucket of the tests, through `endpoint` if it is given. */
export const s3Settings = (name: string, endpoint?: string): Record<string, string> => {
  const url = new URL(SKEP_TEST_S3_URL)
  url.pathname = `/${name}`
  if (endpoint !== undefined) url.searchParams.set('endpoint', endpoint)
  return { FILES_URL: url.href, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY }
}

type Environment = Readonly<Record<string, string>>

/** `SKEP_TEST_STACK=shared` runs the same tests on services that several processes could share. */
export const isShared = process.env.SKEP_TEST_STACK === 'shared'

// Not for programs that bun test does not run: it hands its databases to the test runner.
const postgres = isShared ? await import('./postgres.ts') : null

/** Environment of a test of the embedded engine itself, which stays on it whatever the stack is. */
export const embeddedOnly = { SKEP_TEST_EMBEDDED: 'yes' } as const

interface Installation {
  readonly databaseUrl: string
  readonly environment: Environment
}

/** By DATA_DIR: whoever starts on the same folder again finds the same services. */
const installations = new Map<string, Promise<Installation>>()

const install = async (dataDir: string): Promise<Installation> => {
  const databaseUrl = (await postgres?.testDatabase()) ?? ''
  const secret = crypto.randomUUID() + crypto.randomUUID()
  const REDIS_URL = process.env.SKEP_TEST_REDIS_URL ?? ''
  const files = HAS_S3 ? s3Settings(Bun.hash(dataDir).toString(36)) : {}
  return { databaseUrl, environment: { DATABASE_URL: databaseUrl, REDIS_URL, JWT_SECRET: secret, ...files } }
}

/** What the stack adds to the environment of the installation in `dataDir`; nothing to one that brings its own. */
export const stackOf = async (dataDir: string, given: Environment = {}): Promise<Environment> => {
  if (!isShared || given.DATABASE_URL !== undefined || 'SKEP_TEST_EMBEDDED' in given) return {}
  const installation = installations.get(dataDir) ?? install(dataDir)
  installations.set(dataDir, installation)
  return (await installation).environment
}

/** The database of an installation, opened beside its server. */
export const openStoreOf = async (dataDir: string): Promise<Store> => {
  const installation = await installations.get(dataDir)
  if (installation === undefined) return openSqliteStore({ path: join(dataDir, 'skep.db') })
  return openPostgresStore({ url: installation.databaseUrl, size: 2 })
}

/** Every row of every table of an installation's database, as a newcomer sees them. */
export const outsideOf = async (dataDir: string): Promise<Record<string, unknown[]>> => {
  const installation = await installations.get(dataDir)
  if (installation !== undefined && postgres !== null) {
    const ask = <Row>(statement: string) => postgres.outsideOfPostgres<Row>(installation.databaseUrl, statement)
    const tables = await ask<{ name: string }>("SELECT tablename AS name FROM pg_tables WHERE schemaname = 'public'")
    const rows = tables.map(async ({ name }) => [name, await ask(`SELECT * FROM "${name}"`)] as const)
    return Object.fromEntries(await Promise.all(rows))
  }
  const { database } = openWriter(join(dataDir, 'skep.db'))
  try {
    const tables = database.query<{ name: string }, []>("SELECT name FROM sqlite_schema WHERE type = 'table'").all()
    return Object.fromEntries(
      tables.map(({ name }) => [name, database.query<object, []>(`SELECT * FROM "${name}"`).all()]),
    )
  } finally {
    database.close()
  }
}
