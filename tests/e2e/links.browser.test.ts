import { expect, test } from 'bun:test'
import { elsewhere, missing, openPage, snapshot } from '../support/browser.ts'
import { createMailbox } from '../support/mail.ts'
import { startSkep } from '../support/skep.ts'

const linkIn = (text: string): string => /http\S+/.exec(text)?.[0] ?? ''

test.skipIf(missing)(
  'the link in a welcome mail confirms the address when the button is pressed, and not before',
  async () => {
    const mailbox = createMailbox()
    const skep = await startSkep({}, { mailer: mailbox })
    const ann = await skep.member()
    const { page, requests, errors } = await openPage()
    await page.goto(linkIn((await mailbox.next(ann.email)).text))
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
    const mailbox = createMailbox()
    const skep = await startSkep({}, { mailer: mailbox })
    const ann = await skep.member()
    await mailbox.next(ann.email)
    await skep.call('POST', '/auth/password/forgot', { json: { email: ann.email } })
    const link = linkIn((await mailbox.next(ann.email)).text)
    const { page } = await openPage()
    await page.goto(link)
    await page.getByLabel('New password').fill('brand new horse')
    await page.getByRole('button').click()
    await page.getByText('Your password is set').waitFor()
    await snapshot(page, 'reset-password')
    const form = { username: ann.email, password: 'brand new horse' }
    expect((await skep.call('POST', '/auth/token', { form })).status).toBe(200)

    await page.goto('about:blank')
    await page.goto(link)
    await page.getByLabel('New password').fill('another horse')
    await page.getByRole('button').click()
    await page.getByText('The link is invalid').waitFor()
    await page.close()
  },
  60_000,
)
