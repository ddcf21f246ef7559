import { expect, setDefaultTimeout, test } from 'bun:test'
import { join } from 'node:path'
import fc from 'fast-check'
import { MAX_STEP_COST, type Matching, type Step } from '../../../src/adapters/sql/search-source.ts'
import { ownerTerm } from '../../../src/adapters/sql/terms.ts'
import { type Connection, openWriter } from '../../../src/adapters/sqlite/database.ts'
import { createIntersection } from '../../../src/adapters/sqlite/postings.ts'
import { createStatements } from '../../../src/adapters/sqlite/record-statements.ts'
import { createWordLists, type WordLists } from '../../../src/adapters/sqlite/word-lists.ts'
import { createMigratedDatabase } from '../../support/migrated.ts'
import { runsOf } from '../../support/runs.ts'
import { temporaryFolder } from '../../support/skep.ts'

setDefaultTimeout(60_000)

const OWNER = 7
const OTHER = 8
const NEWEST = Number.MAX_SAFE_INTEGER

interface Entry {
  readonly ownerId: number
  readonly words: readonly string[]
}

const openLists = (): { readonly connection: Connection; readonly lists: WordLists } & Disposable => {
  const path = join(temporaryFolder(), 'skep.db')
  createMigratedDatabase(path)
  const connection = openWriter(path)
  connection.run('PRAGMA synchronous = OFF')
  return {
    connection,
    lists: createWordLists(createStatements(connection), 'items'),
    [Symbol.dispose]: () => connection.close(),
  }
}

const fill = ({ database }: Connection, entries: ReadonlyMap<number, Entry>): void => {
  using insert = database.prepare<unknown, [number, string]>('INSERT INTO items_words (rowid, words) VALUES (?, ?)')
  database.transaction(() => {
    database.run("INSERT INTO items_words (items_words) VALUES ('delete-all')")
    for (const [id, { ownerId, words }] of [...entries].toReversed()) {
      insert.run(-id, [...words, ownerTerm(ownerId)].join(' '))
    }
  })()
}

interface Searched {
  readonly ids: readonly number[]
  readonly counted: number
  readonly steps: readonly Step[]
}

/** All that a search finds; from the given number of ids on, it only counts. */
const searchAll = (
  lists: WordLists,
  words: readonly string[],
  matching: Partial<Matching> = {},
  idsCount = Number.POSITIVE_INFINITY,
): Searched => {
  const run = createIntersection(lists, words, { ownerId: OWNER, before: NEWEST, ...matching })
  const ids: number[] = []
  const steps: Step[] = []
  let counted = 0
  for (;;) {
    const isCounting = ids.length >= idsCount
    const step = run(isCounting)
    steps.push(step)
    // While it counts, it may still find some: they come after those that were only counted.
    if (isCounting && step.isExact) counted += step.ids.length
    else ids.push(...step.ids)
    counted += step.counted ?? 0
    if (step.reached === null) return { ids, counted, steps }
  }
}

/** Counts how often FTS5 has searched a range. */
const watch = (lists: WordLists) => {
  const seen = { ranges: 0 }
  const watched: WordLists = {
    ...lists,
    readCommon(...args) {
      seen.ranges++
      return lists.readCommon(...args)
    },
    countCommon(...args) {
      seen.ranges++
      return lists.countCommon(...args)
    },
  }
  return { seen, watched }
}

/** Lists that no search of a range helps with, so that every match is sought. */
const soughtOnly = (lists: WordLists): WordLists => ({
  ...lists,
  readCommon: () => {
    throw new Error('a range was searched')
  },
  countCommon: () => {
    throw new Error('a range was searched')
  },
})

/** A stretch of ids in which every nth has the owner, and every mth the word. */
const stretch = fc.record({
  length: fc.integer({ min: 1, max: 6_000 }),
  ownerEvery: fc.constantFrom<number>(1, 1, 2, 3, 40),
  wordEvery: fc.constantFrom<number>(1, 2, 7, 100, 900),
  offset: fc.nat(5),
  gap: fc.constantFrom<number>(0, 0, 1, 50_000, 2_000_000),
})

const RANGED = {
  stretches: [{ length: 6_000, ownerEvery: 2, wordEvery: 7, offset: 0, gap: 0 }],
  words: ['word'],
  from: 1.2,
  idsCount: Number.POSITIVE_INFINITY,
}

const entriesOf = (
  stretches: readonly {
    readonly length: number
    readonly ownerEvery: number
    readonly wordEvery: number
    readonly offset: number
    readonly gap: number
  }[],
): Map<number, Entry> => {
  const entries = new Map<number, Entry>()
  let id = 0
  for (const { length, ownerEvery, wordEvery, offset, gap } of stretches) {
    for (let n = 0; n < length; n++) {
      const words = [...((n + offset) % wordEvery === 0 ? ['word'] : []), ...(n % 3 === 0 ? ['third'] : [])]
      entries.set(++id, { ownerId: n % ownerEvery === 0 ? OWNER : OTHER, words })
    }
    id += gap
  }
  return entries
}

const expectedOf = (entries: ReadonlyMap<number, Entry>, words: readonly string[], before = NEWEST): number[] =>
  [...entries]
    .filter(
      ([id, entry]) => id < before && entry.ownerId === OWNER && words.every((word) => entry.words.includes(word)),
    )
    .map(([id]) => id)
    .toReversed()

