import { expect } from 'bun:test'
import type { Page } from 'playwright-core'
import { axeViolations, elsewhere, openPage, snapshot } from '../support/browser.ts'
import { browserTest, define, LOOKS, openConsole, overhang, ROOT, startWithAdmin } from '../support/console.ts'
import { startSkep } from '../support/skep.ts'
import { startTcpProxy } from '../support/tcp-proxy.ts'
import { upload } from '../support/uploads.ts'

browserTest('a new admin opens the setup link, defines tasks by clicking and adds a record', async () => {
  const skep = await startSkep()
  const { page, requests, errors } = await openPage()
  await page.goto(skep.setupUrl ?? '')
  expect(page.url()).toBe(`${skep.url}/console/setup`)
  await page.getByLabel('Email address').fill(ROOT.email)
  await page.getByLabel('Name').fill(ROOT.name)
  await page.getByLabel('Password').fill('password1')
  await page.getByRole('button', { name: 'Create admin' }).click()
  await page.getByText('This password is among the most common ones').first().waitFor()
  expect(await page.getByLabel('Email address').inputValue()).toBe(ROOT.email)
  errors.length = 0
  await page.getByLabel('Password').fill(ROOT.password)
  await page.getByRole('button', { name: 'Create admin' }).click()

  await page.getByRole('link', { name: 'New collection' }).first().click()
  await page.getByRole('region', { name: 'Name' }).getByLabel('Name').fill('tasks')
  const field = page.getByRole('group', { name: 'new field' })
  await field.getByLabel('Name').fill('title')
  await page.getByRole('group', { name: 'title' }).getByLabel('Required').check()
  await page.getByRole('button', { name: 'Add field' }).click()
  await field.getByLabel('Type').selectOption('Yes or no')
  await field.getByLabel('Name').fill('done')
  await page.getByLabel('read').fill('auth.id == record.owner')
  await page.locator('.fault').first().waitFor()
  await snapshot(page, 'console-definition-fault')
  await page.getByLabel('read').fill('true')
  await page.locator('.fault').first().waitFor({ state: 'detached' })
  errors.length = 0
  await page.getByRole('button', { name: 'Create collection' }).click()

  await page.getByRole('heading', { name: 'No tasks yet' }).waitFor()
  await page.getByRole('button', { name: 'New task' }).first().click()
  await page.getByRole('textbox', { name: 'title' }).fill('<b>Milk</b> \u202Eevil')
  await page.getByRole('button', { name: 'Create', exact: true }).click()
  await page.getByRole('cell', { name: '<b>Milk</b>' }).waitFor()
  expect(elsewhere(requests, skep.url)).toEqual([])
  expect(errors).toEqual([])
  await page.close()
})

browserTest(
  'a record has its history, returns to an earlier version, and comes back after it was deleted',
  async () => {
    const { skep, token } = await startWithAdmin()
    await define(skep, token)
    const { page, close } = await openConsole(skep, 'collections/lists')
    await page.getByRole('button', { name: 'Open list 1' }).click()
    const name = page.getByRole('textbox', { name: 'name' })
    await name.fill('Food')
    await page.getByRole('button', { name: 'Save' }).click()
    await page.getByRole('button', { name: 'Open list 1' }).click()
    await page.getByText('History').click()
    await page.getByText('Version 2').waitFor()
    expect(await page.locator('.versions li').first().textContent()).toContain('Groceries Food')
    await snapshot(page, 'console-history')
    expect(await axeViolations(page)).toEqual([])
    await page.getByRole('button', { name: 'Return to version 1' }).click()
    await page.getByText('Version 3').waitFor()
    expect(await name.inputValue()).toBe('Groceries')
    await page.getByRole('button', { name: 'Delete' }).click()
    await page.getByRole('dialog', { name: 'Delete list 1?' }).getByRole('button', { name: 'Delete' }).click()
    await page.getByRole('heading', { name: 'No lists yet' }).waitFor()
    await page.getByRole('button', { name: 'Undo' }).click()
    await page.getByRole('cell', { name: 'Groceries' }).waitFor()
    await close()
  },
)

