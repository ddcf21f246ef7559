import { join } from 'node:path'
import { openPostgresStore } from '../../src/adapters/postgres/unit-of-work.ts'
import { openWriter } from '../../src/adapters/sqlite/database.ts'
import { openSqliteStore } from '../../src/adapters/sqlite/unit-of-work.ts'
import type { Store } from '../../src/application/ports/persistence.ts'
import { outsideOfPostgres, testDatabase } from './postgres.ts'

type Environment = Readonly<Record<string, string>>

/** `SKEP_TEST_STACK=shared` runs the same tests on services that several processes could share. */
const isShared = process.env.SKEP_TEST_STACK === 'shared'

/** Environment of a test of the embedded engine itself, which stays on it whatever the stack is. */
export const embeddedOnly = { SKEP_TEST_EMBEDDED: 'yes' } as const

interface Installation {
  readonly databaseUrl: string
  readonly environment: Environment
}

/** By DATA_DIR: whoever starts on the same folder again finds the same services. */
const installations = new Map<string, Promise<Installation>>()

const install = async (): Promise<Installation> => {
  const databaseUrl = await testDatabase()
  const secret = crypto.randomUUID() + crypto.randomUUID()
  const REDIS_URL = process.env.SKEP_TEST_REDIS_URL ?? ''
  return { databaseUrl, environment: { DATABASE_URL: databaseUrl, REDIS_URL, JWT_SECRET: secret } }
}

/** What the stack adds to the environment of the installation in `dataDir`; nothing to one that brings its own. */
export const stackOf = async (dataDir: string, given: Environment = {}): Promise<Environment> => {
  if (!isShared || given.DATABASE_URL !== undefined || 'SKEP_TEST_EMBEDDED' in given) return {}
  const installation = installations.get(dataDir) ?? install()
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
  if (installation !== undefined) {
    const ask = <Row>(statement: string) => outsideOfPostgres<Row>(installation.databaseUrl, statement)
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
