import { describe, expect, test } from 'bun:test'
import type { StoredCollection } from '../../../src/application/ports/collections.ts'
import type { Store } from '../../../src/application/ports/persistence.ts'
import type { Collection } from '../../../src/domain/collection.ts'
import type { NewRecord } from '../../../src/domain/record.ts'
import { copyToPostgres } from '../../support/copy-to-postgres.ts'
import { missing } from '../../support/postgres.ts'
import { openTestPostgres } from '../../support/postgres-store.ts'
import { openTestStore } from '../../support/store.ts'

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

const notesOf = async (store: Store): Promise<StoredCollection> => {
  const stored = await store.read((tx) => tx.collections.find('notes'))
  if (stored === null) throw new Error('the collection does not exist')
  return stored
}

/** The titles of the records that contain a word. */
const search = async (store: Store, text: string) => {
  const notes = await notesOf(store)
  const sort = { field: 'created_at', descending: true }
  const query = { ownerId: null, text, createdAfter: null, createdBefore: null, size: 10, sort, from: { page: 1 } }
  const { items } = await store.read((tx) => tx.records(notes).list(query))
  return items.map(({ title }) => title)
}

describe.skipIf(missing)('with SKEP_TEST_POSTGRES_URL', () => {
  test('a copy has the definitions, the records, their words and their index entries, and new ids follow', async () => {
    const { store: embedded, path } = openTestStore()
    const stored = await embedded.write((tx) => tx.collections.insert(NOTES, 1))
    const { first, pending } = await embedded.write(async (tx) => {
      const first = await tx.records(stored).insert(noteOf('First', { text: 'nul: \0 half: \ud800' }))
      await tx.records(stored).insert(noteOf('Second', { about: first.id, ownerId: null }))
      const collection = { ...NOTES, search: ['title', 'text'] }
      const pending = await tx.collections.prepare(stored, { collection, transform: null })
      await tx.records(pending).insert(noteOf('Third', { text: 'words of a definition to come' }))
      return { first, pending }
    })
    await embedded.close()
    const { store, url } = await openTestPostgres()
    await copyToPostgres(path, url)

    const notes = await notesOf(store)
    expect(notes).toEqual(pending)
    expect(await store.read((tx) => tx.collections.countRecords(notes))).toBe(3)
    expect(await store.read((tx) => tx.records(notes).findById(first.id))).toEqual(first)
    expect(await search(store, 'second')).toEqual(['Second'])
    const about = await store.write((tx) => tx.records(notes).referencing('about', first.id, 10))
    expect(about.map(({ title }) => title)).toEqual(['Second'])
    await expect(store.write((tx) => tx.records(notes).insert(noteOf('First')))).rejects.toMatchObject({
      code: 'not_unique',
    })
    const fourth = await store.write((tx) => tx.records(notes).insert(noteOf('Fourth')))
    expect(fourth.id).toBeGreaterThan(3)
    await store.write(async (tx) => {
      const found = await tx.collections.findForChange('notes')
      if (found !== null) await tx.collections.activate(found, 9)
    })
    expect(await search(store, 'come')).toEqual(['Third'])
  })
})
