import { describe, expect, test } from 'bun:test'
import { openPostgresStore } from '../../../src/adapters/postgres/unit-of-work.ts'
import type { StoredCollection } from '../../../src/application/ports/collections.ts'
import type { Store } from '../../../src/application/ports/persistence.ts'
import type { RecordQuery } from '../../../src/application/ports/records.ts'
import type { Collection } from '../../../src/domain/collection.ts'
import type { NewRecord } from '../../../src/domain/record.ts'
import { missing } from '../../support/postgres.ts'
import { openTestPostgres } from '../../support/postgres-store.ts'
import { until } from '../../support/until.ts'

const NOTES: Collection = {
  name: 'notes',
  singular: 'note',
  description: '',
  fields: {
    title: { type: 'string', maxLength: 50 },
    text: { type: ['string', 'null'] },
    about: { type: ['integer', 'null'], 'x-ref': 'notes' },
  },
  required: ['title'],
  sorts: [],
  search: ['title'],
  indexes: [{ fields: ['title'], unique: true }],
  owner: 'keep',
}

const noteOf = (title: string, more: object = {}): NewRecord => ({
  ...{ title, text: null, about: null, ownerId: 1, version: 1, createdAt: 5, updatedAt: 5 },
  ...more,
})

const search = async (store: Store, notes: StoredCollection, query: Partial<RecordQuery>) => {
  const sort = { field: 'created_at', descending: true }
  const every = { ownerId: null, text: null, createdAfter: null, createdBefore: null, size: 10, sort }
  const { items } = await store.read((tx) => tx.records(notes).list({ ...every, from: { page: 1 }, ...query }))
  return items.map(({ title }) => title)
}

