import { expect, test } from 'bun:test'
import { createPostgresTarget } from '../../../src/adapters/postgres/transfer.ts'
import { openTestStore, userNamed } from '../../support/store.ts'
import { COLUMNS, columnsByTable } from '../../support/tables.ts'

test('the copy covers every column of every table of the embedded database, except what Postgres finds out itself', () => {
  const { outside } = openTestStore()
  const rows = outside<{ table: string; column: string }>(
    `SELECT tables.name AS "table", columns.name AS "column" FROM sqlite_schema tables, pragma_table_info(tables.name) columns
     WHERE tables.type = 'table' AND tables.name NOT LIKE 'sqlite_%' AND tables.name NOT LIKE '%\\_words%' ESCAPE '\\'
       AND tables.name NOT LIKE '%\\_unindexed' ESCAPE '\\' AND tables.name NOT IN ('migrations', 'record_counts', 'collection_changes')`,
  )
  expect(columnsByTable(rows)).toEqual(COLUMNS)
})

test('the embedded database never stores a lone surrogate, which Postgres could not store', async () => {
  const { store } = openTestStore()
  const user = await store.write((tx) => tx.users.insert({ ...userNamed('ann'), name: 'a\ud800b' }))
  expect((await store.read((tx) => tx.users.findById(user.id)))?.name).toBe('a\ufffdb')
})

test.each([
  ['a\0b', 'items 3: title holds a NUL character, which Postgres cannot keep'],
  ['a\udc00', 'items 3: title holds half a surrogate pair, which Postgres cannot keep'],
  [2 ** 53, 'items 3: title is a number that is not exact, which Postgres cannot keep'],
  ['\\u0000 😀', null],
])('of a title %j Postgres says %j', (title, said) => {
  expect(createPostgresTarget('postgres://nobody@127.0.0.1:1/x').findUnsupportedValue('items', { id: 3, title })).toBe(
    said,
  )
})
