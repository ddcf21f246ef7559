import { expect, test } from 'bun:test'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createMailbox } from '../../support/mail.ts'
import { startSkep, temporaryFolder } from '../../support/skep.ts'

test('mails carry APP_NAME, and their links lead to APP_URL', async () => {
  const mailbox = createMailbox()
  const skep = await startSkep({ APP_NAME: 'Acme', APP_URL: 'https://acme.example/account/' }, { mailer: mailbox })
  const ann = await skep.member()
  const { subject, text, html } = await mailbox.next(ann.email)
  expect(subject).toBe('Welcome to Acme')
  expect(text).toMatch(/^https:\/\/acme\.example\/account\/verify-email#token=[\w-]+$/m)
  expect(html).toContain('href="https://acme.example/account/verify-email#token=')
})

test('a template of MAIL_TEMPLATES replaces the built-in text, with a token that works', async () => {
  const folder = join(temporaryFolder(), 'mails')
  mkdirSync(folder)
  for (const part of ['txt', 'html']) writeFileSync(join(folder, `welcome.${part}`), 'Willkommen: {{link}}')
  const mailbox = createMailbox()
  const skep = await startSkep({ MAIL_TEMPLATES: folder }, { mailer: mailbox })
  const ann = await skep.member()
  const { text } = await mailbox.next(ann.email)
  expect(text).toStartWith(`Willkommen: ${skep.url}/verify-email#token=`)
  const token = text.split('#token=')[1]
  expect((await skep.call('POST', '/auth/email/verify', { json: { token } })).status).toBe(204)
})

test('no token of a mail is in the log, whatever the templates say', async () => {
  const skep = await startSkep()
  const ann = await skep.member()
  await skep.log.until(({ message, fields }) => message === 'mail written' && fields.to === ann.email)
  expect(JSON.stringify(skep.log.entries)).not.toContain('token=')
})
