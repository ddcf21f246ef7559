import { describe, expect, test } from 'bun:test'
import { SQL } from 'bun'
import { entryStatementsOf } from '../../../src/adapters/postgres/record-entries.ts'
import { afterKeys, keyOf } from '../../../src/adapters/sql/record-keys.ts'
import type { Order } from '../../../src/adapters/sql/record-source.ts'
import { missing, testDatabase } from '../../support/postgres.ts'

const RECORDS = { name: 'records', collectionId: 1, sorts: ['id', 'created_at', 'updated_at'], isText: () => false }
const ALWAYS = { after: null, createdAfter: null, createdBefore: null }
const COUNT = 20_000
const INDEX_ID = 1
const prefix = { key: keyOf([]), fieldsCount: 0 }

const ORDERS: Readonly<Record<string, { readonly order: Order; readonly limit: number }>> = {
  'all entries of an index': {
    order: { kind: 'range', indexId: INDEX_ID, low: keyOf([]), high: afterKeys([]), prefix },
    limit: 1_000,
  },
  'the entries with one key': { order: { kind: 'point', indexId: INDEX_ID, key: keyOf([1]) }, limit: 1_000 },
  'records by creation': { order: { kind: 'column', column: 'created_at' }, limit: 1_000 },
  'records by change': { order: { kind: 'column', column: 'updated_at' }, limit: 1_000 },
  'records by id': { order: { kind: 'column', column: 'id' }, limit: 100 },
  'records of an owner by creation': { order: { kind: 'column', column: 'created_at', ownerId: 7 }, limit: 1_000 },
  'records of an owner by change': { order: { kind: 'column', column: 'updated_at', ownerId: 7 }, limit: 1_000 },
}

interface Plan {
  readonly 'Node Type': string
  readonly Plans?: readonly Plan[]
}

/** What reads the entries of one order. */
const scanOf = (plan: Plan): string | undefined => {
  const [child] = plan.Plans ?? []
  if (plan['Node Type'] === 'Limit') return child?.['Node Type']
  return (plan.Plans ?? []).map(scanOf).find((node) => node !== undefined)
}

const FILL = [
  'ALTER TABLE records SET (autovacuum_enabled = off)',
  'ALTER TABLE record_keys SET (autovacuum_enabled = off)',
  `INSERT INTO records (id, collection_id, owner_id, version, epoch, created_at, updated_at, data, shape, bytes)
   SELECT n, 1, 7, 1, '', n, n, '{}', 1, 1 FROM generate_series(1, ${COUNT}) AS n`,
]

describe.skipIf(missing)('with SKEP_TEST_POSTGRES_URL, entries are read in the order of an index', () => {
  const fill = async (): Promise<SQL> => {
    const sql = new SQL(await testDatabase(), { max: 1 })
    for (const statement of FILL) await sql.unsafe(statement)
    await sql.unsafe(
      `INSERT INTO record_keys SELECT ${INDEX_ID}, CASE n % 2 WHEN 0 THEN $1::bytea ELSE $2::bytea END, n, n, false
       FROM generate_series(1, ${COUNT}) AS n`,
      [keyOf([1]), keyOf([2])],
    )
    return sql
  }

  const scans = async (sql: SQL): Promise<Readonly<Record<string, string | undefined>>> => {
    const found: Record<string, string | undefined> = {}
    for (const [name, { order, limit }] of Object.entries(ORDERS)) {
      for (const descending of [false, true]) {
        const [statement] = entryStatementsOf(RECORDS, [order], { ...ALWAYS, descending }, limit)
        if (statement === undefined) throw new Error('there is no statement')
        const rows: readonly { readonly 'QUERY PLAN': readonly { readonly Plan: Plan }[] }[] = await sql.unsafe(
          `EXPLAIN (FORMAT JSON) ${statement.sql}`,
          [...statement.values],
        )
        const [{ Plan: plan } = { Plan: { 'Node Type': '' } }] = rows[0]?.['QUERY PLAN'] ?? []
        found[`${name}${descending ? ', last first' : ''}`] = scanOf(plan)
      }
    }
    return found
  }

  const areIndexScans = (found: Readonly<Record<string, string | undefined>>) =>
    expect(Object.entries(found).filter(([, node]) => !/^Index (Only )?Scan$/.test(node ?? ''))).toEqual([])

  test('before a table was ever analyzed, and after that', async () => {
    await using sql = await fill()
    areIndexScans(await scans(sql))
    await sql.unsafe('ANALYZE records, record_keys')
    areIndexScans(await scans(sql))
    await sql.unsafe('VACUUM records, record_keys')
    areIndexScans(await scans(sql))
  })
})