describe.skipIf(missing)('with SKEP_TEST_POSTGRES_URL, records of collections defined at run time', () => {
  const open = async () => {
    const { store, outside, url } = await openTestPostgres()
    const notes = await store.write((tx) => tx.collections.insert(NOTES, 1))
    const insert = (record: NewRecord) => store.write((tx) => tx.records(notes).insert(record))
    return { store, outside, url, notes, insert }
  }
  const bytesOf = (store: Store, userId: number) => store.read((tx) => tx.usage.bytesOf(userId))

  test('that are released are found without their owner, whose storage is free again', async () => {
    const { store, notes, insert } = await open()
    const first = await insert(noteOf('first'))
    await insert(noteOf('second'))
    await insert(noteOf('of another', { ownerId: 2 }))
    const released = await store.write((tx) => tx.records(notes).releaseOwned(1, 10, 9))
    expect(released.find(({ id }) => id === first.id)).toMatchObject({ ownerId: null, version: 2, updatedAt: 9 })
    expect(await search(store, notes, { text: 'first' })).toEqual(['first'])
    expect(await search(store, notes, { text: 'first', ownerId: 1 })).toEqual([])
    expect(await bytesOf(store, 1)).toBe(0)
    expect(await bytesOf(store, 2)).toBeGreaterThan(0)
    await store.write((tx) => tx.records(notes).update({ ...first, ...released[0], title: 'renamed', version: 3 }))
    expect(await search(store, notes, { text: 'renamed' })).toEqual(['renamed'])
  })

  test('that are prepared have the pending form as soon as it is activated, and a changed one is not prepared', async () => {
    const { store, outside, notes, insert } = await open()
    const first = await insert(noteOf('first', { text: 'hidden' }))
    const second = await insert(noteOf('second'))
    const transform = [{ op: 'move', from: '/text', path: '/body' }]
    const fields = { title: { type: 'string', maxLength: 50 }, body: { type: ['string', 'null'] } } as const
    const collection: Collection = { ...NOTES, fields, search: ['body'] }
    const pending = await store.write((tx) => tx.collections.prepare(notes, { collection, transform }))
    const formOf = (record: typeof first) => ({ title: record.title ?? null, body: record.text ?? null })
    await store.write((tx) => tx.records(pending).prepare(first, formOf(first)))
    const changed = { ...second, title: 'changed', version: 2 }
    await store.write((tx) => tx.records(pending).update(changed, formOf(changed)))
    await store.write((tx) => tx.records(pending).prepare(second, formOf(second)))
    expect(await store.read((tx) => tx.records(pending).findById(first.id))).toEqual(first)

    const after = await store.write((tx) => tx.collections.activate(pending, 9))
    expect(await store.read((tx) => tx.records(after).findById(first.id))).toMatchObject({
      title: 'first',
      body: 'hidden',
    })
    expect(await store.read((tx) => tx.records(after).findById(second.id))).toMatchObject({ title: 'changed' })
    expect(await search(store, after, { text: 'hidden' })).toEqual(['first'])
    const sort = { field: 'title', descending: false }
    expect(await search(store, after, { sort })).toEqual(['changed', 'first'])
    await expect(store.write((tx) => tx.records(after).insert(noteOf('first')))).rejects.toMatchObject({
      code: 'not_unique',
    })
    while (await store.write((tx) => tx.collections.cleanUp(10)));
    const ids = await outside<{ id: string }>('SELECT DISTINCT index_id::text AS id FROM record_keys ORDER BY 1')
    expect(ids.map(({ id }) => Number(id))).toEqual(after.indexes.map(({ id }) => id))
  })

  test('of a deleted collection are removed piece by piece, with their index entries and what they count', async () => {
    const { store, outside, notes, insert } = await open()
    for (let n = 0; n < 5; n++) await insert(noteOf(`${n}`))
    await store.write((tx) => tx.collections.delete(notes))
    let steps = 0
    while (await store.write((tx) => tx.collections.cleanUp(2))) steps++
    expect(steps).toBeGreaterThan(5)
    const left = await outside(
      `SELECT id FROM records UNION ALL SELECT index_id FROM record_keys UNION ALL SELECT id FROM record_indexes
       UNION ALL SELECT id FROM collections`,
    )
    expect(left).toEqual([])
    expect(await bytesOf(store, 1)).toBe(0)
  })

  test('are counted towards the quota of their owner, with their index entries', async () => {
    const { store, outside, notes, insert } = await open()
    const first = await insert(noteOf('first', { text: 'x'.repeat(1_000) }))
    await store.write((tx) => tx.records(notes).update({ ...first, text: 'y', title: 'longer', version: 2 }))
    await insert(noteOf('second'))
    const [row] = await outside<{ bytes: string }>('SELECT sum(bytes)::text AS bytes FROM records')
    expect(await bytesOf(store, 1)).toBe(Number(row?.bytes))
    await store.write((tx) => tx.records(notes).delete(first.id))
    await store.write((tx) => tx.records(notes).deleteOwned(1, 10))
    expect(await bytesOf(store, 1)).toBe(0)
    expect(await outside('SELECT FROM record_keys')).toEqual([])
  })

  test('are read in chunks of limited size, to the end', async () => {
    const { store, notes, insert } = await open()
    for (let n = 0; n < 5; n++) await insert(noteOf(`${n}`, { text: 'x'.repeat(1_000) }))
    const chunk = (after: number, maxCount: number, maxBytes: number) =>
      store.read((tx) => tx.records(notes).chunk({ after, maxCount, maxBytes }))
    expect(await chunk(0, 10, 1_500)).toMatchObject({ records: [{ title: '0' }, { title: '1' }], complete: false })
    expect(await chunk(2, 2, 100_000)).toMatchObject({ records: [{ title: '2' }, { title: '3' }], complete: false })
    expect(await chunk(4, 10, 100_000)).toMatchObject({ records: [{ title: '4' }], complete: true })
  })

  test('that reference a record are found by it, one that changes meanwhile in its new state', async () => {
    const { store, outside, notes, insert } = await open()
    const target = await insert(noteOf('target'))
    const referencing = await insert(noteOf('referencing', { about: target.id }))
    const other = await insert(noteOf('other', { about: target.id }))
    const [begun, end] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
    const changing = store.write(async (tx) => {
      const found = await tx.records(notes).findById(referencing.id)
      if (found === null) throw new Error('the record does not exist')
      await tx.records(notes).update({ ...found, about: null, version: 2 })
      begun.resolve()
      await end.promise
    })
    await begun.promise
    const found = store.write((tx) => tx.records(notes).referencing('about', target.id, 10))
    const waiting = `SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`
    await until(async () => (await outside(waiting)).length > 0)
    end.resolve()
    await changing
    expect((await found).map(({ id }) => id)).toEqual([other.id])
  })

  test('whose words are missing, as after a change by another release, are indexed in the background', async () => {
    const { outside, url, notes, insert } = await open()
    await insert(noteOf('first'))
    await outside('UPDATE records SET words = NULL, words_version = NULL')
    const store = openPostgresStore({ url, size: 2, indexEveryMs: 10 })
    try {
      await until(async () => (await search(store, notes, { text: 'first' })).length > 0)
      expect(await search(store, notes, { text: 'first', ownerId: 1 })).toEqual(['first'])
    } finally {
      await store.close(0)
    }
  })
})
