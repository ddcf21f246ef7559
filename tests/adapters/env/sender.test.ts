import { describe, expect, test } from 'bun:test'
import { simpleParser } from 'mailparser'
import { createTransport } from 'nodemailer'
import { parseSender } from '../../../src/adapters/env/sender.ts'
import { toMessage } from '../../../src/adapters/nodemailer/message.ts'
import { settingsOf } from '../../support/skep.ts'

const address = 'no-reply@example.com'
const mail = { id: 'job-1', messageId: 'abc', to: 'ann@example.com', subject: 's', text: 't', html: '<p>t</p>' }

const fromOf = async (sender: string) => {
  const transport = createTransport({ streamTransport: true, buffer: true })
  const { message } = await transport.sendMail(toMessage(mail, settingsOf({ MAIL_FROM: sender }).MAIL_FROM))
  return simpleParser(message as Buffer)
}

describe('MAIL_FROM', () => {
  test.each([
    [`Acme: Support <${address}>`, 'Acme: Support'],
    [`Acme (EU) <${address}>`, 'Acme (EU)'],
    [`Acme, Inc. <${address}>`, 'Acme, Inc.'],
    [`"Acme \\"EU\\" <x>" <${address}>`, 'Acme "EU" <x>'],
    [`Büro Größe 北京 <${address}>`, 'Büro Größe 北京'],
    [`support@example.com <${address}>`, 'support@example.com'],
    [`${address} (Acme Support)`, 'Acme Support'],
    [`<${address}>`, ''],
    [address, ''],
  ])('%s arrives with its name and address apart', async (given, name) => {
    expect(parseSender(given)).toEqual({ name, address })
    const { from } = await fromOf(given)
    expect(from?.value).toEqual([{ name, address }])
  })

  test.each([
    `a@example.com, ${address}`,
    `a@example.com; ${address}`,
    `a@example.com ${address}`,
    `Acme <a@example.com>, Bob <${address}>`,
    `"Acme" <a@example.com>, "Bob" <${address}>`,
    `a@example.com, Acme <${address}>`,
  ])('%s is refused: there are two', (given) => {
    expect(() => parseSender(given)).toThrow('one address, not several')
  })

  test.each(['nobody', '<>', 'Acme <>', 'Acme <a b@example.com>', 'a@', 'a@b@c', 'A <a@b>\r\nBcc: x@y', 'A: a@b;'])(
    '%j is refused',
    (given) => {
      expect(() => settingsOf({ MAIL_FROM: given })).toThrow('MAIL_FROM')
    },
  )

  test('the Message-ID is ASCII, whatever the domain', async () => {
    const { messageId } = await fromOf('Büro <post@büro.example>')
    expect(messageId).toBe('<abc@xn--bro-hoa.example>')
  })
})
