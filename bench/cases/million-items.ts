import { Database } from 'bun:sqlite'
import { ownerTerm } from '../../src/adapters/sql/terms.ts'
import { fetched } from '../lib/beside.ts'
import type { Case, Context, Figure } from '../lib/case.ts'
import { timeInTurn } from '../lib/in-turn.ts'
import { databaseOf, type Member, signUp, startSkep } from '../lib/skep.ts'
import { median, percentile } from '../lib/statistics.ts'
import { createChance, VOCABULARY_COUNT, wordOf } from '../lib/words.ts'

const ITEMS_COUNT = 1_000_000
const ITEMS_PER_COMMIT = 5_000
const TITLE_WORDS_COUNT = 3
/** With so many of so many words, each word is in one item of a hundred. */
const ITEM_WORDS_COUNT = 10
const PAGE_SIZE_COUNT = 20
const PAGES_COUNT = 300
const QUERIES_COUNT = 300

/** As the program writes items, but many in one commit, and without waiting for the disk. */
const fill = (path: string, ownerId: number, progress: (text: string) => void): void => {
  using database = new Database(path, { readwrite: true, create: false, strict: true })
  database.run('PRAGMA synchronous = OFF')
  database.run('PRAGMA cache_size = -500000')
  using insert = database.prepare<unknown, [number, number, string, string, string, number, number]>(
    `INSERT INTO items (id, owner_id, title, description, data, version, created_at, updated_at)
     VALUES (?, ?, ?, ?, ?, 1, ?, ?)`,
  )
  using index = database.prepare<unknown, [number, string]>('INSERT INTO items_words (rowid, words) VALUES (?, ?)')
  const chance = createChance(1)
  const words = (count: number) => Array.from({ length: count }, () => wordOf(chance(VOCABULARY_COUNT))).join(' ')
  const start = Date.now() - ITEMS_COUNT
  const owner = ownerTerm(ownerId)
  // Newest first within a commit, as the text index wants it.
  const insertFrom = database.transaction((first: number) => {
    for (let id = first + ITEMS_PER_COMMIT - 1; id >= first; id--) {
      const [title, description, at] = [
        words(TITLE_WORDS_COUNT),
        words(ITEM_WORDS_COUNT - TITLE_WORDS_COUNT),
        start + id,
      ]
      insert.run(id, ownerId, title, description, JSON.stringify({ number: id }), at, at)
      index.run(-id, `${title} ${description} ${owner}`)
    }
  })
  for (let first = 1; first <= ITEMS_COUNT; first += ITEMS_PER_COMMIT) {
    insertFrom(first)
    if (first % 250_000 === 1) progress(`item ${first} of ${ITEMS_COUNT}`)
  }
}

const prepare = async ({ form, progress }: Context, folder: string): Promise<{ member: Member; seconds: number }> => {
  const skep = await startSkep(form, { folder, core: null })
  const member = await signUp(skep.url)
  await skep.stop()
  const from = performance.now()
  fill(databaseOf(folder), member.id, progress)
  return { member, seconds: (performance.now() - from) / 1_000 }
}

interface Page {
  readonly items: readonly { readonly title: string }[]
  readonly total: number | null
  readonly total_at_least?: number
  readonly next_cursor: string | null
}

/** Lists and searches of someone who owns a million items. */
export const millionItems: Case = {
  name: 'million-items',
  about: 'pages by cursor at both ends of 1 000 000 items, and words searched among them',
  async run(context) {
    const folder = context.folder()
    const { member, seconds } = await prepare(context, folder)
    const { token } = member
    context.progress(`prepared in ${seconds.toFixed(0)} s`)
    await using skep = await startSkep(context.form, { folder, core: context.cores.server })
    const list = `${skep.url}/api/v1/items/?size=${PAGE_SIZE_COUNT}`
    const get = async (url: string) =>
      JSON.parse((await fetched(url, { headers: { authorization: `Bearer ${token}` } })).body) as Page

    const followUp = async (sort: string, page: number): Promise<string> => {
      const url = `${list}&sort=${sort}`
      const { next_cursor } = await get(`${url}&page=${page}`)
      const next = `${url}&cursor=${next_cursor}`
      if (next_cursor === null || (await get(next)).items.length !== PAGE_SIZE_COUNT)
        throw new Error(`no page after ${page}`)
      return next
    }
    const last = ITEMS_COUNT / PAGE_SIZE_COUNT
    const often = (url: string) => Array.from({ length: PAGES_COUNT }, () => url)
    const ends = {
      newest: often(await followUp('-created_at', 1)),
      oldest: often(await followUp('-created_at', last - 1)),
      firstTitles: often(await followUp('title', 1)),
      lastTitles: often(await followUp('title', last - 1)),
    }
    await timeInTurn(context, token, ends)
    const pages = await timeInTurn(context, token, ends)

    const found = await get(`${list}&q=${wordOf(0)}`)
    const times = found.total ?? found.total_at_least ?? 0
    const expected = ITEMS_COUNT / 100
    // A request may spend too little to count them all, and then says so.
    const isPlausible =
      found.total === null ? times > 0 && times <= expected : Math.abs(times - expected) <= expected / 10
    if (!isPlausible || found.items.length !== PAGE_SIZE_COUNT) {
      throw new Error(`${wordOf(0)} was found ${times} times`)
    }
    const chance = createChance(2)
    const some = (query: (word: string) => string) =>
      Array.from(
        { length: QUERIES_COUNT },
        (_, index) => list + query(wordOf((index * 7 + chance(7)) % VOCABULARY_COUNT)),
      )
    const searches = {
      word: some((word) => `&q=${word}`),
      byTitle: some((word) => `&q=${word}&sort=title`),
      twoWords: some((word) => `&q=${word}+${wordOf(chance(VOCABULARY_COUNT))}`),
      prefix: some((word) => `&q=${word.slice(0, 4)}`),
    }
    const queries = await timeInTurn(context, token, searches)

    const byCursor = (name: string, first: readonly number[], final: readonly number[]): Figure[] => {
      const [from, to] = [median(first), median(final)]
      return [
        { name: `${name}, last page`, unit: 'ms', value: to },
        { name: `${name}, last by first page`, unit: '', value: to / from, bar: { of: 'value', atMost: 2 } },
      ]
    }
    const search = (name: string, times: readonly number[], bar: Pick<Figure, 'bar'> = {}): Figure[] => [
      {
        name: `${name}, p99`,
        unit: 'ms',
        value: percentile(times, 99),
        p50: { value: percentile(times, 50) },
        p99: { value: percentile(times, 99) },
        ...bar,
      },
    ]
    return {
      figures: [
        ...byCursor('newest to oldest', pages('newest'), pages('oldest')),
        ...byCursor('by title', pages('firstTitles'), pages('lastTitles')),
        ...search('q', queries('word'), { bar: { of: 'value', atMost: 20 } }),
        ...search('q by title', queries('byTitle')),
        ...search('q of two words', queries('twoWords')),
        ...search('q of a beginning', queries('prefix')),
      ],
      detail: { form: context.form.name, items: ITEMS_COUNT, prepared_in_seconds: seconds },
    }
  },
}
