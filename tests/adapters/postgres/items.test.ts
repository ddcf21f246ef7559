import { describe, expect, test } from 'bun:test'
import { openPostgresStore } from '../../../src/adapters/postgres/unit-of-work.ts'
import { ITEMS } from '../../../src/domain/collections/items.ts'
import { newRecord } from '../../../src/domain/record.ts'
import { missing, outsideOfPostgres, testDatabase } from '../../support/postgres.ts'
import { until } from '../../support/until.ts'

describe.skipIf(missing)('with SKEP_TEST_POSTGRES_URL', () => {
  test('items written by an older release are indexed in the background', async () => {
    const url = await testDatabase()
    const store = openPostgresStore({ url, size: 2, indexEveryMs: 10 })
    const item = await store.write((tx) => tx.records('items').insert(newRecord(ITEMS, { title: 'before' }, 1, 1)))
    await outsideOfPostgres(url, `UPDATE items SET title = 'Ёлка', version = version + 1 WHERE id = ${item.id}`)
    const sort = { field: 'created_at', descending: true } as const
    const query = { size: 20, sort, from: { page: 1 }, ownerId: 1, createdAfter: null, createdBefore: null } as const
    const found = (text: string) => store.read((tx) => tx.records('items').list({ ...query, text }))
    await until(async () => (await found('ёл')).total !== 0)
    expect(await found('before')).toMatchObject({ total: 0 })
    await store.close()
  })
})
