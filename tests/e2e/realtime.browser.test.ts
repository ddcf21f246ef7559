import { afterAll, expect, test } from 'bun:test'
import { resolve } from 'node:path'
import { elsewhere, missing, openPage, snapshot } from '../support/browser.ts'
import { type Member, signIn, startSkep, type TestSkep } from '../support/skep.ts'
import { startTcpProxy } from '../support/tcp-proxy.ts'

const repository = resolve(import.meta.dir, '../..')

const {
  outputs: [client],
} = await Bun.build({ entrypoints: [resolve(repository, 'client/src/index.ts')], target: 'browser', format: 'esm' })

/** The examples, as any static server serves them, with the client. */
const site = Bun.serve({
  hostname: '127.0.0.1',
  port: 0,
  fetch(request) {
    const { pathname } = new URL(request.url)
    if (pathname === '/skep-client.js') return new Response(client)
    return new Response(Bun.file(resolve(repository, 'examples', `.${pathname}`)))
  },
})
afterAll(() => site.stop(true))
const origin = site.url.origin

const HOSTILE = '<img src=x onerror="document.title=1"> & "Ann"'

const openExample = async (server: string, { email, password }: Member) => {
  const opened = await openPage()
  const { page } = opened
  await page.goto(`${origin}/items.html`)
  await page.getByLabel('Server').fill(server)
  await page.getByLabel('Email').fill(email)
  await page.getByLabel('Password').fill(password)
  await page.getByRole('button', { name: 'Sign in' }).click()
  return { ...opened, titles: () => page.locator('#items .title').allTextContents() }
}

const create = async (skep: TestSkep, { token }: Member, title: string) => {
  const { body } = await skep.call<{ id: number }>('POST', '/items/', { token, json: { title } })
  return body.id
}

test.skipIf(missing)(
  'the example signs in, lists items and shows what happens to them elsewhere, and escapes it',
  async () => {
    const skep = await startSkep({ CORS_ORIGINS: origin })
    const ann = await skep.member()
    const bob = await skep.member()
    const table = await create(skep, ann, 'Oak table')
    await create(skep, bob, 'None of yours')
    const { page, titles, requests, errors } = await openExample(skep.url, ann)
    await page.getByText('Live', { exact: true }).waitFor()
    expect(await titles()).toEqual(['Oak table'])

    const hostile = await create(skep, ann, HOSTILE)
    await page.getByText(HOSTILE).waitFor()
    await skep.call('PATCH', `/items/${table}`, { token: ann.token, json: { title: 'Oak table, sold' } })
    await page.getByText('Oak table, sold').waitFor()
    expect(await titles()).toEqual([HOSTILE, 'Oak table, sold'])
    await snapshot(page, 'example-live')
    await skep.call('DELETE', `/items/${hostile}`, { token: ann.token })
    await page.getByText(HOSTILE).waitFor({ state: 'detached' })
    expect(await titles()).toEqual(['Oak table, sold'])

    expect(await page.title()).toBe('Items, live')
    expect(elsewhere(requests, origin).filter((url) => !url.startsWith(`${skep.url}/`))).toEqual([])
    expect(errors).toEqual([])
    await page.close()
  },
  60_000,
)

test.skipIf(missing)(
  'the example creates, renames and deletes, and tells of a version that somebody else has changed',
  async () => {
    const skep = await startSkep({ CORS_ORIGINS: origin })
    const ann = await skep.member()
    const { page, titles } = await openExample(skep.url, ann)
    const inTwo = await openExample(skep.url, ann)
    for (const each of [page, inTwo.page]) await each.getByText('Live', { exact: true }).waitFor()
    await page.getByLabel('New item').fill('A chair')
    await page.getByRole('button', { name: 'Add' }).click()
    await inTwo.page.getByText('A chair').waitFor()

    await page.getByRole('button', { name: 'Rename A chair' }).click()
    await page.getByLabel('New title').fill('Two chairs')
    await snapshot(page, 'example-rename')
    await page.keyboard.press('Enter')
    await inTwo.page.getByText('Two chairs').waitFor()
    await page.getByText('Two chairs').waitFor()

    await page.getByRole('button', { name: 'Rename Two chairs' }).click()
    const [id] = await page.locator('#items li').evaluateAll((rows) => rows.map((row) => row.getAttribute('data-id')))
    await skep.call('PATCH', `/items/${id}`, { token: ann.token, json: { title: 'Three chairs' } })
    await inTwo.page.getByText('Three chairs').waitFor()
    await page.getByLabel('New title').fill('Four chairs')
    await page.keyboard.press('Enter')
    await page.getByRole('alert').filter({ hasText: /\S/ }).waitFor()
    expect(await titles()).toEqual(['Three chairs'])

    await inTwo.page.getByRole('button', { name: 'Delete Three chairs' }).click()
    await page.getByText('Three chairs').waitFor({ state: 'detached' })
    await page.getByRole('button', { name: 'Sign out' }).click()
    await page.getByLabel('Email').waitFor()
    await snapshot(page, 'example-signed-out')
    await page.close()
    await inTwo.page.close()
  },
  60_000,
)

