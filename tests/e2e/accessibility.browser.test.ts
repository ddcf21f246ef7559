import { expect, test } from 'bun:test'
import type { Page } from 'playwright-core'
import { axeViolations, missing, openPage, snapshot } from '../support/browser.ts'
import { startSkep } from '../support/skep.ts'

const skep = await startSkep({ APP_NAME: 'Acme', APP_URL: 'https://acme.example' })

const openOperation = async (page: Page, id: string) => {
  await page.locator(`#operations-${id} .opblock-summary-control`).click()
  await page.locator('button.execute').waitFor()
}

/** What is looked at: where it is, what is done before, and which part of the page is new then. */
const VIEWS: readonly (readonly [
  name: string,
  path: string,
  arrive: (page: Page) => Promise<unknown>,
  part?: string,
])[] = [
  ['home', '/', async () => {}],
  ['verify-email', '/verify-email#token=abc', async () => {}],
  ['reset-password', '/reset-password#token=abc', async () => {}],
  ['reset-password-incomplete', '/reset-password', async () => {}],
  [
    'verify-email-refused',
    '/verify-email#token=abc',
    async (page) => {
      await page.getByRole('button').click()
      await page.getByText('This link has expired').waitFor()
    },
  ],
  ['forgot-password', '/forgot-password', async () => {}],
  [
    'forgot-password-done',
    '/forgot-password',
    async (page) => {
      await page.getByLabel('Email address').fill('nobody@example.com')
      await page.getByRole('button').click()
      await page.getByText('we have sent a link').waitFor()
    },
  ],
  ['resend-verification', '/resend-verification', async () => {}],
  ['docs', '/docs', (page) => page.locator('.opblock').first().waitFor()],
  ['docs-more', '/docs', (page) => page.locator('.info-more summary').click(), '.information-container'],
  [
    'docs-authorize',
    '/docs',
    async (page) => {
      await page.locator('.btn.authorize').first().click()
      await page.locator('#oauth_username').waitFor()
    },
    '.dialog-ux',
  ],
  ['docs-body', '/docs', (page) => openOperation(page, 'users-registerUser'), '#operations-users-registerUser'],
  ['docs-parameters', '/docs', (page) => openOperation(page, 'items-listItems'), '#operations-items-listItems'],
  [
    'docs-answer',
    '/docs',
    async (page) => {
      await openOperation(page, 'operations-getHealth')
      await page.locator('button.execute').click()
      await page.locator('.live-responses-table').waitFor()
    },
    '#operations-operations-getHealth',
  ],
]

const LOOKS = (['light', 'dark'] as const).flatMap((scheme) => [360, 1_280].map((width) => [scheme, width] as const))

for (const [name, path, arrive, part] of VIEWS) {
  test.skipIf(missing)(
    `${name} is fit for everyone in light and dark, on a phone and a screen`,
    async () => {
      const { page } = await openPage()
      await page.goto(skep.url + path)
      await arrive(page)
      for (const [colorScheme, width] of LOOKS) {
        await page.emulateMedia({ colorScheme })
        await page.setViewportSize({ width, height: 900 })
        const look = `${name}-${colorScheme}-${width}`
        await snapshot(page, look)
        expect([look, await axeViolations(page, part)]).toEqual([look, []])
        const tooWide = await page.evaluate<number>('document.documentElement.scrollWidth - innerWidth')
        expect([look, tooWide]).toEqual([look, 0])
      }
      await page.close()
    },
    120_000,
  )
}
