import { describe, expect, test } from 'bun:test'
import type { Store } from '../../../src/application/ports/persistence.ts'
import type { JsonObject } from '../../../src/domain/merge-patch.ts'
import type { Caller } from '../../../src/domain/session.ts'
import { codeOf, collectionsOn } from '../../support/collections.ts'
import { copyToPostgres } from '../../support/copy-to-postgres.ts'
import { missing } from '../../support/postgres.ts'
import { openTestPostgres } from '../../support/postgres-store.ts'
import { openTestStore } from '../../support/store.ts'

type Opened = ReturnType<typeof collectionsOn>

/** A definition whose only field has this name; it is indexed, unique and searched. */
const notes = (field: string) => ({
  name: 'notes',
  schema: { type: 'object', required: [field], properties: { [field]: { type: 'string', maxLength: 50 } } },
  indexes: [{ fields: [field], unique: true }],
  search: [field],
  rules: { read: 'true' },
})

const rename = (from: string, to: string) => [{ op: 'move', from: `/${from}`, path: `/${to}` }]

const TEXTS = ['red rose', 'white lily', 'red tulip', 'blue iris'] as const

const seenBy = async (
  { records, admin, store }: Pick<Opened, 'records' | 'store'> & { admin: Caller },
  field: string,
) => {
  const list = async (text: string | null, filter: string | null = null) => {
    const sort = { field, descending: false }
    const query = { ownerId: null, text, createdAfter: null, createdBefore: null, size: 100, sort, from: { page: 1 } }
    const { page } = await records.list(admin, 'notes', query, { filter })
    return { total: page.total, items: page.items.map((item) => ({ [field]: item[field], version: item.version })) }
  }
  return {
    all: await list(null),
    searched: await list('red'),
    filtered: await list(null, `${field} == "white lily"`),
    definition: (await store.read((tx) => tx.collections.find('notes')))?.collection,
  }
}

const cleanUp = async (store: Store): Promise<void> => {
  while (await store.write((tx) => tx.collections.cleanUp(100)));
}

/** An embedded installation, after `live`, and its copy. */
const copied = async (live: (opened: Opened) => Promise<unknown>) => {
  const { store: embedded, path } = openTestStore()
  const opened = collectionsOn(embedded)
  await opened.define(notes('text'))
  const admin = await opened.anAdmin()
  for (const text of TEXTS) await opened.create(admin, 'notes', { text })
  await live(opened)
  return {
    opened: { ...opened, admin },
    async finish() {
      await embedded.close()
      const { store, url } = await openTestPostgres()
      await copyToPostgres(path, url)
      const there = collectionsOn(store)
      const define = (definition: JsonObject, transform?: readonly JsonObject[]) =>
        there.collections.put(admin, 'notes', definition, { expected: null, ...(transform && { transform }) })
      return { ...there, admin, define }
    },
  }
}

describe.skipIf(missing)('an installation that is copied, with SKEP_TEST_POSTGRES_URL,', () => {
  test('right after a transform has its records in the new form, and goes on from there', async () => {
    const { opened, finish } = await copied(({ define }) => define(notes('label'), rename('text', 'label')))
    const before = await seenBy(opened, 'label')
    expect(before.all).toMatchObject({ total: 4, items: [...TEXTS].sort().map((label) => ({ label, version: 1 })) })
    expect([before.searched.total, before.filtered.total]).toEqual([2, 1])
    const there = await finish()
    expect(await seenBy(there, 'label')).toEqual(before)
    await cleanUp(there.store)
    expect(await seenBy(there, 'label')).toEqual(before)

    const { admin } = there
    expect(await codeOf(there.create(admin, 'notes', { label: 'blue iris' }))).toBe('not_unique')
    const { id } = await there.create(admin, 'notes', { label: 'red poppy' })
    await there.records.update(admin, 'notes', id, { label: 'white poppy' }, { expected: null })
    await there.define(notes('title'), rename('label', 'title'))
    await cleanUp(there.store)
    const after = await seenBy(there, 'title')
    expect([after.all.total, after.searched.total, after.filtered.total]).toEqual([5, 2, 1])
    await there.records.remove(admin, 'notes', id, null)
    expect((await seenBy(there, 'title')).all.total).toBe(4)
  })

  test('while a transform is prepared has its records in the old form, and may transform them again', async () => {
    const { opened, finish } = await copied(({ store, catalog }) =>
      store.write(async (tx) => {
        const stored = await tx.collections.findForChange('notes')
        const compiled = await catalog.named(tx, 'notes')
        if (stored === null || compiled === null) throw new Error('there is no such collection')
        const { collection } = stored
        const { text } = collection.fields
        if (text === undefined) throw new Error('there is no such field')
        const pending = await tx.collections.prepare(stored, {
          collection: { ...collection, fields: { label: text }, required: ['label'], search: ['label'], indexes: [] },
          transform: rename('text', 'label'),
        })
        const [record] = (await tx.records(stored).chunk({ after: 0, maxCount: 1, maxBytes: 10_000 })).records
        if (record !== undefined) await tx.records(pending).prepare(record, { label: 'red rose' })
      }),
    )
    const before = await seenBy(opened, 'text')
    const there = await finish()
    expect(await seenBy(there, 'text')).toEqual(before)
    await there.collections.abandonUnfinished({ isAlone: true })
    expect(await seenBy(there, 'text')).toEqual(before)
    await there.define(notes('title'), rename('text', 'title'))
    await cleanUp(there.store)
    const after = await seenBy(there, 'title')
    expect([after.all.total, after.searched.total, after.filtered.total]).toEqual([4, 2, 1])
  })

  test('right after a collection was deleted has a new one of its name without any of its records', async () => {
    const { opened, finish } = await copied(async ({ collections, anAdmin, define, create }) => {
      await collections.remove(await anAdmin(), 'notes', { expected: null, records: 4 })
      await define(notes('text'))
      await create(await anAdmin(), 'notes', { text: 'red rose' })
    })
    const before = await seenBy(opened, 'text')
    expect([before.all.total, before.searched.total]).toEqual([1, 1])
    const there = await finish()
    expect(await seenBy(there, 'text')).toEqual(before)
    await cleanUp(there.store)
    expect(await seenBy(there, 'text')).toEqual(before)
    const { admin } = there
    expect(await codeOf(there.create(admin, 'notes', { text: 'red rose' }))).toBe('not_unique')
    expect((await there.create(admin, 'notes', { text: 'white lily' })).version).toBe(1)
  })
})
