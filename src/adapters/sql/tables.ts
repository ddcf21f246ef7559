import {
  audit,
  backups,
  collections,
  deletions,
  events,
  fileLinks,
  files,
  idempotency,
  jobs,
  mailLimits,
  mailTokens,
  recordIndexes,
  recordKeys,
  records,
  refreshTokens,
  sessions,
  signInSources,
  users,
} from './entities.ts'
import type { Table } from './entity.ts'
import { RECORD_TABLES } from './record-table.ts'

const byName = (tables: readonly (Table & { readonly name: string })[]): Readonly<Record<string, Table>> =>
  Object.fromEntries(tables.map((table) => [table.name, table]))

/**
 * The tables of every engine, ordered so that rows come after the rows they refer to; without an engine's own index
 * data.
 */
export const TABLES: Readonly<Record<string, Table>> = {
  ...byName([users, sessions, refreshTokens, signInSources, mailTokens, mailLimits, jobs, idempotency]),
  ...byName(RECORD_TABLES),
  ...byName([collections, recordIndexes, records, recordKeys, deletions]),
  ...byName([files, fileLinks, events, audit, backups]),
  epochs: {
    columns: { id: 'integer', first_cursor: 'integer', nonce: 'text', origin: 'text' },
    key: ['id'],
  },
  usage: {
    columns: { user_id: 'integer', bytes: 'integer' },
    key: ['user_id'],
  },
}

export const tableNamed = (name: string): Table => {
  const table = TABLES[name]
  if (table === undefined) throw new Error(`there is no table ${name}`)
  return table
}

/** Tables that assign ascending ids. */
export const COUNTING_TABLES = Object.entries(TABLES)
  .filter(([, { key }]) => key.length === 1 && ['id', 'cursor'].includes(key[0] ?? ''))
  .map(([name]) => name)
