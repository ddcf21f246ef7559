import { afterAll } from 'bun:test'
import { existsSync } from 'node:fs'
import axe from 'axe-core'
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core'

const executablePath = process.env.CHROMIUM ?? '/usr/bin/chromium'
/** Whether there is no browser to test with. */
export const missing = !existsSync(executablePath)
if (missing) console.warn(`No browser at ${executablePath}: set CHROMIUM to one. Tests of the pages are skipped.`)

let browser: Browser | null = null
afterAll(() => browser?.close())

/** A page that can reach no host but ours, and what it asks for. */
export const openPage = async (
  options: BrowserContextOptions = {},
): Promise<{ page: Page; requests: string[]; errors: string[] }> => {
  browser ??= await chromium.launch({
    executablePath,
    args: ['--no-sandbox', '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1'],
  })
  const page = await browser.newPage({ viewport: { width: 1_280, height: 1_000 }, ...options })
  const requests: string[] = []
  const errors: string[] = []
  page.on('request', (request) => requests.push(request.url()))
  page.on('pageerror', (error) => errors.push(String(error)))
  page.on('console', (message) => {
    if (message.type() === 'error') errors.push(message.text())
  })
  return { page, requests, errors }
}

/** What was asked of another origin. */
export const elsewhere = (requests: readonly string[], origin: string) =>
  requests.filter((url) => !url.startsWith(`${origin}/`) && !/^(data|blob):/.test(url))

/** Saves a picture into the folder that SCREENSHOTS names. */
export const snapshot = async (page: Page, name: string) => {
  const folder = process.env.SCREENSHOTS
  // A caret is hidden by an inline style, which the policy of the page refuses with an error.
  if (folder !== undefined) await page.screenshot({ path: `${folder}/${name}.png`, caret: 'initial' })
}

interface Violation {
  readonly id: string
  readonly nodes: readonly { readonly target: readonly string[] }[]
}

/** Resolves when colours have their final values. What turns for ever is not waited for. */
const TRANSITIONS_END = `Promise.allSettled(document.getAnimations()
  .filter(({ effect }) => effect.getComputedTiming().endTime !== Infinity)
  .map(({ finished }) => finished)).then(() => {})`

/** What axe-core finds wrong with the page as it is, or a part of it: each a rule and the elements that break it. */
export const axeViolations = async (page: Page, part = 'html'): Promise<readonly string[]> => {
  await page.evaluate(TRANSITIONS_END)
  await page.evaluate(axe.source)
  const found = await page.evaluate<readonly Violation[]>(
    `axe.run(${JSON.stringify(part)}, { preload: false }).then(({ violations }) => violations.map(({ id, nodes }) => ({ id, nodes })))`,
  )
  return found.map(({ id, nodes }) => `${id}: ${nodes.map(({ target }) => target.join(' ')).join(', ')}`)
}
