import { expect, test } from 'bun:test'
import { elsewhere, missing, openPage, snapshot } from '../support/browser.ts'
import { folder, type Server, serve } from '../support/process.ts'
import { signIn } from '../support/skep.ts'
import { upload } from '../support/uploads.ts'

const ANN = { email: 'ann@example.com', password: 'correct horse' }

const register = async ({ call }: Server) => {
  const { body } = await call<{ id: number }>('POST', '/users/', { json: { ...ANN, name: 'Ann' } })
  return signIn(call, { ...ANN, id: body.id })
}

test.skipIf(missing)(
  'Swagger UI signs in and calls operations with what is filled in, and nothing leaves our origin',
  async () => {
    using home = folder()
    await using skep = await serve({ cwd: home.path })
    const { email, password } = await register(skep)
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
    // A key to the metrics alone is offered where they are.
    expect(await page.locator('.dialog-ux').first().textContent()).not.toContain('METRICS_TOKEN')
    await page.keyboard.press('Enter')
    await page.locator('button', { hasText: 'Logout' }).first().waitFor()
    await page.locator('.btn-done').first().click()

    const operation = page.locator('#operations-users-getMe')
    await operation.locator('.opblock-summary-control').click()
    await operation.locator('button.execute').click()
    const answer = operation.locator('.live-responses-table')
    await answer.waitFor()
    await snapshot(page, 'docs-answer')
    expect(await answer.locator('.response-col_status').last().textContent()).toContain('200')
    expect(await answer.textContent()).toContain(email)

    // With what is filled in, and nothing typed: an item is made and found, whatever may be left out is.
    for (const [id, status] of [
      ['createItem', '201'],
      ['getItem', '200'],
      ['updateItem', '200'],
      ['listItems', '200'],
    ] as const) {
      const tried = page.locator(`#operations-items-${id}`)
      await tried.locator('.opblock-summary-control').click()
      await tried.locator('button.execute').click()
      const seen = tried.locator('.live-responses-table')
      await seen.waitFor()
      expect({ id, status: await seen.locator('.response-col_status').last().textContent() }).toEqual({
        id,
        status: expect.stringContaining(status),
      })
      if (id === 'createItem') expect(await seen.textContent()).toContain('Oak table')
    }

    expect(elsewhere(requests, skep.url)).toEqual([])
    expect(errors).toEqual([])
    await page.close()
  },
  120_000,
)

test.skipIf(missing)(
  'Redoc shows the reference, and nothing leaves our origin',
  async () => {
    using home = folder()
    await using skep = await serve({ cwd: home.path })
    const { page, requests, errors } = await openPage()
    await page.goto(`${skep.url}/redoc`)
    await page.locator('[id="tag/users/operation/getMe"]').waitFor()
    expect(await page.locator('h1').first().textContent()).toContain('Skep')
    expect(await page.locator('[id="tag/users/operation/getMe"]').textContent()).toContain('Your own account')
    await page.locator('input[placeholder="Search..."]').fill('password')
    await page.locator('[data-role="search:results"] li').first().waitFor()
    await snapshot(page, 'redoc')
    // The colours are those of the other pages, also after the scheme has changed.
    const menu = page.locator('.menu-content')
    const colour = () =>
      page.evaluate<string>("getComputedStyle(document.querySelector('.menu-content')).backgroundColor")
    expect(await colour()).toBe('rgb(255, 255, 255)')
    const loaded = page.waitForEvent('load')
    await page.emulateMedia({ colorScheme: 'dark' })
    await loaded
    await menu.waitFor()
    expect(await colour()).toBe('rgb(24, 27, 33)')
    expect(elsewhere(requests, skep.url)).toEqual([])
    expect(errors).toEqual([])
    await page.close()
  },
  60_000,
)

test.skipIf(missing)(
  'Swagger UI shows a picture that it downloads, and the first operation without scrolling',
  async () => {
    using home = folder()
    await using skep = await serve({ cwd: home.path })
    const { token } = await register(skep)
    const { body } = await upload(skep.call, { token })
    const { page, errors } = await openPage({ viewport: { width: 360, height: 740 }, colorScheme: 'dark' })
    await page.goto(`${skep.url}/docs`)
    const first = page.locator('.opblock').first()
    await first.waitFor()
    expect((await first.boundingBox())?.y).toBeLessThan(740)
    const loaded = await page.evaluate<number>(`fetch('${body.path}', { headers: { authorization: 'Bearer ${token}' } })
      .then((answer) => answer.blob())
      .then((blob) => new Promise((resolve) => {
        const image = new Image()
        image.onload = () => resolve(image.naturalWidth)
        image.onerror = () => resolve(0)
        image.src = URL.createObjectURL(blob)
      }))`)
    expect(loaded).toBeGreaterThan(0)
    expect(errors).toEqual([])
    await page.close()
  },
  60_000,
)
