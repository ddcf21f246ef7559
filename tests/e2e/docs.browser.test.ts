import { afterAll, expect, test } from 'bun:test'
import { existsSync } from 'node:fs'
import { type Browser, chromium, type Page } from 'playwright-core'
import { startSkep } from '../support/skep.ts'

const executablePath = process.env.CHROMIUM ?? '/usr/bin/chromium'
const missing = !existsSync(executablePath)
if (missing) console.warn(`No browser at ${executablePath}: set CHROMIUM to one. Tests of the pages are skipped.`)

let browser: Browser | null = null
afterAll(() => browser?.close())

/** A page that can reach no host but ours, and what it asks for. */
const openPage = async (): Promise<{ page: Page; requests: string[]; errors: string[] }> => {
  browser ??= await chromium.launch({
    executablePath,
    args: ['--no-sandbox', '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1'],
  })
  const page = await browser.newPage({ viewport: { width: 1_280, height: 1_000 } })
  const requests: string[] = []
  const errors: string[] = []
  page.on('request', (request) => requests.push(request.url()))
  page.on('pageerror', (error) => errors.push(String(error)))
  page.on('console', (message) => {
    if (message.type() === 'error') errors.push(message.text())
  })
  return { page, requests, errors }
}

const elsewhere = (requests: readonly string[], origin: string) =>
  requests.filter((url) => !url.startsWith(`${origin}/`) && !/^(data|blob):/.test(url))

const snapshot = async (page: Page, name: string) => {
  const folder = process.env.SCREENSHOTS
  if (folder !== undefined) await page.screenshot({ path: `${folder}/${name}.png` })
}

test.skipIf(missing)(
  'Swagger UI signs in and calls an operation, and nothing leaves our origin',
  async () => {
    const skep = await startSkep()
    const { email, password } = await skep.member()
    const { page, requests, errors } = await openPage()
    await page.goto(`${skep.url}/docs`)
    await page.locator('.opblock').first().waitFor()
    expect(await page.locator('h1, h2.title').first().textContent()).toContain('Skep')
    await snapshot(page, 'docs')

    await page.locator('.btn.authorize').first().click()
    const dialog = page.locator('.auth-container', { has: page.locator('#oauth_username') })
    await dialog.locator('#oauth_username').fill(email)
    await dialog.locator('#oauth_password').fill(password)
    await snapshot(page, 'docs-authorize')
    await dialog.locator('button.authorize').click()
    await page.getByRole('button', { name: 'Logout' }).waitFor()
    await page.locator('.btn-done').first().click()

    const operation = page.locator('#operations-users-getMe')
    await operation.locator('.opblock-summary-control').click()
    await operation.locator('button.execute').click()
    const answer = operation.locator('.live-responses-table')
    await answer.waitFor()
    await snapshot(page, 'docs-answer')
    expect(await answer.locator('.response-col_status').last().textContent()).toContain('200')
    expect(await answer.textContent()).toContain(email)

    expect(elsewhere(requests, skep.url)).toEqual([])
    expect(errors).toEqual([])
    await page.close()
  },
  60_000,
)

test.skipIf(missing)(
  'Redoc shows the reference, and nothing leaves our origin',
  async () => {
    const skep = await startSkep()
    const { page, requests, errors } = await openPage()
    await page.goto(`${skep.url}/redoc`)
    await page.locator('[id="tag/users/operation/getMe"]').waitFor()
    expect(await page.locator('h1').first().textContent()).toContain('Skep')
    expect(await page.locator('[id="tag/users/operation/getMe"]').textContent()).toContain('Your own account')
    await page.locator('input[placeholder="Search..."]').fill('password')
    await page.locator('[data-role="search:results"] li').first().waitFor()
    await snapshot(page, 'redoc')
    expect(elsewhere(requests, skep.url)).toEqual([])
    expect(errors).toEqual([])
    await page.close()
  },
  60_000,
)
