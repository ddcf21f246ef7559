import { describe, expect, test } from 'bun:test'
import type { Collection } from '../../../src/domain/collection.ts'
import { COLLECTIONS } from '../../../src/domain/collections/index.ts'
import { missing, outsideOfPostgres, testDatabase } from '../../support/postgres.ts'
import { COLUMNS, columnsByTable } from '../../support/tables.ts'

const nameOf = ({ name }: Collection) => name

describe.skipIf(missing)('with SKEP_TEST_POSTGRES_URL', () => {
  test('Postgres has these, and otherwise only the words of records, the ids of events and of their items, and the end of positions', async () => {
    const rows = await outsideOfPostgres<{ table: string; column: string }>(
      await testDatabase(),
      `SELECT table_name AS "table", column_name AS "column" FROM information_schema.columns
       WHERE table_schema = 'public' AND table_name NOT IN ('migrations', 'events_end')`,
    )
    const { events = [], ...others } = COLUMNS
    const searched = ['records', ...COLLECTIONS.filter(({ search }: Collection) => search.length > 0).map(nameOf)].map(
      (name) => [name, [...(COLUMNS[name] ?? []), 'words', 'words_version'].sort()] as const,
    )
    const cursors = events.map((column) => (column === 'cursor' ? 'position' : column))
    expect(columnsByTable(rows)).toEqual({
      ...others,
      ...Object.fromEntries(searched),
      events: [...cursors, 'id', 'item_id'].sort(),
    })
  })
})