test.skipIf(missing)(
  'the example shows what it missed once its connection is back',
  async () => {
    const skep = await startSkep({ CORS_ORIGINS: origin })
    await using proxy = await startTcpProxy(skep.url)
    const ann = await skep.member()
    const gone = await create(skep, ann, 'Goes')
    await create(skep, ann, 'Stays')
    const { page, titles, requests } = await openExample(proxy.url, ann)
    await page.getByText('Live', { exact: true }).waitFor()
    proxy.cut()
    await page.getByText('Connection lost').waitFor()
    await snapshot(page, 'example-lost')
    await create(skep, ann, 'Comes')
    await skep.call('DELETE', `/items/${gone}`, { token: ann.token })
    proxy.mend()
    await page.getByText('Live', { exact: true }).waitFor()
    await page.getByText('Comes').waitFor()
    await page.getByText('Goes').waitFor({ state: 'detached' })
    expect(await titles()).toEqual(['Comes', 'Stays'])
    // By its cursor: the list was read once.
    expect(requests.filter((url) => url.includes('/items/records/?'))).toHaveLength(1)
    await page.close()
  },
  60_000,
)

test.skipIf(missing)(
  'the example says why it cannot sign in',
  async () => {
    const skep = await startSkep({ CORS_ORIGINS: origin })
    const ann = await skep.member()
    const { page } = await openExample(skep.url, { ...ann, password: 'wrong horse' })
    const alert = page.getByRole('alert').filter({ hasText: /\S/ })
    await alert.waitFor()
    expect(await alert.textContent()).toContain('password')
    await page.close()
  },
  60_000,
)

test.skipIf(missing)(
  'the example renews its tokens, and its connection outlives them',
  async () => {
    const skep = await startSkep({ CORS_ORIGINS: origin, ACCESS_TOKEN_TTL: '6s' })
    const ann = await skep.member()
    const { page, titles, requests } = await openExample(skep.url, ann)
    let sockets = 0
    page.on('websocket', () => sockets++)
    await page.getByText('Live', { exact: true }).waitFor()
    await Bun.sleep(8_000)
    await page.getByLabel('New item').fill('Later')
    await page.getByRole('button', { name: 'Add' }).click()
    await page.getByText('Later').waitFor()
    const other = await signIn(skep.call, ann)
    await create(skep, other, 'From elsewhere')
    await page.getByText('From elsewhere').waitFor()
    expect(await titles()).toEqual(['From elsewhere', 'Later'])
    expect(sockets).toBeLessThanOrEqual(1)
    expect(requests.filter((url) => url.endsWith('/auth/token')).length).toBeGreaterThan(1)
    await page.close()
  },
  60_000,
)

if (!missing)
  test('the example shows no items any more once its session was ended elsewhere, and signs in again', async () => {
    const skep = await startSkep({ CORS_ORIGINS: origin })
    const ann = await skep.member()
    await create(skep, ann, 'Oak table')
    const { page, titles } = await openExample(skep.url, ann)
    await page.getByText('Oak table').waitFor()
    expect((await skep.call('DELETE', '/auth/sessions', { token: ann.token })).status).toBe(204)
    await page.getByText('You were signed out').waitFor()
    await page.getByText('Signed out', { exact: true }).waitFor()
    expect(await titles()).toEqual([])

    await page.getByLabel('Password').fill(ann.password)
    await page.getByRole('button', { name: 'Sign in' }).click()
    await page.getByText('Oak table').waitFor()
    expect(await page.getByRole('alert').textContent()).toBe('')
    await page.close()
  }, 60_000)
