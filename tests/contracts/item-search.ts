import { describe, expect, test } from 'bun:test'
import fc from 'fast-check'
import type { Store } from '../../src/application/ports/persistence.ts'
import { ITEMS } from '../../src/domain/collections/items.ts'
import { newRecord } from '../../src/domain/record.ts'
import { matchesWords, queryWordsOf } from '../../src/domain/words.ts'
import { runsOf } from '../support/runs.ts'
import { insert, list, titles } from '../support/stored-items.ts'
import { until } from '../support/until.ts'

const SORTS: readonly string[] = ['created_at', 'updated_at', 'title']

/** Every engine finds items by the same words. */
export const itemSearchContract = (engine: string, open: () => Promise<Store>) => {
  describe(`the items of ${engine}`, () => {
    test.each([
      ['bee', ['Bees and honey', 'The BEEHIVE']],
      ['BEE honey', ['Bees and honey']],
      ['ney', []],
      ['creme brulee', ['Crème Brûlée']],
      ['CRÈME', ['Crème Brûlée']],
      ['c-3po', ['C-3PO']],
      ['c-3', []],
      ['3p', ['C-3PO']],
      ['o1', []],
      ['described', ['Bees and honey']],
      ['bees described', ['Bees and honey']],
      ['МЁД', ['Мёд']],
      ['日本', ['日本語']],
      ['ΟΔΌΣ', ['Οδός']],
      ['"bee" OR *', []],
      ['bee:*', ['Bees and honey', 'The BEEHIVE']],
      ["bee' & !honey", ['Bees and honey']],
      ['…', []],
      ['\\', []],
    ])('are found by %p', async (text, expected) => {
      const store = await open()
      await insert(store, { title: 'Bees and honey', description: 'described' })
      for (const title of ['The BEEHIVE', 'Crème Brûlée', 'C-3PO', 'Мёд', '日本語', 'Οδός'])
        await insert(store, { title })
      await insert(store, { title: 'bee of another' }, 2)
      expect(await titles(store, { text })).toEqual(expected)
      expect(await list(store, { text })).toMatchObject({ total: expected.length })
    })

    test('are found by their current words, and not after deletion', async () => {
      const store = await open()
      const item = await insert(store, { title: 'before', description: `long ${'x'.repeat(9_000)} end` })
      expect(await titles(store, { text: 'end' })).toEqual(['before'])
      await store.write((tx) => tx.records('items').update({ ...item, title: 'after', description: null }))
      expect([await titles(store, { text: 'before' }), await titles(store, { text: 'after' })]).toEqual([[], ['after']])
      await store.write((tx) => tx.records('items').delete(item.id))
      expect(await titles(store, { text: 'after' })).toEqual([])
    })

    test('that match are in the requested order', async () => {
      const store = await open()
      for (const title of ['word b', 'word c', 'word a']) await insert(store, { title })
      const sort = { field: 'title', descending: false } as const
      expect(await titles(store, { text: 'word', sort })).toEqual(['word a', 'word b', 'word c'])
    })

    test.each([
      ['한국어 사전', '한국'],
      ['がっこう', 'がっ'],
      ['йод', 'йо'],
      ['ёлка', 'ёл'],
      ['Việt Nam', 'viet'],
      ['שָׁלוֹם עולם', 'שָׁלוֹם'],
      ['⚠️Important notice', 'important'],
      ['👩‍🚀Crew', 'crew'],
      ['Größe', 'GRÖSSE'],
      ['ﬁlter', 'filter'],
      ['ภาษาไทย', 'ภาษา'],
      ['internationalisation', 'internationali'],
      ['nineteen', 'ninet'],
    ])('are found in %j by %j, composed or not on either side', async (title, text) => {
      const store = await open()
      for (const form of ['NFC', 'NFD'] as const) await insert(store, { title: title.normalize(form) })
      await insert(store, { title: '❤️ ️ ⃣ other' })
      for (const form of ['NFC', 'NFD'] as const) {
        expect(await list(store, { text: text.normalize(form) })).toMatchObject({ total: 2 })
      }
      expect(await list(store, { text: '❤️' })).toMatchObject({ total: 0 })
    })

    test('are found exactly as by a full scan, in every order', async () => {
      const store = await open()
      const piece = fc.constantFrom(
        'a',
        'b',
        'ab',
        'é',
        'e\u0301',
        'ß',
        'й',
        '한',
        '日本',
        '\u0301',
        '\ufe0f',
        '❤️',
        ' ',
        '-',
        '1',
        'x',
      )
      const text = fc.array(piece, { maxLength: 14 }).map((pieces) => pieces.join(''))
      const setting = fc.record({
        texts: fc.array(text, { maxLength: 12 }),
        queries: fc.array(text, { minLength: 1, maxLength: 4 }),
        field: fc.constantFrom(...SORTS),
        descending: fc.boolean(),
        size: fc.integer({ min: 1, max: 5 }),
        after: fc.option(fc.nat(12)),
      })
      let owner = 1_000
      await fc.assert(
        fc.asyncProperty(setting, async ({ texts, queries, field, descending, size, after }) => {
          const ownerId = ++owner
          const items = await store.write(async (tx) => {
            const made = []
            for (const [n, description] of texts.entries()) {
              made.push(
                await tx
                  .records('items')
                  .insert(newRecord(ITEMS, { title: `t${texts.length - n}`, description }, ownerId, n)),
              )
            }
            return made
          })
          for (const text of queries) {
            const words = queryWordsOf(text)
            const matching = items.filter(
              ({ title, description, createdAt }) =>
                words.length > 0 && createdAt > (after ?? -1) && matchesWords(`${title}\n${description}`, words),
            )
            const query = { ownerId, text, size, sort: { field, descending }, createdAfter: after }
            const seen: number[] = []
            let page = await list(store, query)
            expect(page.total).toBe(matching.length)
            for (;;) {
              seen.push(...page.items.map(({ id }) => id))
              if (page.next === null) break
              page = await list(store, { ...query, from: { after: page.next } })
            }
            // Titles count down.
            const ids = matching.map(({ id, title }) => ({ id, key: field === 'title' ? String(title) : id }))
            ids.sort((one, other) => (one.key < other.key ? -1 : 1) * (descending ? -1 : 1))
            expect(seen).toEqual(ids.map(({ id }) => id))
          }
        }),
        { numRuns: runsOf(15, 40) },
      )
    })

    test('are counted up to 10,000, and found by rare words', async () => {
      const store = await open()
      await store.write(async (tx) => {
        for (let n = 0; n < 10_050; n++) {
          await tx
            .records('items')
            .insert(
              newRecord(ITEMS, { title: `common word ${n % 2 ? 'odd' : 'even'}${n === 2 ? ' rare' : ''}` }, n % 3, n),
            )
        }
      })
      await until(async () => (await list(store, { ownerId: null, text: 'rare' })).items.length > 0)
      for (const text of [null, 'common', 'commo wor']) {
        for (const field of SORTS) {
          const page = await list(store, { ownerId: null, text, size: 10, sort: { field, descending: true } })
          expect(page).toMatchObject({ total: null, totalAtLeast: 10_000 })
          expect(page.items).toHaveLength(10)
        }
      }
      expect(await titles(store, { ownerId: 2, text: 'common rare' })).toHaveLength(1)
      expect(await list(store, { ownerId: 1, text: 'even odd' })).toMatchObject({ total: 0, next: null })
      expect(await list(store, { ownerId: 1, text: 'odd', createdBefore: 100 })).toMatchObject({ total: 17 })
      expect(await list(store, { ownerId: 1, text: 'common odd' })).toMatchObject({ total: 1_675 })
      for (const text of ['common', 'commo wor']) {
        for (const field of SORTS) {
          const page = await list(store, { ownerId: 1, text, sort: { field, descending: true } })
          expect(page).toMatchObject({ total: 3_350 })
        }
      }
      const last = await list(store, { ownerId: null, size: 20, from: { page: 502 } })
      expect(last.items.map(({ createdAt }) => createdAt)).toEqual(Array.from({ length: 20 }, (_, n) => 10_020 + n))
      expect(await list(store, { ownerId: null, size: 100, from: { page: 999 } })).toMatchObject({
        items: [],
        next: null,
      })
    })
  })
}
