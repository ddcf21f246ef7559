import { fetched } from './beside.ts'
import { DRAFT } from './items.ts'
import type { Server } from './server.ts'
import { signUp } from './skep.ts'

const ITEMS_COUNT = 100

const get = (path: string, token: string) =>
  `GET /api/v1${path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${token}\r\n\r\n`

const create = (token: string) =>
  `POST /api/v1/items/ HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${token}\r\n` +
  `Content-Type: application/json\r\nContent-Length: ${Buffer.byteLength(DRAFT)}\r\n\r\n${DRAFT}`

export interface Mix {
  /** Each whole, as it is sent. */
  readonly requests: readonly string[]
  /** How many of the items that they create are there. */
  countCreated(): Promise<number>
}

/**
 * Seven reads, two pages and a create of each ten. Whoever creates is not the one who reads, whose pages with their
 * totals would cost more and more.
 */
export const prepareMix = async ({ url }: Pick<Server, 'url'>): Promise<Mix> => {
  const [{ token: reader }, { token: writer }] = [await signUp(url), await signUp(url, 'bob@example.com')]
  const operations = Array.from({ length: ITEMS_COUNT }, () => ({ op: 'create', ...JSON.parse(DRAFT) }))
  const headers = { authorization: `Bearer ${reader}`, 'content-type': 'application/json' }
  const body = JSON.stringify({ operations })
  const batch = await fetched(`${url}/api/v1/items/batch`, { method: 'POST', headers, body })
  const { results } = JSON.parse(batch.body) as { results: { id: number }[] }
  const page = get('/items/?size=20', reader)
  const me = get('/users/me', reader)
  const requests = results.flatMap(({ id }) => {
    const item = get(`/items/${id}`, reader)
    return [item, me, item, page, me, create(writer), item, me, page, item]
  })
  const countCreated = async (): Promise<number> => {
    const list = await fetched(`${url}/api/v1/items/?size=1`, { headers: { authorization: `Bearer ${writer}` } })
    return JSON.parse(list.body).total
  }
  return { requests, countCreated }
}
