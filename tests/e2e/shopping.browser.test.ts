import { expect, test } from 'bun:test'
import type { Locator, Page } from 'playwright-core'
import { axeViolations, elsewhere, missing, openPage, snapshot } from '../support/browser.ts'
import {
  add,
  entriesOf,
  live,
  openList,
  type Shop,
  serveExample,
  shows,
  signIn,
  startShop,
} from '../support/shopping-page.ts'
import { startTcpProxy } from '../support/tcp-proxy.ts'
import { until } from '../support/until.ts'

const origin = serveExample()

const HOSTILE = '<img src=x onerror="document.title=1"> & "Ann"'

/** Of the picture itself: 0 until it is loaded. */
const widthOf = (image: Locator) =>
  image.evaluate((element: HTMLElement & { readonly naturalWidth: number }) => element.naturalWidth)

/** What has not reached the server, or was refused. */
const outboxOf = (page: Page) => page.getByRole('region', { name: 'Not saved yet' })

/** A list of two people with some entries, open in a browser of each; Bob's goes through a network that can fail. */
const startShared = async (shop: Shop, bobsServer: string) => {
  const [ann, bob] = [await shop.person('Ann'), await shop.person('Bob')]
  const list = await shop.create('lists', ann, { title: 'Groceries', members: [bob.id] })
  const [milk = 0, bread = 0] = [
    await shop.create('entries', ann, { text: 'Milk', list }),
    await shop.create('entries', ann, { text: 'Bread', list }),
  ]
  const [anns, bobs] = [await openPage(), await openPage()]
  await signIn(anns.page, origin, shop.url, ann)
  await signIn(bobs.page, origin, bobsServer, bob)
  for (const { page } of [anns, bobs]) {
    await openList(page, 'Groceries')
    await shows(page, ['Milk', 'Bread'])
  }
  const close = async () => {
    await anns.page.close()
    await bobs.page.close()
  }
  return { ann, bob, list, milk, bread, anns, bobs, close }
}

test.skipIf(missing)(
  'two people share a list: each sees what the other adds, checks off and deletes, and its pictures',
  async () => {
    const shop = await startShop(origin)
    const { page: anns, requests, errors } = await openPage()
    await anns.goto(`${origin}/shopping/index.html`)
    await anns.getByLabel('Server').fill(shop.url)
    await anns.getByRole('button', { name: 'I have no account' }).click()
    await anns.getByLabel('Your name').fill('Ann')
    await anns.getByLabel('Email', { exact: true }).fill('ann@example.com')
    await anns.getByLabel('Password').fill('correct horse')
    await anns.getByRole('button', { name: 'Create account' }).click()
    await live(anns)
    await anns.getByRole('alert').filter({ hasText: 'that we mailed you' }).waitFor()

    const { page: bobs, errors: bobsErrors } = await openPage()
    await signIn(bobs, origin, shop.url, await shop.person('Bob'))
    await anns.getByLabel('New list').fill(HOSTILE)
    await anns.getByRole('button', { name: 'Create' }).click()
    await anns.getByRole('heading', { name: HOSTILE }).waitFor()
    await anns.getByLabel('Share with').fill('bob@example.com')
    await anns.getByRole('button', { name: 'Share' }).click()
    await anns.getByRole('list', { name: 'Members' }).getByText('Bob').waitFor()
    await openList(bobs, HOSTILE)
    await bobs.getByRole('list', { name: 'Members' }).getByText('Ann').waitFor()

    await add(anns, 'Milk')
    await shows(bobs, ['Milk'])
    await add(bobs, HOSTILE)
    await shows(anns, ['Milk', HOSTILE])
    await bobs.getByRole('checkbox', { name: 'Milk' }).check()
    await shows(anns, ['✓ Milk', HOSTILE])
    await anns.getByRole('button', { name: `Delete ${HOSTILE}` }).click()
    await shows(bobs, ['✓ Milk'])

    const buffer = await anns.screenshot({ clip: { x: 160, y: 0, width: 480, height: 320 } })
    await anns.getByLabel('Add a picture to Milk').setInputFiles({ name: 'milk.png', mimeType: 'image/png', buffer })
    const picture = bobs.getByRole('img', { name: 'Picture of Milk' })
    await picture.waitFor()
    await until(async () => (await widthOf(picture)) === 480)
    expect(await bobs.getByRole('button', { name: 'Delete picture of Milk' }).isVisible()).toBe(false)
    await snapshot(bobs, 'shopping-picture')
    await anns.getByRole('button', { name: 'Delete picture of Milk' }).click()
    await picture.waitFor({ state: 'detached' })

    expect(await anns.title()).toBe('Shopping lists')
    expect(elsewhere(requests, origin).filter((url) => !url.startsWith(`${shop.url}/`))).toEqual([])
    expect([...errors, ...bobsErrors]).toEqual([])
    await anns.close()
    await bobs.close()
  },
  60_000,
)

