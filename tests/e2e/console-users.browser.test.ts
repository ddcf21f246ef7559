import { expect } from 'bun:test'
import { PermanentFailure } from '../../src/application/ports/messaging.ts'
import { axeViolations, snapshot } from '../support/browser.ts'
import { browserTest, openConsole, ROOT, startWithAdmin } from '../support/console.ts'
import { signIn } from '../support/skep.ts'
import { PNG, upload } from '../support/uploads.ts'

let isRefused = false
const mailer = {
  async send() {
    if (isRefused) throw new PermanentFailure('550 <no> such mailbox')
  },
}
const { skep, token } = await startWithAdmin({ mailer })

browserTest('an admin finds a user, sees where they are signed in, and signs them out everywhere', async () => {
  const ann = await skep.member('ann@example.com')
  await skep.member('bea@example.com')
  const { page, close } = await openConsole(skep, 'users')
  await page.getByLabel('Search names and addresses').fill('ann@')
  await page.getByRole('cell', { name: 'bea@example.com' }).waitFor({ state: 'detached' })
  await page.getByRole('button', { name: 'Ann' }).click()
  await page.getByRole('heading', { name: 'Sessions' }).waitFor()
  await page.getByText('last used').waitFor()
  await snapshot(page, 'console-user-sessions')
  expect(await axeViolations(page)).toEqual([])
  await page.getByRole('button', { name: 'Sign out everywhere' }).click()
  await page.getByText('Not signed in anywhere.').waitFor()
  expect((await skep.call('GET', '/users/me', { token: ann.token })).status).toBe(401)
  await close()
})

browserTest('an admin makes a user an admin and takes it back, and the last admin stays one', async () => {
  const { id } = await skep.member('cleo@example.com')
  const roleOf = async () => (await skep.call<{ role: string }>('GET', `/users/${id}`, { token })).body.role
  const { page, close } = await openConsole(skep, 'users?q=cleo')
  for (const role of ['admin', 'user']) {
    await page.getByRole('button', { name: 'Ann' }).click()
    await page.getByLabel('Role').selectOption(role)
    await page.getByRole('button', { name: 'Save' }).click()
    await page.getByRole('dialog').waitFor({ state: 'detached' })
    expect(await roleOf()).toBe(role)
  }
  await page.goto(`${skep.url}/console/users?q=root`)
  await page.getByRole('button', { name: ROOT.name }).click()
  await page.getByLabel('Role').selectOption('user')
  await page.getByRole('button', { name: 'Save' }).click()
  await page.getByRole('alert').filter({ hasText: 'admin' }).waitFor()
  expect(await page.getByLabel('Role').inputValue()).toBe('user')
  await close()
})

browserTest('a user who is deactivated cannot sign in until they are activated', async () => {
  const dora = await skep.member('dora@example.com')
  const { page, close } = await openConsole(skep, 'users?q=dora')
  await page.getByRole('button', { name: 'Ann' }).click()
  await page.getByLabel('Active: can sign in').uncheck()
  await page.getByRole('button', { name: 'Save' }).click()
  await page.getByText('Deactivated').waitFor()
  expect((await skep.call('GET', '/users/me', { token: dora.token })).status).toBe(400)
  const form = { username: dora.email, password: dora.password }
  expect((await skep.call('POST', '/auth/token', { form })).status).toBe(400)
  await page.getByRole('button', { name: 'Ann' }).click()
  await page.getByLabel('Active: can sign in').check()
  await page.getByRole('button', { name: 'Save' }).click()
  await page.getByText('Deactivated').waitFor({ state: 'detached' })
  expect((await signIn(skep.call, dora)).id).toBe(dora.id)
  await close()
})

browserTest(
  'an admin creates a user, is told what is wrong without losing what was typed, and deletes them',
  async () => {
    const { page, close } = await openConsole(skep, 'users')
    await page.getByRole('button', { name: 'New user' }).click()
    await page.getByLabel('Name', { exact: true }).fill('<b>Eve</b>')
    await page.getByLabel('Email address').fill('not an address')
    await page.getByLabel('Password').fill('unrelated words here')
    await page.getByRole('button', { name: 'Create user' }).click()
    await page.locator('.fault').first().waitFor()
    expect(await page.getByLabel('Name', { exact: true }).inputValue()).toBe('<b>Eve</b>')
    await page.getByLabel('Email address').fill('eve@example.com')
    await page.getByRole('button', { name: 'Create user' }).click()
    await page.getByRole('button', { name: '<b>Eve</b>' }).click()
    await page.getByRole('button', { name: 'Delete', exact: true }).click()
    await page.getByRole('button', { name: 'Delete user' }).click()
    await page.getByRole('cell', { name: 'eve@example.com' }).waitFor({ state: 'detached' })
    await close()
  },
)

