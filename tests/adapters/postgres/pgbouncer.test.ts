import { afterAll, describe, expect, test } from 'bun:test'
import { chmodSync, existsSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { migrate } from '../../../src/adapters/postgres/migrate.ts'
import { eventLogContract } from '../../contracts/events.ts'
import { itemSearchContract } from '../../contracts/item-search.ts'
import { itemsContract } from '../../contracts/items.ts'
import { jobQueueContract } from '../../contracts/jobs.ts'
import { unitOfWorkContract } from '../../contracts/unit-of-work.ts'
import { missing, testDatabase } from '../../support/postgres.ts'
import { openTestPostgres } from '../../support/postgres-store.ts'
import { temporaryFolder } from '../../support/skep.ts'
import { userNamed } from '../../support/store.ts'

const PROGRAM = Bun.which('pgbouncer') ?? '/usr/sbin/pgbouncer'
const absent = missing || !existsSync(PROGRAM)
if (!missing && absent) console.warn('There is no pgbouncer: its tests are skipped.')

const freePort = async (): Promise<number> => {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  await new Promise((resolve) => server.close(resolve))
  return typeof address === 'object' && address !== null ? address.port : 0
}

/** Starts it, and answers how to get to a database by way of it. */
const startPgbouncer = async (): Promise<(url: string) => string> => {
  const { hostname, port, username, password } = new URL(process.env.SKEP_TEST_POSTGRES_URL ?? '')
  const folder = temporaryFolder()
  const listening = await freePort()
  const login = `user=${username}${password === '' ? '' : ` password=${decodeURIComponent(password)}`}`
  // Fewer connections than its clients have: each transaction may meet another one.
  const settings = `[databases]
* = host=${hostname} port=${port || 5432} ${login}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = ${listening}
auth_type = any
pool_mode = transaction
default_pool_size = 3
unix_socket_dir =
`
  const file = join(folder, 'pgbouncer.ini')
  writeFileSync(file, settings)
  chmodSync(folder, 0o755)
  const asOther = process.getuid?.() === 0 ? ['-u', 'nobody'] : []
  const child = Bun.spawn([PROGRAM, ...asOther, file], { stdin: 'ignore', stdout: 'ignore', stderr: 'pipe' })
  afterAll(async () => {
    child.kill()
    await child.exited
    rmSync(folder, { recursive: true, force: true })
  })
  const log = child.stderr.pipeThrough(new TextDecoderStream())
  let said = ''
  for await (const text of log) {
    said += text
    if (text.includes('process up')) break
  }
  if (!said.includes('process up')) throw new Error(said)
  return (url) => {
    const reached = new URL(url)
    reached.port = String(listening)
    reached.searchParams.set('prepare', 'false')
    return reached.href
  }
}

const through = absent ? (url: string) => url : await startPgbouncer()

describe.skipIf(absent)('with SKEP_TEST_POSTGRES_URL and pgbouncer', () => {
  const open = () => openTestPostgres(5, through)

  itemsContract('postgres behind pgbouncer', async () => (await open()).store)
  itemSearchContract('postgres behind pgbouncer', async () => (await open()).store)

  unitOfWorkContract('postgres behind pgbouncer', async () => {
    const { store, outside } = await open()
    await outside(`
      CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no'; END $$;
      CREATE CONSTRAINT TRIGGER spoilt AFTER INSERT ON users DEFERRABLE INITIALLY DEFERRED
        FOR EACH ROW WHEN (NEW.name = 'spoilt') EXECUTE FUNCTION refuse()`)
    return {
      unitOfWork: store,
      committed: async () =>
        (await outside<{ email: string }>('SELECT email FROM users ORDER BY email')).map(({ email }) => email),
      spoilCommit: async (tx) => void (await tx.users.insert(userNamed('spoilt'))),
    }
  })

  jobQueueContract('postgres behind pgbouncer', async () => {
    const { store: one, open: another } = await open()
    return { one, other: another() }
  })

  eventLogContract('postgres behind pgbouncer', async () => {
    const { store: one, open: another } = await open()
    return { one, other: another() }
  })

  test('migrates through it', async () => {
    const url = through(await testDatabase('empty'))
    expect((await Promise.all([migrate(url), migrate(url)])).flat()).not.toEqual([])
    expect(await migrate(url)).toEqual([])
  })
})
