import { expect, test } from 'bun:test'
import type { BrowserContextOptions, Page } from 'playwright-core'
import { elsewhere, missing, openPage } from './browser.ts'
import { startSkep, type TestSkep } from './skep.ts'

/** Registered only where there is a browser, because a skipped test counts as failed. */
export const browserTest = (title: string, run: () => Promise<unknown>) => {
  if (!missing) test(title, run, 120_000)
}

export const ROOT = { email: 'root@example.com', name: 'Root', password: 'violet correct horse' }

/** Of a new session of the admin. */
export const newToken = async (skep: TestSkep): Promise<string> => {
  const form = { username: ROOT.email, password: ROOT.password }
  return (await skep.call<{ access_token: string }>('POST', '/auth/token', { form })).body.access_token
}

/** A server with an admin, and the admin's token. */
export const startWithAdmin = async (overrides: Parameters<typeof startSkep>[1] = {}) => {
  const skep = await startSkep({}, overrides)
  const token = new URL(skep.setupUrl ?? 'none:').hash.replace('#token=', '')
  await skep.call('POST', '/auth/setup', { json: { token, ...ROOT } })
  return { skep, token: await newToken(skep) }
}

/** Of a refusal, which the console shows as its message. */
const REFUSAL = /^Failed to load resource: the server responded with a status of 4\d\d/

/** Signs in when the page asks for it. */
export const signInAt = async (page: Page, { email, password }: { email: string; password: string } = ROOT) => {
  await page.getByRole('textbox', { name: 'Email address' }).fill(email)
  await page.getByLabel('Password').fill(password)
  await page.getByRole('button', { name: 'Sign in' }).click()
  await page.locator('.shell').waitFor()
}

/** Signs the admin in at a page of the console. `close` also expects that nothing went wrong in the browser meanwhile. */
export const openConsole = async (skep: TestSkep, path = '', options: BrowserContextOptions = {}) => {
  const { page, requests, errors } = await openPage(options)
  await page.goto(`${skep.url}/console/${path}`)
  await signInAt(page)
  const close = async () => {
    await page.close()
    expect(elsewhere(requests, skep.url)).toEqual([])
    expect(errors.filter((text) => !REFUSAL.test(text))).toEqual([])
  }
  return { page, close }
}

/** On a phone and a screen, in light and dark. */
export const LOOKS = (['light', 'dark'] as const).flatMap((scheme) =>
  [360, 1_280].map((width) => ({
    scheme,
    width,
    name: `${scheme}-${width}`,
    /** Contrast depends on the scheme and structure on the width, so that two of the four are enough for axe-core. */
    isAudited: (scheme === 'light') === (width === 360),
  })),
)

/** How far the page is wider than the screen. */
export const overhang = (page: Page): Promise<number> =>
  page.evaluate('document.documentElement.scrollWidth - innerWidth')

export const LISTS = {
  schema: { type: 'object', required: ['name'], properties: { name: { type: 'string', maxLength: 200 } } },
  search: ['name'],
}

export const TASKS = {
  schema: {
    type: 'object',
    required: ['title', 'list'],
    properties: {
      title: { type: 'string', minLength: 1, maxLength: 200 },
      done: { type: 'boolean', default: false },
      due_at: { type: ['string', 'null'], format: 'date-time' },
      list: { type: 'integer', 'x-ref': 'lists', 'x-on-delete': 'cascade' },
      photo: { type: ['integer', 'null'], 'x-ref': 'files' },
    },
  },
  indexes: [{ fields: ['list', 'due_at'] }],
  search: ['title'],
}

/** Defines `lists` and `tasks`, with a list and two tasks. */
export const define = async (skep: TestSkep, token: string) => {
  await skep.call('PUT', '/collections/lists', { token, json: LISTS })
  await skep.call('PUT', '/collections/tasks', { token, json: TASKS })
  const list = await skep.call('POST', '/collections/lists/records/', { token, json: { name: 'Groceries' } })
  for (const title of ['Milk', 'Bread']) {
    await skep.call('POST', '/collections/tasks/records/', { token, json: { title, list: list.body.id } })
  }
}
