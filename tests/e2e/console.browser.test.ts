import { expect, test } from 'bun:test'
import type { Page } from 'playwright-core'
import { PermanentFailure } from '../../src/application/ports/messaging.ts'
import { axeViolations, elsewhere, missing, openPage, snapshot } from '../support/browser.ts'
import { startSkep, type TestSkep } from '../support/skep.ts'
import { upload } from '../support/uploads.ts'

/** Registered only where there is a browser, because a skipped test counts as failed. */
const browserTest = (title: string, run: () => Promise<unknown>) => {
  if (!missing) test(title, run, 120_000)
}

const ROOT = { email: 'root@example.com', name: 'Root', password: 'violet correct horse' }

/** A server with an admin, and the admin's token. */
const startWithAdmin = async (overrides: Parameters<typeof startSkep>[1] = {}) => {
  const skep = await startSkep({}, overrides)
  const token = new URL(skep.setupUrl ?? 'none:').hash.replace('#token=', '')
  await skep.call('POST', '/auth/setup', { json: { token, ...ROOT } })
  const form = { username: ROOT.email, password: ROOT.password }
  const { body } = await skep.call<{ access_token: string }>('POST', '/auth/token', { form })
  return { skep, token: body.access_token }
}

const signIn = async (page: Page, skep: TestSkep, path = '') => {
  await page.goto(`${skep.url}/console/${path}`)
  await page.getByLabel('Email address').fill(ROOT.email)
  await page.getByLabel('Password').fill(ROOT.password)
  await page.getByRole('button', { name: 'Sign in' }).click()
  await page.getByRole('navigation', { name: 'Console' }).waitFor({ state: 'attached' })
}

const LISTS = {
  schema: { type: 'object', required: ['name'], properties: { name: { type: 'string', maxLength: 200 } } },
  search: ['name'],
}

