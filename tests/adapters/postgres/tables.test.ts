import { describe, expect, test } from 'bun:test'
import { missing, outsideOfPostgres, testDatabase } from '../../support/postgres.ts'
import { COLUMNS, columnsByTable } from '../../support/tables.ts'

describe.skipIf(missing)('with SKEP_TEST_POSTGRES_URL', () => {
  test('Postgres has these, and otherwise only the words of items, the ids of events and of their items, and the end of positions', async () => {
    const rows = await outsideOfPostgres<{ table: string; column: string }>(
      await testDatabase(),
      `SELECT table_name AS "table", column_name AS "column" FROM information_schema.columns
       WHERE table_schema = 'public' AND table_name NOT IN ('migrations', 'events_end')`,
    )
    const { items = [], events = [], ...others } = COLUMNS
    const cursors = events.map((column) => (column === 'cursor' ? 'position' : column))
    expect(columnsByTable(rows)).toEqual({
      ...others,
      items: [...items, 'words', 'words_version'].sort(),
      events: [...cursors, 'id', 'item_id'].sort(),
    })
  })
})
