import { createTransport } from 'nodemailer'
import type { Mailer } from '../../application/ports/messaging.ts'
import { toMessage } from './message.ts'

interface Options {
  /** `smtp://` (STARTTLS when offered) or `smtps://` (TLS), with user and password if the server asks for them. */
  readonly url: string
  readonly from: string
  /** Milliseconds without an answer after which an attempt has failed. */
  readonly timeout?: number
}

export interface SmtpMailer extends Mailer {
  close(): void
}

/** Hands mails to an SMTP server (RFC 5321) over a few kept connections. */
export const createSmtpMailer = ({ url, from, timeout = 20_000 }: Options): SmtpMailer => {
  const transport = createTransport({
    url,
    pool: true,
    maxConnections: 4,
    connectionTimeout: timeout,
    greetingTimeout: timeout,
    socketTimeout: timeout,
  })
  return {
    async send(mail) {
      await transport.sendMail(toMessage(mail, from))
    },
    close: () => transport.close(),
  }
}