const TASKS = {
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

/** The collections `lists` and `tasks`, with a list and two tasks. */
const define = async (skep: TestSkep, token: string) => {
  await skep.call('PUT', '/collections/lists', { token, json: LISTS })
  await skep.call('PUT', '/collections/tasks', { token, json: TASKS })
  const list = await skep.call('POST', '/collections/lists/records/', { token, json: { name: 'Groceries' } })
  for (const title of ['Milk', 'Bread']) {
    await skep.call('POST', '/collections/tasks/records/', { token, json: { title, list: list.body.id } })
  }
}

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

browserTest('changes by others appear, and a filter that is wrong is answered with the reason', async () => {
  const { skep, token } = await startWithAdmin()
  await define(skep, token)
  const { page, errors } = await openPage()
  await signIn(page, skep, 'collections/tasks')
  await page.getByText('Live').waitFor()
  const { body: lists } = await skep.call<{ items: { id: number }[] }>('GET', '/collections/lists/records/', { token })
  const json = { title: 'Butter', list: lists.items[0]?.id }
  await skep.call('POST', '/collections/tasks/records/', { token, json })
  await page.getByRole('cell', { name: 'Butter' }).waitFor()
  await page.getByRole('cell', { name: 'Groceries' }).first().waitFor()
  expect(errors).toEqual([])

  await page.getByLabel('Filter').fill('nothing == 1')
  await page.keyboard.press('Enter')
  await page.getByRole('alert').filter({ hasText: 'filter' }).waitFor()
  expect(await page.getByLabel('Filter').inputValue()).toBe('nothing == 1')
  await page.getByLabel('Filter').fill('title == "Milk"')
  await page.keyboard.press('Enter')
  await page.getByText('1 record', { exact: true }).waitFor()
  await page.close()
})

browserTest(
  'a record has its history, returns to an earlier version, and comes back after it was deleted',
  async () => {
    const { skep, token } = await startWithAdmin()
    await define(skep, token)
    const { page, errors } = await openPage()
    await signIn(page, skep, 'collections/lists')
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
    expect(errors).toEqual([])
    await page.close()
  },
)

browserTest('a record is added by keyboard alone, with a reference picked by name', async () => {
  const { skep, token } = await startWithAdmin()
  await define(skep, token)
  const { page } = await openPage()
  await signIn(page, skep, 'collections/tasks')
  await page.getByRole('button', { name: 'New task' }).focus()
  await page.keyboard.press('Enter')
  await page.getByRole('textbox', { name: 'title' }).focus()
  await page.keyboard.type('Eggs')
  await page.keyboard.press('Tab')
  await page.getByRole('combobox', { name: 'list' }).focus()
  await page.keyboard.type('Groc')
  await page.getByRole('option', { name: 'Groceries' }).waitFor()
  await page.keyboard.press('Enter')
  await page.getByRole('button', { name: 'Remove Groceries' }).waitFor()
  await page.getByRole('button', { name: 'Create', exact: true }).focus()
  await page.keyboard.press('Enter')
  await page.getByRole('cell', { name: 'Eggs' }).waitFor()
  await page.close()
})

browserTest('records are imported from a file, and refused lines are listed', async () => {
  const { skep, token } = await startWithAdmin()
  await define(skep, token)
  const { page } = await openPage()
  await signIn(page, skep, 'collections/lists')
  await page.getByRole('button', { name: 'Import / export' }).click()
  const lines = Array.from({ length: 2_000 }, (_, n) => JSON.stringify({ name: `List ${n}` }))
  const buffer = Buffer.from([...lines, '{"name":7}'].join('\n'))
  await page.getByLabel('Choose a file').setInputFiles({ name: 'lists.ndjson', mimeType: 'text/plain', buffer })
  await page.getByText('2,000 records were created').waitFor()
  await page.getByText('Line 2001:').waitFor()
  await snapshot(page, 'console-import')
  await page.close()
})

browserTest('an admin finds a user, deactivates them and signs them out everywhere', async () => {
  const { skep } = await startWithAdmin()
  const ann = await skep.member('ann@example.com')
  const { page } = await openPage()
  await signIn(page, skep, 'users')
  await page.getByLabel('Search names and addresses').fill('ann@')
  await page.getByRole('rowheader', { name: 'Root' }).waitFor({ state: 'detached' })
  await page.getByRole('button', { name: 'Ann' }).click()
  await page.getByRole('button', { name: 'Sign out everywhere' }).click()
  await page.getByText('Not signed in anywhere.').waitFor()
  expect((await skep.call('GET', '/users/me', { token: ann.token })).status).toBe(401)
  await page.getByLabel('Active: can sign in').uncheck()
  await page.getByRole('button', { name: 'Save' }).click()
  await page.getByText('Deactivated').waitFor()
  await page.close()
})

browserTest('an admin retries a dead job and sees it done', async () => {
  let isRefused = true
  const mailer = {
    async send() {
      if (isRefused) throw new PermanentFailure('550 <no> such mailbox')
    },
  }
  const { skep } = await startWithAdmin({ mailer })
  const { page } = await openPage()
  await signIn(page, skep, 'jobs?state=dead')
  await page.getByText('No job is dead').waitFor()
  await skep.member('ann@example.com')
  await page.getByRole('cell', { name: '550 <no> such mailbox' }).waitFor()
  isRefused = false
  await page.getByRole('button', { name: /^Retry job/ }).click()
  await page.getByText('No job is dead').waitFor()
  await page.getByRole('button', { name: 'done' }).click()
  await page.getByRole('cell', { name: 'mail' }).waitFor()
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

const LOOKS = (['light', 'dark'] as const).flatMap((scheme) => [360, 1_280].map((width) => [scheme, width] as const))

browserTest('every page is fit for everyone in light and dark, on a phone and a screen', async () => {
  const { skep, token } = await startWithAdmin()
  await define(skep, token)
  await skep.member('ann@example.com')
  await upload(skep.call, { token, filename: 'dot.png' })
  const { page } = await openPage()
  await page.goto(`${skep.url}/console/`)
  await page.getByRole('heading', { name: 'Sign in' }).waitFor()
  await snapshot(page, 'console-sign-in')
  expect(await axeViolations(page)).toEqual([])
  await signIn(page, skep)
  for (const [name, path, arrive] of VIEWS) {
    await page.goto(`${skep.url}/console/${path}`)
    await arrive(page)
    await page.getByRole('main').waitFor()
    for (const [colorScheme, width] of LOOKS) {
      await page.emulateMedia({ colorScheme })
      await page.setViewportSize({ width, height: 900 })
      const look = `console-${name}-${colorScheme}-${width}`
      await snapshot(page, look)
      expect([look, await axeViolations(page)]).toEqual([look, []])
      const tooWide = await page.evaluate<number>('document.documentElement.scrollWidth - innerWidth')
      expect([look, tooWide]).toEqual([look, 0])
    }
  }
  await page.close()
})
