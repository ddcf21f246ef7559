import { expect } from 'bun:test'
import type { Page } from 'playwright-core'
import { axeViolations, snapshot } from '../support/browser.ts'
import { browserTest, newToken, openConsole, signInAt, startWithAdmin } from '../support/console.ts'
import { until } from '../support/until.ts'

const { skep, token } = await startWithAdmin()
const other = await skep.member('other@example.com')
await skep.call('PATCH', `/users/${other.id}`, { token, json: { role: 'admin' } })

const text = { type: 'string', maxLength: 1_000_000 }
const schema = { type: 'object', properties: { name: text, note: text } }

/** A collection with one record. */
const define = async (name: string) => {
  const token = await newToken(skep)
  await skep.call('PUT', `/collections/${name}`, { token, json: { schema } })
  const { body } = await skep.call<{ id: number }>('POST', `/collections/${name}/records/`, {
    token,
    json: { name: 'Groceries', note: 'weekly' },
  })
  return { place: `collections/${name}?record=${body.id}`, path: `/collections/${name}/records/${body.id}` }
}

const endSessions = async () => {
  const token = await newToken(skep)
  await skep.call('DELETE', '/auth/sessions', { token })
}

const offer = (page: Page) => page.getByText('What you typed here before was not saved.')
const nameOf = (page: Page) => page.getByRole('textbox', { name: 'name' })
const take = (page: Page) => page.getByRole('button', { name: 'Continue with it' }).click()

/** Types into a record whose page is open, and waits until its session has ended. */
const loseSession = async (page: Page, typed: string) => {
  await nameOf(page).fill(typed)
  await endSessions()
  await page.getByRole('heading', { name: 'Sign in' }).waitFor()
}

browserTest(
  'a record that was edited when the session ended is offered as it was typed, until it is saved',
  async () => {
    const { place, path } = await define('lists')
    const { page, close } = await openConsole(skep, place)
    await loseSession(page, 'Food')
    await signInAt(page)
    await offer(page).waitFor()
    expect(await nameOf(page).inputValue()).toBe('Groceries')
    expect(await axeViolations(page)).toEqual([])
    await snapshot(page, 'console-draft')
    await take(page)
    expect(await nameOf(page).inputValue()).toBe('Food')
    await page.getByRole('button', { name: 'Save' }).click()
    await page.getByRole('cell', { name: 'Food' }).waitFor()
    await page.goto(`${skep.url}/console/${place}`)
    await nameOf(page).waitFor()
    expect(await offer(page).count()).toBe(0)
    const token = await newToken(skep)
    expect((await skep.call('GET', path, { token })).body).toMatchObject({ name: 'Food', note: 'weekly' })
    await close()
  },
)

browserTest('what others have changed in a record meanwhile is not undone by a draft that is taken', async () => {
  const { place, path } = await define('plans')
  const { page, close } = await openConsole(skep, place)
  await loseSession(page, 'Food')
  const token = await newToken(skep)
  await skep.call('PATCH', path, { token, json: { note: 'monthly' } })
  await signInAt(page)
  await offer(page).filter({ hasText: 'The record has been changed since' }).waitFor()
  await take(page)
  await page.getByRole('button', { name: 'Save' }).click()
  await page.getByRole('cell', { name: 'Food' }).waitFor()
  expect((await skep.call('GET', path, { token })).body).toMatchObject({ name: 'Food', note: 'monthly' })
  await close()
})

browserTest('a draft that was discarded is not offered again', async () => {
  const { place } = await define('boards')
  const { page, close } = await openConsole(skep, place)
  await loseSession(page, 'Food')
  await signInAt(page)
  await page.getByRole('button', { name: 'Discard it' }).click()
  await offer(page).waitFor({ state: 'detached' })
  await page.reload()
  await nameOf(page).waitFor()
  expect(await offer(page).count()).toBe(0)
  await nameOf(page).fill('Food')
  await page.getByRole('button', { name: 'Close' }).click()
  await page.getByRole('button', { name: 'Discard', exact: true }).click()
  await page.getByRole('dialog').first().waitFor({ state: 'detached' })
  await page.goto(`${skep.url}/console/${place}`)
  await nameOf(page).waitFor()
  expect(await offer(page).count()).toBe(0)
  await close()
})