test('a search finds the same, in the same order, however owners and words are spread', () => {
  using opened = openLists()
  const setting = fc.record({
    stretches: fc.array(stretch, { minLength: 1, maxLength: 4 }),
    words: fc.constantFrom<readonly string[]>(['word'], ['word', 'third']),
    from: fc.double({ min: 0, max: 1.2, noNaN: true }),
    idsCount: fc.constantFrom(0, 21, 500, Number.POSITIVE_INFINITY),
  })
  let ranges = 0
  fc.assert(
    fc.property(setting, ({ stretches, words, from, idsCount }) => {
      const entries = entriesOf(stretches)
      fill(opened.connection, entries)
      const before = Math.ceil(from * Math.max(...entries.keys())) + 1
      const { seen, watched } = watch(opened.lists)
      const { ids, counted, steps } = searchAll(watched, words, { before }, idsCount)
      ranges += seen.ranges
      const expected = expectedOf(entries, words, before)
      // Few candidates are left for the caller to test.
      const found = steps.every(({ isExact }) => isExact) ? ids : ids.filter((id) => expected.includes(id))
      expect(found).toEqual(expected.slice(0, found.length))
      expect(found.length + counted).toBe(expected.length)
      for (const { reached } of steps) expect(reached === null || reached > 0).toBe(true)
    }),
    // Whatever the others are, these search ranges.
    { numRuns: runsOf(30, 100), examples: [[RANGED], [{ ...RANGED, words: ['word', 'third'], idsCount: 21 }]] },
  )
  expect(ranges).toBeGreaterThan(0)
})

test('searching ranges finds and counts what seeking each match finds', () => {
  using opened = openLists()
  const entries = entriesOf([{ length: 30_000, ownerEvery: 2, wordEvery: 7, offset: 0, gap: 0 }])
  fill(opened.connection, entries)
  const expected = expectedOf(entries, ['word'])
  const { seen, watched } = watch(opened.lists)
  expect(searchAll(watched, ['word']).ids).toEqual(expected)
  expect(seen.ranges).toBeGreaterThan(0)

  const { ids, counted } = searchAll(watched, ['word'], {}, 21)
  expect(ids).toEqual(expected.slice(0, ids.length))
  expect(ids.length + counted).toBe(expected.length)
})

test('an owner of every record costs less than a fifth of seeking each match', () => {
  using opened = openLists()
  const entries = entriesOf([{ length: 60_000, ownerEvery: 1, wordEvery: 100, offset: 0, gap: 0 }])
  fill(opened.connection, entries)
  const { ids, steps } = searchAll(opened.lists, ['word'])
  expect(ids).toHaveLength(600)
  const [sought] = steps
  const costEach = (sought?.cost ?? 0) / (sought?.ids.length ?? 1)
  expect(steps.reduce((sum, { cost }) => sum + cost, 0)).toBeLessThan((costEach * 600) / 5)
})

test('lists without a common id are never searched as a range', () => {
  using opened = openLists()
  const entries = new Map<number, Entry>()
  for (let id = 1; id <= 20_000; id++) {
    entries.set(id, { ownerId: id % 2 === 0 ? OWNER : OTHER, words: id % 2 === 0 ? [] : ['word'] })
  }
  fill(opened.connection, entries)
  expect(searchAll(soughtOnly(opened.lists), ['word']).ids).toEqual([])
})

test('where matches end, a range is searched only as far as they are', () => {
  using opened = openLists()
  // Newer ids have matches; in the older ones, owner and word take turns.
  const entries = new Map<number, Entry>()
  const older = 150_000
  for (let id = 1; id <= older + 20_000; id++) {
    const [isOlder, isEven] = [id <= older, id % 2 === 0]
    const hasWord = isOlder ? !isEven : id % 20 === 0
    entries.set(id, { ownerId: !isOlder || isEven ? OWNER : OTHER, words: hasWord ? ['word'] : [] })
  }
  fill(opened.connection, entries)
  const froms: number[] = []
  const watched: WordLists = {
    ...opened.lists,
    readCommon(matches, range, limit) {
      froms.push(range.from)
      return opened.lists.readCommon(matches, range, limit)
    },
  }
  const { ids, steps } = searchAll(watched, ['word'])
  expect(ids).toEqual(expectedOf(entries, ['word']))
  // FTS5 goes on to the next match, so the last one has to be behind the range.
  expect(Math.min(...froms)).toBeGreaterThan(older + 20)
  for (const { cost } of steps) expect(cost).toBeLessThan(4 * MAX_STEP_COST)
})

test('no range is searched where the newest match of all is far from the newest ids', () => {
  using opened = openLists()
  const entries = new Map<number, Entry>()
  const older = 20_000
  for (let id = 1; id <= older + 150_000; id++) {
    const [isOlder, isEven] = [id <= older, id % 2 === 0]
    const hasWord = isOlder ? id % 20 === 0 : !isEven
    entries.set(id, { ownerId: isOlder || isEven ? OWNER : OTHER, words: hasWord ? ['word'] : [] })
  }
  fill(opened.connection, entries)
  const before = older + 1
  expect(searchAll(soughtOnly(opened.lists), ['word'], { before }).ids).toEqual(expectedOf(entries, ['word'], before))
})
