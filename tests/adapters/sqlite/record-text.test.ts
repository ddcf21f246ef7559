import { Database } from 'bun:sqlite'
import { expect, test } from 'bun:test'
import fc from 'fast-check'
import { ownerTerm, termOf } from '../../../src/adapters/sql/terms.ts'
import { termsIn } from '../../../src/adapters/sqlite/record-text.ts'
import type { Collection } from '../../../src/domain/collection.ts'
import { ITEMS } from '../../../src/domain/collections/items.ts'
import { newRecord } from '../../../src/domain/record.ts'
import { wordsOf } from '../../../src/domain/words.ts'
import { openTestStore } from '../../support/store.ts'

const PAGES: Collection = { ...ITEMS, name: 'pages', singular: 'page', sorts: [], indexes: [] }

const ascii = fc.string({ unit: fc.constantFrom(..."aZ09z_@-'. \n\u007f"), maxLength: 60 })
const mixed = fc.string({ unit: fc.constantFrom(...'aZ9é@ß й\n'), maxLength: 60 })

test('the index splits and folds any text as searches do', () => {
  using database = new Database(':memory:', { strict: true })
  database.run(
    `CREATE VIRTUAL TABLE indexed USING fts5 (
       words, content = '', contentless_delete = 1, detail = none, tokenize = "ascii tokenchars '@'")`,
  )
  database.run(`CREATE VIRTUAL TABLE terms USING fts5vocab (indexed, 'row')`)
  fc.assert(
    fc.property(fc.oneof(ascii, mixed), (text) => {
      database.run('DELETE FROM indexed')
      database.run('INSERT INTO indexed (rowid, words) VALUES (-1, ?)', [termsIn({ text, ownerId: 7 })])
      const found = database.query<{ term: string }, []>('SELECT term FROM terms').all()
      const expected = new Set([ownerTerm(7), ...[...wordsOf(text)].map(termOf)])
      expect(found.map(({ term }) => term).sort()).toEqual([...expected].sort())
    }),
    { numRuns: 500 },
  )
})

test.each([
  ['items_words', ITEMS],
  ['records_words', PAGES],
])('%s: a record restored in the transaction of its deletion has none of its old words', async (table, collection) => {
  const { store, outside } = openTestStore()
  const storage = collection === ITEMS ? 'items' : await store.write((tx) => tx.collections.insert(collection, 1))
  const draft = (title: string) => newRecord(collection, { title }, 1, 1)
  const { id } = await store.write((tx) => tx.records(storage).insert(draft('old')))
  await store.write(async (tx) => {
    await tx.records(storage).delete(id)
    await tx.records(storage).insert({ ...draft('new'), id })
  })
  const foundBy = (word: string) => outside(`SELECT rowid FROM ${table}('${word}')`)
  expect([foundBy('old'), foundBy('new')]).toEqual([[], [{ rowid: -id }]])
})