browserTest('a server that cannot be reached is reported, and what was shown stays until it is back', async () => {
  const { skep, token } = await startWithAdmin()
  await define(skep, token)
  await using network = await startTcpProxy(skep.url)
  const { page } = await openConsole({ ...skep, url: network.url })
  const failure = page.getByRole('alert').filter({ hasText: 'The server did not answer' })
  const charts = page.getByRole('region', { name: 'Requests' })
  await charts.locator('canvas').waitFor()
  network.cut()
  await failure.waitFor()
  await charts.locator('canvas').waitFor()
  await snapshot(page, 'console-unreachable-overview')
  network.mend()
  await failure.waitFor({ state: 'detached' })

  const milk = page.getByRole('cell', { name: 'Milk' })
  await page.goto(`${network.url}/console/collections/tasks`)
  await milk.waitFor()
  network.cut()
  await page.getByRole('button', { name: 'created' }).click()
  await failure.waitFor()
  await milk.waitFor()
  await snapshot(page, 'console-unreachable-list')
  expect(await axeViolations(page)).toEqual([])
  network.mend()
  await page.getByRole('button', { name: 'Try again' }).click()
  await failure.waitFor({ state: 'detached' })
  await milk.waitFor()
  await page.close()
})

const VIEWS: readonly (readonly [name: string, path: string, arrive: (page: Page) => Promise<unknown>])[] = [
  ['collections', 'collections', (page) => page.getByRole('rowheader', { name: 'tasks' }).waitFor()],
  ['new-collection', 'new-collection', (page) => page.getByRole('heading', { level: 1 }).waitFor()],
  ['definition', 'collections/tasks/definition', (page) => page.getByRole('group', { name: 'title' }).waitFor()],
  [
    'definition-json',
    'collections/tasks/definition',
    async (page) => {
      await page.getByRole('button', { name: 'JSON' }).click()
      await page.getByRole('textbox', { name: 'Definition in JSON' }).waitFor()
    },
  ],
  ['records', 'collections/tasks', (page) => page.getByRole('cell', { name: 'Milk' }).waitFor()],
  [
    'record',
    'collections/tasks',
    (page) =>
      page
        .getByRole('button', { name: /Open task/ })
        .first()
        .click()
        .then(() => page.getByRole('textbox', { name: 'title' }).waitFor()),
  ],
  ['no-records', 'collections/tasks?filter=false', (page) => page.getByText('Nothing matches').waitFor()],
  ['users', 'users', (page) => page.getByRole('rowheader', { name: 'Root' }).waitFor()],
  [
    'user',
    'users',
    async (page) => {
      await page.getByRole('button', { name: 'Root' }).click()
      await page.getByRole('dialog').waitFor()
    },
  ],
  ['files', 'files', (page) => page.getByRole('button', { name: /Download/ }).waitFor()],
  ['jobs', 'jobs', (page) => page.getByRole('cell', { name: 'mail' }).first().waitFor()],
]

browserTest('every page is fit for everyone in light and dark, on a phone and a screen', async () => {
  const { skep, token } = await startWithAdmin()
  await define(skep, token)
  await skep.member('ann@example.com')
  await upload(skep.call, { token, filename: 'dot.png' })
  const entry = await openPage()
  await entry.page.goto(`${skep.url}/console/`)
  await entry.page.getByRole('heading', { name: 'Sign in' }).waitFor()
  await snapshot(entry.page, 'console-sign-in')
  expect(await axeViolations(entry.page)).toEqual([])
  await entry.page.close()
  const { page, close } = await openConsole(skep)
  for (const [name, path, arrive] of VIEWS) {
    await page.goto(`${skep.url}/console/${path}`)
    await arrive(page)
    await page.getByRole('main').waitFor()
    for (const { scheme, width, isAudited, ...look } of LOOKS) {
      await page.emulateMedia({ colorScheme: scheme })
      await page.setViewportSize({ width, height: 900 })
      const shown = `console-${name}-${look.name}`
      await snapshot(page, shown)
      expect([shown, isAudited ? await axeViolations(page) : [], await overhang(page)]).toEqual([shown, [], 0])
    }
  }
  await close()
})
