import { expect, test } from 'bun:test'
import fc from 'fast-check'
import { escapeHtml, writeMail } from '../../src/application/mail-templates.ts'
import type { MailRequest } from '../../src/domain/mail.ts'

const ids = { id: 'job-1', messageId: 'm' }
const app = { appName: 'Acme', appUrl: 'https://example.com' }
const write = (request: MailRequest) => writeMail(request, ids, app, 'abc')

test.each(['welcome', 'verify'] as const)(
  'the %s mail links to the verification page, in text and HTML',
  (template) => {
    const mail = write({ template, to: 'a@b.c', nonce: 'n' })
    expect(mail.text).toContain('\nhttps://example.com/verify-email#token=abc\n')
    expect(mail.html).toContain('href="https://example.com/verify-email#token=abc"')
  },
)

test('the reset mail links to the page for a new password', () => {
  const mail = write({ template: 'reset', to: 'a@b.c', name: 'Ann', nonce: 'n' })
  expect(mail.text).toContain('https://example.com/reset-password#token=abc')
})

test.each([
  { template: 'password-changed', to: 'a@b.c', name: null },
  { template: 'email-change-requested', to: 'a@b.c', name: null, newEmail: null },
] as const)('the $template mail links to where a new password is asked for', (request) => {
  const mail = write(request)
  expect(mail.text).toContain('\nhttps://example.com/forgot-password\n')
  expect(mail.html).toContain('href="https://example.com/forgot-password"')
})

test.each([
  { template: 'welcome', to: 'a@b.c', nonce: 'n' },
  { template: 'verify', to: 'a@b.c', nonce: 'n' },
  { template: 'reset', to: 'a@b.c', name: null, nonce: 'n' },
  { template: 'password-changed', to: 'a@b.c', name: 'Ann' },
  { template: 'email-change-requested', to: 'a@b.c', name: 'Ann', newEmail: 'x@y.z' },
  { template: 'email-changed', to: 'a@b.c', name: 'Ann', newEmail: 'x@y.z' },
] as const)('the $template mail names the application, and not us', (request) => {
  const { subject, text, html } = write(request)
  for (const part of [subject, text, html]) {
    expect(part).toContain('Acme')
    expect(part).not.toContain('Skep')
  }
})

test('no user name becomes markup', () => {
  fc.assert(
    fc.property(fc.string(), (name) => {
      const { html } = write({ template: 'reset', to: 'a@b.c', name, nonce: 'n' })
      const plain = write({ template: 'reset', to: 'a@b.c', name: 'Ann', nonce: 'n' }).html
      expect(html.replace(escapeHtml(name), '').match(/[<>"]/g)?.length).toBe(plain.match(/[<>"]/g)?.length)
    }),
  )
  const { html } = write({ template: 'reset', to: 'a@b.c', name: '<img src=x>', nonce: 'n' })
  expect(html).toContain('&lt;img src=x&gt;')
})

test('lines are short enough to be sent unencoded', () => {
  const request = { template: 'email-changed', to: 'a@b.c', name: 'Ann', newEmail: 'someone@example.com' } as const
  for (const line of write(request).text.split('\n')) expect(line.length).toBeLessThanOrEqual(76)
})
