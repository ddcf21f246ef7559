import { describe, expect, test } from 'bun:test'
import { createPostgresTarget } from '../../../src/adapters/postgres/transfer.ts'
import { TABLES } from '../../../src/adapters/sql/tables.ts'
import { missing, outsideOfPostgres, testDatabase } from '../../support/postgres.ts'
import { openTestStore, userNamed } from '../../support/store.ts'

const named = Object.fromEntries(
  Object.entries(TABLES).map(([name, { columns }]) => [name, Object.keys(columns).sort()]),
)

const grouped = (rows: readonly { readonly table: string; readonly column: string }[]) => {
  const found: Record<string, string[]> = {}
  for (const { table, column } of rows) found[table] = [...(found[table] ?? []), column].sort()
  return found
}

test('what is copied is every column of every table of the embedded database', () => {
  const { outside } = openTestStore()
  const rows = outside<{ table: string; column: string }>(
    `SELECT tables.name AS "table", columns.name AS "column" FROM sqlite_schema tables, pragma_table_info(tables.name) columns
     WHERE tables.type = 'table' AND tables.name NOT LIKE 'sqlite_%' AND tables.name NOT LIKE 'items_words%'
       AND tables.name <> 'items_unindexed'
       AND tables.name <> 'migrations'`,
  )
  expect(grouped(rows)).toEqual(named)
})

describe.skipIf(missing)('with SKEP_TEST_POSTGRES_URL', () => {
  test('Postgres has these, and besides only the words of items, the ids of events and where their places end', async () => {
    const rows = await outsideOfPostgres<{ table: string; column: string }>(
      await testDatabase(),
      `SELECT table_name AS "table", column_name AS "column" FROM information_schema.columns
       WHERE table_schema = 'public' AND table_name NOT IN ('migrations', 'events_end')`,
    )
    const { items = [], events = [], ...others } = named
    const cursors = events.map((column) => (column === 'cursor' ? 'position' : column))
    expect(grouped(rows)).toEqual({
      ...others,
      items: [...items, 'words', 'words_version'].sort(),
      events: [...cursors, 'id'].sort(),
    })
  })
})

test('the embedded database never holds half a surrogate pair, which Postgres could not keep', async () => {
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
  expect(createPostgresTarget('postgres://nobody@127.0.0.1:1/x').misfit('items', { id: 3, title })).toBe(said)
})
