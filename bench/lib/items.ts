import { fetched, withoutTimes } from './beside.ts'
import type { Asked } from './compare.ts'

/** An item as a client sends it: a line, a paragraph and some fields. */
export const DRAFT = JSON.stringify({
  title: 'Oak table, restored',
  description: 'A solid oak table from the old school, sanded and oiled. Seats six; one leg was replaced in spring.',
  data: { price: 240, currency: 'EUR', tags: ['oak', 'table', 'restored'], size: { width: 180, depth: 90 } },
})

/** Makes the draft an item, with the token of its owner. */
export const creation = (token: string): Asked => ({
  path: '/api/v1/items/',
  method: 'POST',
  headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
  body: DRAFT,
  status: 201,
  normalize: withoutTimes,
})

/** Makes an item at `url`, and answers how to read it. */
export const readingOfOne = async (url: string, token: string): Promise<Asked> => {
  const { path, normalize, ...request } = creation(token)
  const location = (await fetched(url + path, request)).headers.get('location')
  if (location === null) throw new Error('an item was created, and nothing says where it is')
  return { path: location, headers: { authorization: `Bearer ${token}` } }
}

/** Makes so many items at `url`, and answers how to read one after the other. */
export const readingOfMany = async (url: string, token: string, count: number): Promise<Asked> => {
  const first = await readingOfOne(url, token)
  const paths = [first.path]
  while (paths.length < count) paths.push((await readingOfOne(url, token)).path)
  return { ...first, paths }
}
