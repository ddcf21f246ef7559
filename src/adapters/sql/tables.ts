import type { Kind } from './kinds.ts'
import { RECORD_TABLES } from './record-table.ts'

export interface Table {
  /** By name, in the order in which rows are compared. */
  readonly columns: Readonly<Record<string, Kind>>
  /** The primary key, which orders rows in the same way on every engine. */
  readonly key: readonly string[]
}

const RECORDS: Readonly<Record<string, Table>> = Object.fromEntries(
  RECORD_TABLES.map(({ name, columns }) => [name, { columns, key: ['id'] }]),
)

/**
 * The tables of every engine, ordered so that rows come after the rows they refer to; without an engine's own index
 * data.
 */
export const TABLES: Readonly<Record<string, Table>> = {
  users: {
    columns: {
      id: 'integer',
      email: 'text',
      name: 'text',
      role: 'text',
      is_active: 'boolean',
      email_verified: 'boolean',
      password_hash: 'text',
      created_at: 'integer',
      updated_at: 'integer',
    },
    key: ['id'],
  },
  sessions: {
    columns: {
      id: 'integer',
      user_id: 'integer',
      device: 'text',
      address: 'text',
      created_at: 'integer',
      last_used_at: 'integer',
      expires_at: 'integer',
    },
    key: ['id'],
  },
  refresh_tokens: {
    columns: { hash: 'bytes', session_id: 'integer', created_at: 'integer', spent_at: 'integer' },
    key: ['hash'],
  },
  sign_in_sources: {
    columns: { user_id: 'integer', source: 'text', used_at: 'integer' },
    key: ['user_id', 'source'],
  },
  mail_tokens: {
    columns: {
      user_id: 'integer',
      purpose: 'text',
      email: 'text',
      nonce: 'text',
      hash: 'bytes',
      expires_at: 'integer',
    },
    key: ['user_id', 'purpose'],
  },
  mail_limits: {
    columns: { recipient: 'text', kind: 'text', times: 'text', newest_at: 'integer' },
    key: ['recipient', 'kind'],
  },
  jobs: {
    columns: {
      id: 'integer',
      kind: 'text',
      payload: 'text',
      state: 'text',
      attempts: 'integer',
      run_at: 'integer',
      lease_until: 'integer',
      unique_key: 'text',
      last_error: 'text',
      created_at: 'integer',
      updated_at: 'integer',
    },
    key: ['id'],
  },
  idempotency: {
    columns: {
      user_id: 'integer',
      route: 'text',
      key: 'text',
      fingerprint: 'bytes',
      answer: 'text',
      created_at: 'integer',
      role: 'text',
    },
    key: ['user_id', 'route', 'key'],
  },
  ...RECORDS,
  files: {
    columns: {
      id: 'integer',
      owner_id: 'integer',
      filename: 'text',
      content_type: 'text',
      size: 'integer',
      sha256: 'text',
      blob_key: 'text',
      created_at: 'integer',
    },
    key: ['id'],
  },
  file_links: {
    columns: {
      id: 'integer',
      file_id: 'integer',
      expires_at: 'integer',
      created_at: 'integer',
      maker_id: 'integer',
      owner_id: 'integer',
    },
    key: ['id'],
  },
  events: {
    columns: {
      cursor: 'integer',
      event: 'text',
      kind: 'text',
      subject_id: 'integer',
      owner_id: 'integer',
      data: 'text',
      actor_id: 'integer',
      request_id: 'text',
      created_at: 'integer',
    },
    key: ['cursor'],
  },
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
