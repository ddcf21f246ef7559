import { expect, test } from 'bun:test'
import type { Page } from 'playwright-core'
import { createFirstAdmin } from '../support/admin.ts'
import { axeViolations, elsewhere, missing, openPage, snapshot } from '../support/browser.ts'
import { LOOKS, overhang } from '../support/console.ts'
import { startSkep } from '../support/skep.ts'

/** Registered only where there is a browser, because a skipped test counts as failed. */
const browserTest = (title: string, run: () => Promise<unknown>) => {
  if (!missing) test(title, run, 120_000)
}

const SECRET = '</td><script>alert(1)</script> a secret that must not be shown'
const skep = await startSkep({ JWT_SECRET: SECRET, APP_NAME: '<b>Acme</b> حرف', MAX_BODY_SIZE: '2mb' })
const root = await createFirstAdmin(skep)
const ann = await skep.member('ann@example.com')

/** A page on which the admin is signed in, for all tests. */
const opened = missing
  ? null
  : await (async () => {
      const browser = await openPage()
      await browser.page.goto(`${skep.url}/console/settings`)
      await browser.page.getByLabel('Email address').fill(root.email)
      await browser.page.getByLabel('Password').fill(root.password)
      await browser.page.getByRole('button', { name: 'Sign in' }).click()
      await browser.page.getByRole('heading', { name: 'Settings' }).waitFor()
      return browser
    })()

/** Runs on the page of the admin, and checks that it asked nobody else and logged no error. */
const adminTest = (title: string, path: string, run: (page: Page) => Promise<unknown>) =>
  browserTest(title, async () => {
    if (opened === null) return
    const { page, requests, errors } = opened
    requests.length = 0
    errors.length = 0
    await page.goto(`${skep.url}/console/${path}`)
    await run(page)
    expect(elsewhere(requests, skep.url)).toEqual([])
    expect(errors).toEqual([])
  })

/** Checks the page as it is in light and dark, on a phone and a screen. */
const looksGood = async (page: Page, name: string) => {
  for (const { scheme, width, isAudited, ...look } of LOOKS) {
    await page.emulateMedia({ colorScheme: scheme })
    await page.setViewportSize({ width, height: 1_000 })
    const shown = `console-${name}-${look.name}`
    await snapshot(page, shown)
    expect([shown, isAudited ? await axeViolations(page) : [], await overhang(page)]).toEqual([shown, [], 0])
  }
  await page.emulateMedia({ colorScheme: 'light' })
}

adminTest('the overview shows the health of the server and charts that go on', '', async (page) => {
  await page.getByText('Ready', { exact: true }).waitFor()
  const requests = page.getByRole('region', { name: 'Requests' })
  await requests.locator('canvas').waitFor()
  // The same in words, for those who do not see the chart.
  const rows = requests.getByRole('table', { name: /^Requests, requests per second/ }).getByRole('row')
  await rows.nth(1).waitFor()
  expect(await rows.nth(1).textContent()).not.toContain('–')
  await page
    .getByRole('region', { name: 'Storage' })
    .getByText(/ (kB|MB)$/)
    .first()
    .waitFor()
  await looksGood(page, 'overview')
  // What was, is shown while the pointer is on the chart.
  const box = await requests.locator('.u-over').boundingBox()
  if (box === null) throw new Error('there is no chart')
  await page.mouse.move(box.x + box.width - 1, box.y + box.height / 2)
  await requests
    .getByText(/^\d\d:\d\d:\d\d/)
    .first()
    .waitFor()
  await page.mouse.move(0, 0)
})

browserTest('a hidden overview asks nothing, and goes on when it is shown again', async () => {
  if (opened === null) return
  const storageState = await opened.page.context().storageState()
  const { page } = await openPage({ storageState })
  let asked = 0
  page.on('request', (request) => {
    if (request.url().endsWith('/admin/overview')) asked++
  })
  await page.clock.install()
  await page.goto(`${skep.url}/console/`)
  await page.getByText('Ready', { exact: true }).waitFor()
  await page.evaluate(`Object.defineProperty(document, 'hidden', { value: true, configurable: true })`)
  const before = asked
  await page.clock.runFor(60_000)
  expect(asked).toBe(before)
  const next = page.waitForRequest(/admin\/overview$/)
  await page.evaluate(`delete document.hidden; document.dispatchEvent(new Event('visibilitychange'))`)
  await next
  await page.close()
})

