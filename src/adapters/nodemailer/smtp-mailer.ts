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
  const underway = new Set<string>()
  return {
    async send(mail) {
      // An attempt that was given up goes on until the server answers or falls silent: never two of one mail at a time.
      if (underway.has(mail.id)) throw new Error('an earlier attempt at this mail has not ended yet')
      underway.add(mail.id)
      try {
        await transport.sendMail(toMessage(mail, from))
      } finally {
        underway.delete(mail.id)
      }
    },
    close: () => transport.close(),
  }
}
