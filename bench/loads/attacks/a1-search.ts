import type { Attack, Target } from './attack.ts'

const BATCHES = 500
const BATCH_SIZE = 100
/** One item in this number has a description as long as one may be, of the same words. */
const LONG_EVERY = 25
const MAX_DESCRIPTION_LENGTH = 10_000
const ALPHABET = 'abcdefghijklmnopqrstuvwxyz'
const WORDS = ['ab', 'abc', 'abcd', 'abcde', 'abcdef', 'abcdefg', 'odd', 'even', 'zz']

const titleOf = (n: number): string =>
  `${WORDS.join(' ')} ${n % 2 === 0 ? 'evenly' : 'oddly'} ${n} ${ALPHABET.split('').join(' ')}`

const itemOf = (n: number) => {
  const title = titleOf(n)
  if (n % LONG_EVERY !== 0) return { title }
  return {
    title,
    description: `${title} `.repeat(MAX_DESCRIPTION_LENGTH / title.length).slice(0, MAX_DESCRIPTION_LENGTH),
  }
}

const create = async ({ url }: Target, token: string, first: number): Promise<void> => {
  const operations = Array.from({ length: BATCH_SIZE }, (_, n) => ({ op: 'create', ...itemOf(first + n) }))
  const response = await fetch(`${url}/api/v1/items/batch`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: JSON.stringify({ operations }),
  })
  if (!response.ok) throw new Error(`a batch was answered ${response.status}: ${await response.text()}`)
}

const QUERIES = [
  Array.from({ length: 100 }, (_, n) => ALPHABET[n % ALPHABET.length]).join(' '),
  'ab',
  'abcde abcdefg evenl',
  'evenly oddly',
  'zz evenly oddly abc abcd abcdef even odd',
  '日本 ab',
]
const SORTS = ['-created_at', 'created_at', 'title', '-title', 'updated_at', '-updated_at']
const ENDS = ['', '&page=400&size=100', '&created_after=2999-01-01T00:00:00Z', '&size=100&page=999999999']

/** Searches of words that all items have, that none has together, and by dates that none has, in every order. */
export const attack: Attack = {
  id: 'A1',
  about:
    'searches among 50 000 items of two accounts, some of 10 kB: many words, prefixes, every sort, far pages, dates',
  async prepare(target) {
    for (let n = 0; n < BATCHES; n++) {
      await create(target, n % 2 === 0 ? target.otherToken : target.token, n * BATCH_SIZE)
    }
  },
  async client({ url, token }, index, signal) {
    for (let n = index; !signal.aborted; n++) {
      const q = QUERIES[n % QUERIES.length] ?? ''
      const sort = SORTS[Math.floor(n / QUERIES.length) % SORTS.length]
      const end = ENDS[Math.floor(n / (QUERIES.length * SORTS.length)) % ENDS.length]
      const text = n % 7 === 0 ? '' : `&q=${encodeURIComponent(q)}`
      try {
        const response = await fetch(`${url}/api/v1/items/?sort=${sort}${text}${end}`, {
          headers: { authorization: `Bearer ${token}` },
          signal,
        })
        await response.arrayBuffer()
        if (!response.ok) await Bun.sleep(20)
      } catch (error) {
        if (!signal.aborted) throw error
      }
    }
  },
}