const keptCount = (page: Page): Promise<number> => page.evaluate('sessionStorage.length')

browserTest('a draft is kept from whoever signs in next, and from nobody after signing out', async () => {
  const { place } = await define('trips')
  const { page, close } = await openConsole(skep, place)
  await loseSession(page, 'Food')
  expect(await keptCount(page)).toBe(1)
  await signInAt(page, other)
  await nameOf(page).waitFor()
  expect(await offer(page).count()).toBe(0)
  expect(await keptCount(page)).toBe(0)
  await page.goto(`${skep.url}/console/new-collection`)
  await page.getByRole('region', { name: 'Name' }).getByLabel('Name').fill('shops')
  await until(async () => (await keptCount(page)) === 1)
  await page.getByRole('button', { name: 'Sign out' }).click()
  await page.getByRole('heading', { name: 'Sign in' }).waitFor()
  expect(await keptCount(page)).toBe(0)
  await close()
})

browserTest('a draft of more than 256 kB is not kept, nor what it was before', async () => {
  const { place } = await define('texts')
  const { page, close } = await openConsole(skep, place)
  await nameOf(page).fill('Food')
  await until(async () => (await keptCount(page)) === 1)
  await nameOf(page).fill('x'.repeat(262_144))
  await until(async () => (await keptCount(page)) === 0)
  await close()
})

browserTest('a new collection that was being defined is offered, and created from what was typed', async () => {
  const { page, close } = await openConsole(skep, 'new-collection')
  const name = page.getByRole('region', { name: 'Name' }).getByLabel('Name')
  await name.fill('ideas')
  await page.getByRole('group', { name: 'new field' }).getByLabel('Name').fill('title')
  await endSessions()
  await page.getByRole('button', { name: 'Create collection' }).click()
  await signInAt(page)
  await offer(page).waitFor()
  expect(await name.inputValue()).toBe('')
  await take(page)
  expect(await name.inputValue()).toBe('ideas')
  await page.getByRole('button', { name: 'Add field' }).click()
  await page.getByRole('group', { name: 'new field' }).getByLabel('Name').fill('text')
  await page.getByRole('button', { name: 'Create collection' }).click()
  await page.getByRole('heading', { name: 'No ideas yet' }).waitFor()
  const token = await newToken(skep)
  const { body } = await skep.call<{ schema: { properties: object } }>('GET', '/collections/ideas', { token })
  expect(Object.keys(body.schema.properties)).toEqual(['title', 'text'])
  await page.goto(`${skep.url}/console/new-collection`)
  await name.waitFor()
  expect(await offer(page).count()).toBe(0)
  await close()
})

browserTest('a definition that was edited as JSON is offered as such, and not saved over a later one', async () => {
  await define('rooms')
  const { page, close } = await openConsole(skep, 'collections/rooms/definition')
  await page.getByRole('button', { name: 'JSON' }).click()
  const editor = page.getByRole('textbox', { name: 'Definition in JSON' })
  await editor.click()
  await page.keyboard.press('Control+a')
  await page.keyboard.type(JSON.stringify({ singular: 'chamber', schema }))
  await endSessions()
  await page.getByRole('button', { name: 'Save definition' }).click()
  await page.getByRole('heading', { name: 'Sign in' }).waitFor()
  const token = await newToken(skep)
  await skep.call('PUT', '/collections/rooms', { token, json: { singular: 'hall', schema } })
  await signInAt(page)
  await offer(page).filter({ hasText: 'The definition has been changed since' }).waitFor()
  await take(page)
  await editor.filter({ hasText: 'chamber' }).waitFor()
  await page.getByRole('button', { name: 'Save definition' }).click()
  await page.getByRole('alert').filter({ hasText: 'was changed meanwhile' }).waitFor()
  expect((await skep.call('GET', '/collections/rooms', { token })).body).toMatchObject({ singular: 'hall' })
  await close()
})
