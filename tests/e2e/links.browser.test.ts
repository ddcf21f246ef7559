import { expect, test } from 'bun:test'
import { elsewhere, missing, openPage, snapshot } from '../support/browser.ts'
import { createMailbox } from '../support/mail.ts'
import { startSkep } from '../support/skep.ts'

/** A server, and a user whose mail is read. `nextLink` waits for the link in the next mail. */
const startWithMail = async (settings: Parameters<typeof startSkep>[0] = {}) => {
  const mailbox = createMailbox()
  const skep = await startSkep(settings, { mailer: mailbox })
  const ann = await skep.member()
  const nextLink = async () => /http\S+/.exec((await mailbox.next(ann.email)).text)?.[0] ?? ''
  const welcomeLink = await nextLink()
  const requestReset = () => skep.call('POST', '/auth/password/forgot', { json: { email: ann.email } })
  return { mailbox, skep, ann, welcomeLink, nextLink, requestReset }
}

test.skipIf(missing)(
  'the link in a welcome mail confirms the address when the button is pressed, and not before',
  async () => {
    const { skep, ann, welcomeLink } = await startWithMail()
    const { page, requests, errors } = await openPage()
    await page.goto(welcomeLink)
    await snapshot(page, 'verify-email')
    const verified = async () => (await skep.call('GET', '/users/me', { token: ann.token })).body.email_verified
    expect(await verified()).toBe(false)
    expect(page.url()).toBe(`${skep.url}/verify-email`)
    await page.getByRole('button').click()
    await page.getByText('Thank you').waitFor()
    expect(await verified()).toBe(true)
    expect(requests.filter((url) => url.includes('token='))).toEqual([])
    expect(elsewhere(requests, skep.url)).toEqual([])
    expect(errors).toEqual([])
    await page.close()
  },
  60_000,
)

test.skipIf(missing)(
  'the link in a reset mail takes a new password once, and says so when it is used again',
  async () => {
    const { skep, ann, nextLink, requestReset } = await startWithMail()
    await requestReset()
    const link = await nextLink()
    const { page } = await openPage()
    await page.goto(link)
    await page.getByLabel('New password').fill('brand new horse')
    await page.getByRole('button', { name: 'Set new password' }).click()
    await page.getByText('Your password has been changed').waitFor()
    await snapshot(page, 'reset-password')
    const form = { username: ann.email, password: 'brand new horse' }
    expect((await skep.call('POST', '/auth/token', { form })).status).toBe(200)

    await page.goto('about:blank')
    await page.goto(link)
    await page.getByLabel('New password').fill('another horse')
    await page.getByRole('button', { name: 'Set new password' }).click()
    await page.getByText('This link has expired, has already been used').waitFor()
    await page.getByRole('link', { name: 'Send me a new link' }).click()
    await page.getByRole('heading', { name: 'Forgot your password?' }).waitFor()
    await page.close()
  },
  60_000,
)

test.skipIf(missing)(
  'a forgotten password is asked for by keyboard alone',
  async () => {
    const { mailbox, skep, ann } = await startWithMail({ APP_NAME: 'Acme' })
    const { page, errors } = await openPage()
    await page.goto(`${skep.url}/forgot-password`)
    await page.keyboard.press('Tab')
    await page.keyboard.type(ann.email)
    await page.keyboard.press('Enter')
    await page.getByText('we have sent a link').waitFor()
    expect((await mailbox.next(ann.email)).subject).toBe('Choose a new password for Acme')
    expect(errors).toEqual([])
    await page.close()
  },
  60_000,
)

test.skipIf(missing)(
  'a new link to confirm an address is mailed to who signs in, and the session ends',
  async () => {
    const { skep, ann, welcomeLink, nextLink } = await startWithMail()
    const { page } = await openPage()
    await page.goto(`${skep.url}/verify-email`)
    await page.getByText('This link is incomplete').waitFor()
    await page.getByRole('link', { name: 'Send me a new link' }).click()
    await page.getByLabel('Email address').fill(ann.email)
    await page.getByLabel('Password', { exact: true }).fill('wrong horse')
    await page.keyboard.press('Enter')
    await page.getByText('The email address or password is wrong.').waitFor()
    await page.getByLabel('Password', { exact: true }).fill(ann.password)
    await page.keyboard.press('Enter')
    await page.getByText('We have sent a new link').waitFor()
    const { body } = await skep.call<{ total: number }>('GET', '/auth/sessions', { token: ann.token })
    expect(body.total).toBe(1)

    const second = await nextLink()
    await page.goto(second)
    await page.getByRole('button').click()
    await page.getByText('Your email address is confirmed').waitFor()
    await page.goto('about:blank')
    await page.goto(welcomeLink)
    await page.getByRole('button').click()
    await page.getByText('This link has expired').waitFor()
    await page.close()
  },
  60_000,
)

test.skipIf(missing)(
  'a refused password is explained, can be shown, and has the fields that password managers fill',
  async () => {
    const { nextLink, requestReset } = await startWithMail()
    await requestReset()
    const { page } = await openPage({ viewport: { width: 360, height: 740 } })
    await page.goto(await nextLink())
    const password = page.getByLabel('New password')
    expect(await password.getAttribute('autocomplete')).toBe('new-password')
    expect(await page.getByLabel('Email address').getAttribute('autocomplete')).toBe('username')
    await password.fill('password1')
    await page.getByRole('button', { name: 'Set new password' }).click()
    await page.getByText('This password is among the most common ones. Please choose another one.').waitFor()
    expect(await password.getAttribute('aria-invalid')).toBe('true')
    await snapshot(page, 'reset-password-refused')
    await page.getByRole('button', { name: 'Show password' }).click()
    expect(await password.getAttribute('type')).toBe('text')
    await page.getByRole('button', { name: 'Hide password' }).click()
    expect(await password.getAttribute('type')).toBe('password')
    await page.close()
  },
  60_000,
)

test.skipIf(missing)(
  'without script a page says what it needs, and shows no form that does nothing',
  async () => {
    const skep = await startSkep()
    const { page } = await openPage({ javaScriptEnabled: false })
    for (const path of ['/reset-password#token=abc', '/forgot-password']) {
      await page.goto(skep.url + path)
      await page.locator('noscript .message').waitFor()
      expect(await page.locator('form').isVisible()).toBe(false)
    }
    await page.close()
  },
  60_000,
)
