import { describe, expect, test } from 'bun:test'
import { createFirstAdmin } from '../../support/admin.ts'
import type { Call } from '../../support/call.ts'
import { testClock } from '../../support/clock.ts'
import { createMailbox } from '../../support/mail.ts'
import { type Member, startSkep } from '../../support/skep.ts'

interface ItemBody {
  readonly id: number
  readonly title: string
}

interface PageBody {
  readonly items: readonly ItemBody[]
  readonly total: number | null
  readonly next_cursor: string | null
}

const clock = testClock()
const skep = await startSkep({ ACCESS_TOKEN_TTL: '30d' }, { mailer: createMailbox(), clock })
const root = await createFirstAdmin(skep)

const create = (by: Member, json: object) => skep.call<ItemBody>('POST', '/items/', { token: by.token, json })
const at = (by: Member, { id }: ItemBody, method: string, call: Call = {}) =>
  skep.call<ItemBody>(method, `/items/${id}`, { token: by.token, ...call })
const list = (by: Member, query = '') => skep.call<PageBody>('GET', `/items/${query}`, { token: by.token })
const titles = ({ body }: { body: PageBody }) => body.items.map(({ title }) => title)

describe('lists', async () => {
  const ann = await skep.member()
  const bob = await skep.member()
  const texts = [
    ['Beehive', 'a skep woven of straw'],
    ['Apiary', 'where hives stand'],
    ['Honey', 'sweet, from the comb'],
    ['Comb', 'wax and honey'],
    ['Éclair', 'a cake'],
  ] as const
  const times: string[] = []
  for (const [title, description] of texts) {
    clock.advance(1_000)
    times.push(new Date(clock.now()).toISOString())
    await create(ann, { title, description })
  }
  await create(bob, { title: 'Honey of Bob' })

  test('show one’s own, newest first', async () => {
    expect(titles(await list(ann))).toEqual(['Éclair', 'Comb', 'Honey', 'Apiary', 'Beehive'])
    expect(titles(await list(bob))).toEqual(['Honey of Bob'])
  })

  test('are sorted by creation, change or title, either way', async () => {
    expect(titles(await list(ann, '?sort=created_at'))).toEqual(['Beehive', 'Apiary', 'Honey', 'Comb', 'Éclair'])
    expect(titles(await list(ann, '?sort=title'))).toEqual(['Apiary', 'Beehive', 'Comb', 'Honey', 'Éclair'])
    expect(titles(await list(ann, '?sort=-title'))).toEqual(['Éclair', 'Honey', 'Comb', 'Beehive', 'Apiary'])
    expect(titles(await list(ann, '?sort=-updated_at'))[0]).toBe('Éclair')
    expect((await list(ann, '?sort=data')).status).toBe(422)
  })

  test('find words of title and description, by prefix, whatever case or accent', async () => {
    expect(titles(await list(ann, '?q=honey'))).toEqual(['Comb', 'Honey'])
    expect(titles(await list(ann, '?q=HIV'))).toEqual(['Apiary'])
    expect(titles(await list(ann, '?q=eclair'))).toEqual(['Éclair'])
    expect(titles(await list(ann, '?q=honey+wax'))).toEqual(['Comb'])
    expect((await list(ann, '?q=honey')).body.total).toBe(2)
  })

  test('sort their matches', async () => {
    expect(titles(await list(ann, '?q=honey&sort=title'))).toEqual(['Comb', 'Honey'])
    expect(titles(await list(ann, '?q=honey&sort=-title'))).toEqual(['Honey', 'Comb'])
    expect(titles(await list(ann, '?q=honey&sort=created_at'))).toEqual(['Honey', 'Comb'])
  })

  test.each(['"', '*', 'NOT', 'owner:o1', 'title:x', '(', '-', 'a"b', '%', '😀', '^x', 'NEAR(a b)', '\\'])(
    'treat the query %p as words, not as syntax',
    async (q) => {
      expect((await list(ann, `?q=${encodeURIComponent(q)}`)).status).toBe(200)
    },
  )

  test('find the new words of a changed item, and not the old', async () => {
    const { body } = await create(ann, { title: 'Quince', description: 'yellow' })
    await at(ann, body, 'PATCH', { json: { title: 'Medlar' } })
    expect([titles(await list(ann, '?q=quince')), titles(await list(ann, '?q=medlar'))]).toEqual([[], ['Medlar']])
    await at(ann, body, 'DELETE')
    expect(titles(await list(ann, '?q=medlar'))).toEqual([])
  })

  test('can be filtered by time', async () => {
    const query = `?sort=created_at&created_after=${times[0]}&created_before=${times[3]}`
    expect(titles(await list(ann, query))).toEqual(['Apiary', 'Honey'])
    expect(titles(await list(ann, `?q=honey&created_after=${times[2]}`))).toEqual(['Comb'])
    const offset = encodeURIComponent('2000-01-01T00:00:00+02:00')
    expect((await list(ann, `?created_after=${offset}`)).status).toBe(200)
    for (const wrong of ['yesterday', '2030-02-31T00:00:00Z', '2030-01-01', '2030-01-01T25:00:00Z']) {
      expect((await list(ann, `?created_after=${wrong}`)).status).toBe(422)
    }
  })

  test('come without their total when it is not wanted', async () => {
    const { status, body } = await list(ann, '?total=false&size=2')
    expect([status, body.items.length]).toEqual([200, 2])
    expect(body).toMatchObject({ total: null, pages: null, page: 1 })
    expect((await list(ann, '?total=true')).body.total).toBeGreaterThan(0)
    expect((await list(ann, '?total=no')).status).toBe(422)
    for (const path of [
      '/users/?total=false',
      '/admin/jobs?total=false',
      '/files/?total=false',
      '/auth/sessions?total=false',
    ]) {
      expect((await skep.call('GET', path, { token: root.token })).body).toMatchObject({
        total: null,
        pages: null,
        page: 1,
      })
    }
  })

  test('of others are for admins', async () => {
    expect((await list(bob, `?owner_id=${ann.id}`)).status).toBe(403)
    expect((await list(bob, `?owner_id=${bob.id}`)).status).toBe(200)
    expect(titles(await list(root, `?owner_id=${bob.id}`))).toEqual(['Honey of Bob'])
    expect(titles(await list(root, '?q=honey')).sort()).toEqual(['Comb', 'Honey', 'Honey of Bob'])
  })

  test.each(['', '&sort=title', '&sort=-updated_at', '&q=a', '&q=a&sort=title', '&q=a&sort=created_at'])(
    'read on by cursor to the end (%p)',
    async (query) => {
      const all = titles(await list(ann, `?size=100${query}`))
      const seen: string[] = []
      let page = await list(ann, `?size=1${query}`)
      for (;;) {
        seen.push(...titles(page))
        const { next_cursor } = page.body
        if (next_cursor === null) break
        page = await list(ann, `?size=1&cursor=${next_cursor}${query}`)
        expect(page.body.total).toBeNull()
      }
      expect(seen).toEqual(all)
    },
  )
})
