import { afterAll, expect } from 'bun:test'
import { resolve } from 'node:path'
import type { Page } from 'playwright-core'
import { createFirstAdmin } from './admin.ts'
import { createMailbox, tokenIn } from './mail.ts'
import { startSkep } from './skep.ts'
import { until } from './until.ts'

const examples = resolve(import.meta.dir, '../../examples')

/** As `bun client/build.ts` builds it. */
const client = Bun.build({
  entrypoints: [resolve(examples, '../client/src/index.ts')],
  target: 'browser',
  format: 'esm',
}).then(({ outputs }) => outputs[0])

/** The example, as any static server serves it, until the tests of the file are done. */
export const serveExample = (): string => {
  const site = Bun.serve({
    hostname: '127.0.0.1',
    port: 0,
    fetch: async (request) => {
      const { pathname } = new URL(request.url)
      return new Response(
        pathname.endsWith('/skep-client.js') ? await client : Bun.file(resolve(examples, `.${pathname}`)),
      )
    },
  })

  afterAll(() => site.stop(true))

  return site.url.origin
}

/** Someone with an account. */
export interface Person {
  readonly id: number
  readonly email: string
  readonly password: string
  readonly token: string
}

/** A server with the collections of the example, and a way to have accounts with a verified address there. */
export const startShop = async (origin: string) => {
  const mailbox = createMailbox()
  const skep = await startSkep({ CORS_ORIGINS: origin }, { mailer: mailbox })
  const { token } = await createFirstAdmin(skep)
  for (const name of ['lists', 'entries', 'pictures']) {
    const json = await Bun.file(resolve(examples, `shopping/collections/${name}.json`)).json()
    expect((await skep.call('PUT', `/collections/${name}`, { token, json })).status).toBe(201)
  }
  const verify = async (email: string) => {
    const token = tokenIn(await mailbox.next(email))
    expect((await skep.call('POST', '/auth/email/verify', { json: { token } })).status).toBe(204)
  }
  const person = async (name: string): Promise<Person> => {
    const email = `${name.toLowerCase()}@example.com`
    const { id, password, token } = await skep.member(email)
    await skep.call('PATCH', '/users/me', { token, json: { name } })
    await verify(email)
    return { id, email, password, token }
  }
  const create = async (collection: string, { token }: Person, json: object): Promise<number> => {
    const { body } = await skep.call<{ id: number }>('POST', `/collections/${collection}/records/`, { token, json })
    return body.id
  }
  const update = (collection: string, id: number, { token }: Person, json: object) =>
    skep.call('PATCH', `/collections/${collection}/records/${id}`, { token, json })
  return { ...skep, mailbox, verify, person, create, update }
}

export type Shop = Awaited<ReturnType<typeof startShop>>

/** Resolves once the page follows the changes of others. */
export const live = (page: Page) => page.getByText('Live', { exact: true }).waitFor()

/** Signs in to a server on the page of the example. */
export const signIn = async (page: Page, origin: string, server: string, { email, password }: Person) => {
  await page.goto(`${origin}/shopping/index.html`)
  await page.getByLabel('Server').fill(server)
  await page.getByLabel('Email', { exact: true }).fill(email)
  await page.getByLabel('Password').fill(password)
  await page.getByRole('button', { name: 'Sign in' }).click()
  await live(page)
}

/** Each entry that is shown, with a tick if it is checked off. */
export const entriesOf = (page: Page): Promise<readonly string[]> =>
  page
    .locator('#entries li')
    .evaluateAll((rows) =>
      rows.map((row) => `${row.querySelector('input:checked') ? '✓ ' : ''}${row.querySelector('.text')?.textContent}`),
    )

/** Resolves once the page shows exactly these entries. */
export const shows = async (page: Page, entries: readonly string[]) => {
  const isShown = async () => JSON.stringify(await entriesOf(page)) === JSON.stringify(entries)
  await Promise.race([until(isShown), Bun.sleep(10_000)])
  expect(await entriesOf(page)).toEqual([...entries])
}

/** Writes another entry. */
export const add = async (page: Page, text: string) => {
  await page.getByLabel('New entry').fill(text)
  await page.keyboard.press('Enter')
}

/** Opens a list by its title. */
export const openList = (page: Page, title: string) => page.getByRole('button', { name: title, exact: true }).click()