browserTest('an admin retries a dead job and sees it done, and deletes another', async () => {
  const { page, close } = await openConsole(skep, 'jobs?state=dead')
  await page.getByText('No job is dead').waitFor()
  isRefused = true
  await skep.member('finn@example.com')
  await page.getByRole('cell', { name: '550 <no> such mailbox' }).waitFor()
  await snapshot(page, 'console-jobs-dead')
  isRefused = false
  await page.getByRole('button', { name: /^Retry job/ }).click()
  await page.getByText('No job is dead').waitFor()
  await page.getByRole('button', { name: 'done' }).click()
  const jobs = page.getByRole('button', { name: /^Delete job/ })
  await jobs.first().waitFor()
  const before = await jobs.count()
  await jobs.first().click()
  await jobs.nth(before - 1).waitFor({ state: 'detached' })
  await close()
})

browserTest('an admin uploads a file, downloads it and deletes it', async () => {
  const { page, close } = await openConsole(skep, 'files')
  await page.getByRole('heading', { name: 'No files yet' }).waitFor()
  const name = 'a <b>.png'
  await page.getByLabel('Upload a file').setInputFiles({ name, mimeType: 'image/png', buffer: Buffer.from(PNG) })
  await page.getByRole('rowheader', { name }).waitFor()
  const download = page.waitForEvent('download')
  await page.getByRole('button', { name: `Download ${name}` }).click()
  expect(await Bun.file(await (await download).path()).bytes()).toEqual(PNG)
  await page.getByRole('button', { name: `Delete ${name}` }).click()
  await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click()
  await page.getByRole('heading', { name: 'No files yet' }).waitFor()
  await close()
})

browserTest('a failed upload is reported without an offer to load the list again', async () => {
  const { page } = await openConsole(skep, 'files')
  await page.getByRole('heading', { name: 'No files yet' }).waitFor()
  const body = JSON.stringify({ status: 500, code: 'internal_error', detail: 'Something went wrong on our side' })
  await page.route(/\/files\/$/, (route) =>
    route.request().method() === 'POST'
      ? route.fulfill({ status: 500, contentType: 'application/problem+json', body })
      : route.continue(),
  )
  const file = { name: 'a.png', mimeType: 'image/png', buffer: Buffer.from(PNG) }
  await page.getByLabel('Upload a file').setInputFiles(file)
  await page.getByRole('alert').filter({ hasText: 'Something went wrong' }).waitFor()
  expect(await page.getByRole('button', { name: 'Try again' }).count()).toBe(0)
  await page.close()
})

browserTest('files are offered as they are scrolled, and found by a part of their name', async () => {
  await skep.call('PUT', '/collections/albums', {
    token,
    json: { schema: { type: 'object', properties: { cover: { type: ['integer', 'null'], 'x-ref': 'files' } } } },
  })
  await upload(skep.call, { token, filename: 'Harbour.png' })
  for (let n = 0; n < 120; n++) await upload(skep.call, { token, filename: `${n}.png` })
  const { page, close } = await openConsole(skep, 'collections/albums?record=new')
  const cover = page.getByRole('combobox', { name: 'cover' })
  await cover.focus()
  const options = page.getByRole('option')
  await options.nth(9).scrollIntoViewIfNeeded()
  await options.nth(15).waitFor()
  await cover.press('ArrowUp')
  await options.nth(25).waitFor()
  await cover.fill('harb')
  await page.getByRole('option', { name: 'Harbour.png' }).click()
  await page.getByRole('button', { name: 'Remove Harbour.png' }).waitFor()
  await page.getByRole('button', { name: 'Create', exact: true }).click()
  await page.getByRole('dialog').waitFor({ state: 'detached' })
  await close()
})