test.skipIf(missing)(
  'who loses the network and comes back holds what the others hold, and so do they',
  async () => {
    const shop = await startShop(origin)
    await using proxy = await startTcpProxy(shop.url)
    const { ann, list, milk, bread, anns, bobs, close } = await startShared(shop, proxy.url)
    const readings = () => bobs.requests.filter((url) => url.includes('/entries/records/?')).length
    const before = readings()

    proxy.cut()
    await bobs.page.getByText('Connection lost').waitFor()
    await add(bobs.page, 'Eggs')
    await bobs.page.getByRole('checkbox', { name: 'Milk' }).check()
    await outboxOf(bobs.page).getByText('Add “Eggs” to “Groceries”').waitFor()
    await shop.create('entries', ann, { text: 'Butter', list })
    await shop.update('entries', bread, ann, { text: 'Dark bread' })
    await anns.page.getByRole('button', { name: 'Delete Butter' }).click()
    await shop.create('entries', ann, { text: 'Salt', list })
    await shows(anns.page, ['Milk', 'Dark bread', 'Salt'])
    expect(await entriesOf(bobs.page)).toEqual(['✓ Milk', 'Bread'])

    // It appears only if saving takes a while.
    await until(async () => (await bobs.page.evaluate('getComputedStyle(outbox).opacity')) === '1')
    await snapshot(bobs.page, 'shopping-lost')
    proxy.mend()
    await live(bobs.page)
    const both = ['✓ Milk', 'Dark bread', 'Salt', 'Eggs']
    await shows(bobs.page, both)
    await shows(anns.page, both)
    await outboxOf(bobs.page).waitFor({ state: 'hidden' })
    // By cursor: the entries were read once.
    expect(readings()).toBe(before)
    const { body } = await shop.call('GET', `/collections/entries/records/${milk}`, { token: ann.token })
    expect(body).toMatchObject({ done: true, version: 2 })
    await close()
  },
  60_000,
)

test.skipIf(missing)(
  'a list disappears, with its entries, for a member who is removed',
  async () => {
    const shop = await startShop(origin)
    const { anns, bobs, close } = await startShared(shop, shop.url)
    await anns.page.getByRole('button', { name: 'Remove Bob' }).click()
    await bobs.page.getByRole('alert').filter({ hasText: '“Groceries” is gone' }).waitFor()
    expect(await bobs.page.getByRole('button', { name: 'Groceries' }).count()).toBe(0)
    expect(await bobs.page.getByText('Milk').count()).toBe(0)
    await shows(anns.page, ['Milk', 'Bread'])
    expect(bobs.errors).toEqual([])
    await close()
  },
  60_000,
)

