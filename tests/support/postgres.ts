import { SQL } from 'bun'
import { MIGRATIONS, migrate } from '../../src/adapters/postgres/migrate.ts'
import { RECORD_TABLES } from '../../src/adapters/sql/record-table.ts'

/** Where the server for tests is, empty when there is none. */
export const SERVER = process.env.SKEP_TEST_POSTGRES_URL ?? ''

/** Whether no server is given to test with. */
export const missing = !SERVER
if (missing) console.warn('SKEP_TEST_POSTGRES_URL names no Postgres server: its tests are skipped.')

/** The same server, and another database on it. */
const urlOf = (database: string): string => {
  const url = new URL(SERVER)
  url.pathname = `/${database}`
  return url.href
}

const TEMPLATE = `skep_template_${new Bun.CryptoHasher('sha256')
  .update(JSON.stringify([MIGRATIONS, RECORD_TABLES]))
  .digest('hex')
  .slice(0, 16)}`

/** Runs statements on the server itself. */
const onServer = async <T>(work: (sql: SQL) => Promise<T>): Promise<T> => {
  await using sql = new SQL(SERVER, { max: 1 })
  return await work(sql)
}

const nameOf = () => `skep_test_${process.pid}_${crypto.randomUUID().slice(0, 8)}`

/** Made once for all test runs with these migrations, by whoever comes first. */
const makeTemplate = () =>
  onServer(async (sql) => {
    await sql`SELECT pg_advisory_lock(20301)`
    const [known] = await sql`SELECT FROM pg_database WHERE datname = ${TEMPLATE}`
    if (known !== undefined) return
    const draft = nameOf()
    await sql.unsafe(`CREATE DATABASE ${draft}`)
    await migrate(urlOf(draft))
    await sql.unsafe(`ALTER DATABASE ${draft} RENAME TO ${TEMPLATE}`)
  })

let template: Promise<void> | null = null

export interface TestDatabase extends AsyncDisposable {
  readonly url: string
}

/** A database of one's own, migrated unless it is to be empty; gone when it is disposed of. */
export const createDatabase = async (kind: 'migrated' | 'empty' = 'migrated'): Promise<TestDatabase> => {
  template ??= makeTemplate()
  await template
  const name = nameOf()
  const from = kind === 'migrated' ? TEMPLATE : 'template1'
  await onServer((sql) => sql.unsafe(`CREATE DATABASE ${name} TEMPLATE ${from}`))
  return {
    url: urlOf(name),
    async [Symbol.asyncDispose]() {
      await onServer((sql) => sql.unsafe(`DROP DATABASE IF EXISTS ${name} WITH (FORCE)`))
    },
  }
}

const made: TestDatabase[] = []

/** Removes what {@link testDatabase} has made: when a file is done, because a hook where it is made may be over sooner. */
export const dropTestDatabases = () => Promise.all(made.splice(0).map((database) => database[Symbol.asyncDispose]()))

/** A database that is gone when the tests of this file are done. */
export const testDatabase = async (kind: 'migrated' | 'empty' = 'migrated'): Promise<string> => {
  const database = await createDatabase(kind)
  made.push(database)
  return database.url
}

/** Runs one statement as a newcomer with a connection of their own would. */
export const outsideOfPostgres = async <Row>(url: string, statement: string): Promise<Row[]> => {
  await using sql = new SQL(url, { max: 1 })
  return await sql.unsafe(statement)
}
