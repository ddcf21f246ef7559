import { expect, test } from 'bun:test'
import fc from 'fast-check'
import { escapeHtml, writeMail } from '../../src/application/mail-templates.ts'

const ids = { id: 'job-1', messageId: 'm' }
const links = { publicUrl: 'https://example.com', token: 'abc' }

test.each(['welcome', 'verify'] as const)(
  'the %s mail links to the verification page, in text and HTML',
  (template) => {
    const mail = writeMail({ template, to: 'a@b.c', nonce: 'n' }, ids, links)
    expect(mail.text).toContain('\nhttps://example.com/verify-email#token=abc\n')
    expect(mail.html).toContain('href="https://example.com/verify-email#token=abc"')
  },
)

test('the reset mail links to the page for a new password', () => {
  const mail = writeMail({ template: 'reset', to: 'a@b.c', name: 'Ann', nonce: 'n' }, ids, links)
  expect(mail.text).toContain('https://example.com/reset-password#token=abc')
})

test('nothing anyone can call themselves becomes markup', () => {
  fc.assert(
    fc.property(fc.string(), (name) => {
      const { html } = writeMail({ template: 'reset', to: 'a@b.c', name, nonce: 'n' }, ids, links)
      const plain = writeMail({ template: 'reset', to: 'a@b.c', name: 'Ann', nonce: 'n' }, ids, links).html
      expect(html.replace(escapeHtml(name), '').match(/[<>"]/g)?.length).toBe(plain.match(/[<>"]/g)?.length)
    }),
  )
  const { html } = writeMail({ template: 'reset', to: 'a@b.c', name: '<img src=x>', nonce: 'n' }, ids, links)
  expect(html).toContain('&lt;img src=x&gt;')
})

test('lines are short enough to be sent as they are', () => {
  const request = { template: 'email-changed', to: 'a@b.c', name: 'Ann', newEmail: 'someone@example.com' } as const
  for (const line of writeMail(request, ids, links).text.split('\n')) expect(line.length).toBeLessThanOrEqual(76)
})