adminTest('the settings say where they come from, and no secret', 'settings', async (page) => {
  const row = (name: string) =>
    page.getByRole('row').filter({ has: page.getByRole('rowheader', { name, exact: true }) })
  await row('MAX_BODY_SIZE').getByText('2mb').waitFor()
  expect(await row('MAX_BODY_SIZE').textContent()).toContain('Environment')
  expect(await row('APP_NAME').textContent()).toContain('<b>Acme</b>')
  expect(await row('JWT_SECRET').textContent()).toContain('***')
  expect(await page.content()).not.toContain('a secret that must not be shown')
  await looksGood(page, 'settings')
  await page.getByLabel('Find a setting').fill('quota')
  await row('HOST').waitFor({ state: 'detached' })
  expect(await page.getByRole('rowheader').allTextContents()).toEqual(['QUOTA'])
})

adminTest('the audit log shows who did what, and only what is asked for', 'audit', async (page) => {
  await skep.call('PATCH', `/users/${ann.id}`, { token: root.token, json: { name: 'Anna' } })
  await skep.call('POST', '/auth/token', { form: { username: ann.email, password: 'wrong horse' } })
  await page.getByRole('button', { name: 'Refresh' }).click()
  await page.getByRole('cell', { name: 'sign_in.failed' }).waitFor()
  await looksGood(page, 'audit')

  await page.getByLabel('Action').fill('user.')
  await page.keyboard.press('Enter')
  await page.getByRole('cell', { name: 'sign_in.failed' }).waitFor({ state: 'detached' })
  await page.getByRole('row').filter({ hasText: 'user.updated' }).getByRole('button').click()
  const entry = page.getByRole('dialog', { name: 'user.updated' })
  await entry.getByText('127.0.0.1').waitFor()
  await looksGood(page, 'audit-entry')
  await entry.getByRole('button', { name: `Only these: subject users/${ann.id}` }).click()
  expect(new URL(page.url()).searchParams.get('subject')).toBe(`users/${ann.id}`)
  await page.getByLabel('Until').fill('2020-01-01T00:00:00')
  await page.keyboard.press('Enter')
  await page.getByRole('heading', { name: 'Nothing matches' }).waitFor()
  await page.getByRole('button', { name: 'Clear filters' }).click()
  await page.getByRole('cell', { name: 'sign_in.failed' }).waitFor()

  expect(opened?.errors).toEqual([])
  await page.getByLabel('Action').fill('Anything else')
  await page.keyboard.press('Enter')
  await page.getByText('an action, or the beginning of some that ends in a dot').waitFor()
  expect(await page.getByLabel('Action').inputValue()).toBe('Anything else')
  // The browser itself logs the answer.
  opened?.errors.splice(0)
})

adminTest('an admin makes a backup, verifies, downloads and deletes it', 'backups', async (page) => {
  await page.getByRole('heading', { name: 'No backups yet' }).waitFor()
  await looksGood(page, 'no-backups')
  await page.getByRole('button', { name: 'Back up now' }).click()
  const entry = page.getByRole('list', { name: 'Backups' }).getByRole('listitem')
  await entry.getByText('done', { exact: true }).waitFor()
  await entry.getByRole('button', { name: /^Verify/ }).click()
  await entry.getByText(/^Verified: \d+ rows/).waitFor()
  await looksGood(page, 'backups')
  const [download] = await Promise.all([
    page.waitForEvent('download'),
    entry.getByRole('button', { name: /^Download/ }).click(),
  ])
  expect(download.suggestedFilename()).toMatch(/^skep-.*\.tar\.zst$/)
  expect(await entry.textContent()).toContain(download.suggestedFilename())
  await entry.getByRole('button', { name: /^Delete/ }).click()
  const dialog = page.getByRole('dialog', { name: 'Delete this backup?' })
  await looksGood(page, 'delete-backup')
  await dialog.getByRole('button', { name: 'Delete backup' }).click()
  await page.getByRole('heading', { name: 'No backups yet' }).waitFor()
})

adminTest('what the server refuses is shown in its own words, and nothing is lost', 'backups', async (page) => {
  const entry = page.getByRole('list', { name: 'Backups' }).getByRole('listitem')
  await page.getByRole('button', { name: 'Back up now' }).click()
  await entry.getByText('done', { exact: true }).waitFor()
  await entry.getByRole('button', { name: /^Delete/ }).click()
  const { body } = await skep.call<{ items: { id: number }[] }>('GET', '/admin/backups', { token: root.token })
  await skep.call('DELETE', `/admin/backups/${body.items[0]?.id}`, { token: root.token })
  const dialog = page.getByRole('dialog', { name: 'Delete this backup?' })
  await dialog.getByRole('button', { name: 'Delete backup' }).click()
  await dialog.getByRole('alert').getByText('Backup not found').waitFor()
  await dialog.getByRole('button', { name: 'Cancel' }).click()
  await page.getByRole('heading', { name: 'No backups yet' }).waitFor()
  // The browser itself logs the answer.
  opened?.errors.splice(0)
})
