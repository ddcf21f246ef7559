import { describe, expect, test } from 'bun:test'
import { type Client, createClient } from '../../clients/eden.ts'
import { createMailbox } from '../../support/mail.ts'
import { startSkep } from '../../support/skep.ts'

const skep = await startSkep({}, { mailer: createMailbox() })
const person = { email: 'ann@example.com', name: 'Ann', password: 'correct horse' }

describe('Elysia’s own client, typed by App', () => {
  const anyone = createClient(skep.url).api.v1

  test('registers, signs in, and gets errors typed by status', async () => {
    const registered = await anyone.users.post(person)
    expect([registered.status, registered.data?.email]).toEqual([201, person.email])

    const again = await anyone.users.post(person)
    expect(again.error?.status).toBe(400)
    if (again.error?.status === 400) expect(again.error.value.code).toBe('email_taken')

    const form = new URLSearchParams({ username: person.email, password: person.password }).toString()
    const headers = { 'content-type': 'application/x-www-form-urlencoded' }
    const { data: pair } = await anyone.auth.token.post(form, { headers })
    expect(pair?.token_type).toBe('bearer')
  })

  test('creates, reads, lists and changes items', async () => {
    const { token } = await skep.member()
    const { items } = createClient(skep.url, token).api.v1
    const created = await items.post({ title: 'Water the roses', data: { litres: 2 } })
    const id = created.data?.id ?? 0
    const etag = created.response.headers.get('etag') ?? ''
    expect(created.data).toMatchObject({ title: 'Water the roses', version: 1 })
    const changed = await items({ id }).patch({ title: 'Cut the roses' }, { headers: { 'if-match': etag } })
    expect(changed.data?.version).toBe(2)
    const stale = await items({ id }).patch({ title: 'No' }, { headers: { 'if-match': etag } })
    expect(stale.error?.status).toBe(412)
    const { data: page } = await items.get({ query: { sort: '-created_at', size: '5' } })
    const titles: readonly string[] | undefined = page?.items.map(({ title }) => title)
    expect([titles, page?.total]).toEqual([['Cut the roses'], 1])
    expect(page?.items[0]?.created_at).toMatch(/Z$/)
    expect((await items({ id }).delete()).status).toBe(204)
  })

  test('reads health and files', async () => {
    const { token } = await skep.member()
    expect((await createClient(skep.url).health.get()).data).toEqual({ status: 'ok' })
    const { data } = await createClient(skep.url, token).api.v1.files.get({ query: {} })
    expect(data?.items).toEqual([])
  })
})

/** Never called: that each of these is refused is checked by the compiler. */
export const refusedByTypes = ({ api }: Client) => [
  // @ts-expect-error no such path
  api.v1.nothing.get(),
  // @ts-expect-error no such property
  api.v1.users.post({ ...person, role: 'admin' as const }).then(({ data }) => data?.nothing),
  // @ts-expect-error a title is a text
  api.v1.items.post({ title: 7 }),
  // @ts-expect-error a title is needed
  api.v1.items.post({ description: 'x' }),
  // @ts-expect-error there is no such sort
  api.v1.items.get({ query: { sort: 'colour' } }),
]
