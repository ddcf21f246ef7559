import type { Database } from 'bun:sqlite'
import { checksum, type Migration, MigrationError } from '../sql/migrations.ts'
import { type Dialect, partsAfter } from '../sql/record-schema.ts'
import { PREFIX_CODE_POINTS } from '../sql/terms.ts'
import { BUSY_TIMEOUT_MS } from './database.ts'
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
import eventsOfAnyKind from './migrations/0012_events_of_any_kind.sql' with { type: 'text' }
import collections from './migrations/0013_collections.sql' with { type: 'text' }
import eventsBefore from './migrations/0014_events_before.sql' with { type: 'text' }
import deletions from './migrations/0015_deletions.sql' with { type: 'text' }
import eventsSession from './migrations/0019_events_session.sql' with { type: 'text' }
import audit from './migrations/0020_audit.sql' with { type: 'text' }
import backups from './migrations/0021_backups.sql' with { type: 'text' }
import textPages from './migrations/0022_text_pages.sql' with { type: 'text' }

/** In the order they are applied. An applied one never changes: its checksum is recorded. */
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
  { name: '0012_events_of_any_kind', sql: eventsOfAnyKind },
  { name: '0013_collections', sql: collections },
  { name: '0014_events_before', sql: eventsBefore },
  { name: '0015_deletions', sql: deletions },
  { name: '0019_events_session', sql: eventsSession },
  { name: '0020_audit', sql: audit },
  { name: '0021_backups', sql: backups },
  { name: '0022_text_pages', sql: textPages },
]

/** How long a migration waits for the lock of another process. */
const MIGRATION_LOCK_TIMEOUT_MS = 10_000

const DIALECT: Dialect = {
  types: { integer: 'INTEGER', number: 'REAL', text: 'TEXT', boolean: 'INTEGER', bytes: 'BLOB' },
  defaults: { integer: '0', number: '0', text: "''", boolean: '0', bytes: "x''" },
  id: 'INTEGER PRIMARY KEY AUTOINCREMENT',
  end: ' STRICT',
  // The same columns as in migration 0008.
  words: (table) => ({
    columns: {},
    others: {
      [`${table}_words`]: `CREATE VIRTUAL TABLE ${table}_words USING fts5 (
        words,
        content = '', contentless_delete = 1, detail = none, prefix = '${PREFIX_CODE_POINTS.join(' ')}', tokenize = "ascii tokenchars '@'"
      )`,
      [`${table}_unindexed`]: `CREATE TABLE ${table}_unindexed (id INTEGER PRIMARY KEY) STRICT`,
    },
  }),
}

const partsIn = (database: Database): ReadonlySet<string> => {
  const rows = database
    .query<{ name: string }, []>(
      `SELECT name FROM sqlite_schema
       UNION ALL
       SELECT tables.name || '.' || columns.name
       FROM sqlite_schema AS tables, pragma_table_info(tables.name) AS columns WHERE tables.type = 'table'`,
    )
    .all()
  return new Set(rows.map(({ name }) => name))
}

const applied = (database: Database): ReadonlyMap<string, string> => {
  const known = database.query("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'migrations'").get()
  if (known === null) return new Map()
  const rows = database.query<{ name: string; checksum: string }, []>('SELECT name, checksum FROM migrations').all()
  return new Map(rows.map((row) => [row.name, row.checksum]))
}

/** Whether nothing was ever stored in it. */
export const isNew = (database: Database): boolean => applied(database).size === 0

const pendingNumbered = (database: Database, migrations: readonly Migration[]): readonly Migration[] => {
  const history = applied(database)
  const known = new Map(migrations.map((migration) => [migration.name, checksum(migration.sql)]))
  for (const [name, sum] of history) {
    const expected = known.get(name)
    if (expected === undefined) throw new MigrationError(`the database is newer than this program: it has ${name}`)
    if (expected !== sum) throw new MigrationError(`migration ${name} is not the one this database was made with`)
  }
  return migrations.filter((migration) => !history.has(migration.name))
}

/** The parts that the tables of collections will lack after the `pending` migrations. */
const pendingParts = (
  database: Database,
  migrations: readonly Migration[],
  pending: readonly Migration[],
): readonly Migration[] => (migrations === MIGRATIONS ? partsAfter(pending, partsIn(database), DIALECT) : [])

/**
 * The pending migrations, and the parts that the tables of collections lack.
 * @throws {MigrationError} if it has one that this program does not know, or one that has changed since.
 */
export const pendingMigrations = (database: Database, migrations = MIGRATIONS): readonly Migration[] => {
  const pending = pendingNumbered(database, migrations)
  return [...pending, ...pendingParts(database, migrations, pending)]
}

/** Brings the database up to date in one transaction and returns the names of what was applied. */
export const migrate = (database: Database, migrations = MIGRATIONS): readonly string[] => {
  if (pendingMigrations(database, migrations).length === 0) return []
  database.run(`PRAGMA busy_timeout = ${MIGRATION_LOCK_TIMEOUT_MS}`)
  database.run('BEGIN IMMEDIATE')
  try {
    // Checked again under the lock, because another process may have been faster.
    const pending = pendingNumbered(database, migrations)
    database.run(
      'CREATE TABLE IF NOT EXISTS migrations (name TEXT PRIMARY KEY, checksum TEXT NOT NULL, applied_at TEXT NOT NULL) STRICT',
    )
    for (const { name, sql } of pending) {
      database.run(sql)
      database.run("INSERT INTO migrations VALUES (?, ?, strftime('%Y-%m-%dT%H:%M:%fZ'))", [name, checksum(sql)])
    }
    const parts = pendingParts(database, migrations, [])
    for (const { sql } of parts) database.run(sql)
    database.run('COMMIT')
    return [...pending, ...parts].map(({ name }) => name)
  } catch (error) {
    if (database.inTransaction) database.run('ROLLBACK')
    throw error
  } finally {
    database.run(`PRAGMA busy_timeout = ${BUSY_TIMEOUT_MS}`)
  }
}
