import { checksum, type Migration, MigrationError } from '../sql/migrations.ts'
import accounts from './migrations/0001_accounts.sql' with { type: 'text' }
import jobsAndMail from './migrations/0002_jobs_and_mail.sql' with { type: 'text' }
import items from './migrations/0003_items.sql' with { type: 'text' }
import files from './migrations/0004_files.sql' with { type: 'text' }
import events from './migrations/0005_events.sql' with { type: 'text' }
import eventsInOrder from './migrations/0006_events_in_order.sql' with { type: 'text' }
import usage from './migrations/0007_usage.sql' with { type: 'text' }
import words from './migrations/0008_words.sql' with { type: 'text' }
import epochs from './migrations/0009_epochs.sql' with { type: 'text' }
import signInSources from './migrations/0010_sign_in_sources.sql' with { type: 'text' }
import linksMailAndReplays from './migrations/0011_links_mail_and_replays.sql' with { type: 'text' }
import { createPool } from './pool.ts'
import type { ServerConnection } from './server-connection.ts'

/**
 * In the order they are applied. An applied one never changes: its checksum is recorded. A new one leaves the database
 * usable by the program before it, since servers of both run side by side during an upgrade.
 */
export const MIGRATIONS: readonly Migration[] = [
  { name: '0001_accounts', sql: accounts },
  { name: '0002_jobs_and_mail', sql: jobsAndMail },
  { name: '0003_items', sql: items },
  { name: '0004_files', sql: files },
  { name: '0005_events', sql: events },
  { name: '0006_events_in_order', sql: eventsInOrder },
  { name: '0007_usage', sql: usage },
  { name: '0008_words', sql: words },
  { name: '0009_epochs', sql: epochs },
  { name: '0010_sign_in_sources', sql: signInSources },
  { name: '0011_links_mail_and_replays', sql: linksMailAndReplays },
]

/** One for all that migrate this database; the number is arbitrary. */
const LOCK = 0x5ce9

const pendingOn = async (
  connection: ServerConnection,
  migrations: readonly Migration[],
): Promise<readonly Migration[]> => {
  const [table] = await connection.send<{ known: boolean }>("SELECT to_regclass('migrations') IS NOT NULL AS known", [])
  if (table?.known !== true) return migrations
  const rows = await connection.send<{ name: string; checksum: string }>('SELECT name, checksum FROM migrations', [])
  const history = new Map(rows.map((row) => [row.name, row.checksum]))
  for (const { name, sql } of migrations) {
    const sum = history.get(name)
    if (sum !== undefined && sum !== checksum(sql)) {
      throw new MigrationError(`migration ${name} is not the one this database was made with`)
    }
  }
  return migrations.filter(({ name }) => !history.has(name))
}

/** Applies the next pending migration in a transaction of its own and answers its name; null when there is none. */
const applyNext = async (connection: ServerConnection, migrations: readonly Migration[]): Promise<string | null> => {
  await connection.send('BEGIN', [])
  try {
    // Two processes that start at once take turns, and look again when their turn has come.
    await connection.send(`SELECT pg_advisory_xact_lock(${LOCK})`, [])
    await connection.send(
      'CREATE TABLE IF NOT EXISTS migrations (name text PRIMARY KEY, checksum text NOT NULL, applied_at timestamptz NOT NULL)',
      [],
    )
    const [next] = await pendingOn(connection, migrations)
    if (next !== undefined) {
      await connection.send(next.sql, [])
      await connection.send('INSERT INTO migrations VALUES ($1, $2, now())', [next.name, checksum(next.sql)])
    }
    await connection.send('COMMIT', [])
    return next?.name ?? null
  } catch (error) {
    await connection.send('ROLLBACK', []).catch(() => connection.close())
    throw error
  }
}

const withConnection = async <T>(url: string, work: (connection: ServerConnection) => Promise<T>): Promise<T> => {
  const pool = createPool({ url, size: 1, connectionTimeoutMs: 10_000 })
  try {
    return await pool.exclusively(work)
  } catch (error) {
    const { host, pathname } = new URL(url)
    const reason = error instanceof Error ? error.message : String(error)
    throw error instanceof MigrationError ? error : new Error(`${host}${pathname}: ${reason}`, { cause: error })
  } finally {
    await pool.close(0)
  }
}

/**
 * The migrations this database still needs. One that the program does not know is no fault: a newer program has run.
 * @throws {MigrationError} when it has one that was changed since.
 */
export const pendingMigrations = (url: string, migrations = MIGRATIONS): Promise<readonly Migration[]> =>
  withConnection(url, (connection) => pendingOn(connection, migrations))

/** Brings the database up to date, one transaction a migration, and returns the names of what was applied. */
export const migrate = (url: string, migrations = MIGRATIONS): Promise<readonly string[]> =>
  withConnection(url, async (connection) => {
    const applied: string[] = []
    if ((await pendingOn(connection, migrations)).length === 0) return applied
    for (
      let name = await applyNext(connection, migrations);
      name !== null;
      name = await applyNext(connection, migrations)
    ) {
      applied.push(name)
    }
    return applied
  })