test.skipIf(missing)(
  'what a member typed without a network is shown with the reason if the server refuses it later',
  async () => {
    const shop = await startShop(origin)
    await using proxy = await startTcpProxy(shop.url)
    const { ann, bob, list, anns, bobs, close } = await startShared(shop, proxy.url)
    proxy.cut()
    await bobs.page.getByText('Connection lost').waitFor()
    await add(bobs.page, 'Twelve eggs')
    await shop.update('lists', list, ann, { members: [] })
    proxy.mend()
    await bobs.page.getByRole('button', { name: 'Try again' }).waitFor()
    await live(bobs.page)
    expect(await outboxOf(bobs.page).textContent()).toContain('Add “Twelve eggs” to “Groceries”')
    expect(await bobs.page.getByRole('button', { name: 'Groceries' }).count()).toBe(0)
    await snapshot(bobs.page, 'shopping-refused')
    expect(await axeViolations(bobs.page)).toEqual([])

    await shop.update('lists', list, ann, { members: [bob.id] })
    await openList(bobs.page, 'Groceries')
    await bobs.page.getByRole('button', { name: 'Try again' }).click()
    await shows(anns.page, ['Milk', 'Bread', 'Twelve eggs'])
    await outboxOf(bobs.page).waitFor({ state: 'hidden' })
    await close()
  },
  60_000,
)

test.skipIf(missing)(
  'who is signed out meanwhile signs in again, and then what they typed is saved',
  async () => {
    const shop = await startShop(origin)
    await using proxy = await startTcpProxy(shop.url)
    const { bob, anns, bobs, close } = await startShared(shop, proxy.url)
    proxy.cut()
    await bobs.page.getByText('Connection lost').waitFor()
    await add(bobs.page, 'Eggs')
    expect((await shop.call('DELETE', '/auth/sessions', { token: bob.token })).status).toBe(204)
    proxy.mend()
    await bobs.page.getByText('You were signed out').waitFor()
    expect(await bobs.page.getByText('Groceries', { exact: true }).count()).toBe(0)
    await outboxOf(bobs.page).getByText('Add “Eggs” to “Groceries”').waitFor()
    await bobs.page.getByLabel('Password').fill(bob.password)
    await bobs.page.getByRole('button', { name: 'Sign in' }).click()
    await outboxOf(bobs.page).waitFor({ state: 'hidden' })
    await shows(anns.page, ['Milk', 'Bread', 'Eggs'])
    await close()
  },
  60_000,
)

test.skipIf(missing)(
  'the page is accessible and fits, in light, dark and on a narrow screen',
  async () => {
    const shop = await startShop(origin)
    const [ann, bob] = [await shop.person('Ann'), await shop.person('Bob')]
    const list = await shop.create('lists', ann, { title: 'Groceries', members: [bob.id] })
    await shop.create('lists', bob, { title: `A birthday${'y'.repeat(70)}`, members: [ann.id] })
    await shop.create('entries', ann, { text: 'Milk', list, done: true })
    const long = await shop.create('entries', bob, { text: `Bread ${'o'.repeat(150)}`, list })
    for (const [colorScheme, width] of [
      ['light', 1_280],
      ['dark', 1_280],
      ['light', 360],
    ] as const) {
      const { page, errors } = await openPage({ colorScheme, viewport: { width, height: 900 } })
      await page.goto(`${origin}/shopping/index.html`)
      expect(await axeViolations(page)).toEqual([])
      await snapshot(page, `shopping-sign-in-${colorScheme}-${width}`)
      await signIn(page, origin, shop.url, ann)
      await openList(page, 'Groceries')
      await page.locator(`#entries [data-id="${long}"]`).waitFor()
      const buffer = await page.screenshot({ clip: { x: 0, y: 0, width: 320, height: 200 } })
      if (width === 1_280 && colorScheme === 'light') {
        await page.getByLabel('Add a picture to Milk').setInputFiles({ name: 'a.png', mimeType: 'image/png', buffer })
      }
      await page.getByRole('img').waitFor()
      await until(async () => (await widthOf(page.getByRole('img'))) > 0)
      await snapshot(page, `shopping-${colorScheme}-${width}`)
      expect(await axeViolations(page)).toEqual([])
      expect(await page.evaluate('document.documentElement.scrollWidth <= innerWidth')).toBe(true)
      expect(errors).toEqual([])
      await page.close()
    }
  },
  60_000,
)
