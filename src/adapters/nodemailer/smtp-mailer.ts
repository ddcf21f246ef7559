import { type Mailer, PermanentFailure } from '../../application/ports/messaging.ts'
import type { Sender } from '../../domain/mail.ts'
import { library } from './library.ts'
import { toMessage } from './message.ts'

interface Options {
  /** `smtp://` (STARTTLS when offered) or `smtps://` (TLS), with user and password if the server asks for them. */
  readonly url: string
  readonly from: Sender
  /** Milliseconds without a response after which an attempt fails. */
  readonly timeout?: number
}

export interface SmtpMailer extends Mailer {
  close(): void
}

/** Secrets that a server may repeat in a reply, and that must not appear in a log or a list of jobs. */
const secretsIn = (url: string): readonly string[] => {
  const { username, password } = new URL(url)
  const [user, pass] = [decodeURIComponent(username), decodeURIComponent(password)]
  if (pass === '') return []
  return [Buffer.from(`\0${user}\0${pass}`).toString('base64'), Buffer.from(pass).toString('base64'), pass]
}

const MAILED_TOKEN = /(token=)[\w-]+/g

/** The failure without secrets: a 5yz reply is permanent (RFC 5321 section 4.2.1), all others are temporary. */
const toFailure = (error: unknown, secrets: readonly string[]): Error => {
  const message = error instanceof Error ? error.message : String(error)
  const hidden = secrets.reduce((text, secret) => text.replaceAll(secret, '***'), message)
  const shown = hidden.replaceAll(MAILED_TOKEN, '$1***')
  const code: unknown = error instanceof Error && 'responseCode' in error ? error.responseCode : null
  return typeof code === 'number' && code >= 500 && code < 600 ? new PermanentFailure(shown) : new Error(shown)
}

/** Sends mails to an SMTP server (RFC 5321) over a few persistent connections. */
export const createSmtpMailer = ({ url, from, timeout = 20_000 }: Options): SmtpMailer => {
  const open = () =>
    library().createTransport({
      url,
      pool: true,
      maxConnections: 4,
      connectionTimeout: timeout,
      greetingTimeout: timeout,
      socketTimeout: timeout,
    })
  let transport: ReturnType<typeof open> | null = null
  const secrets = secretsIn(url)
  const underway = new Set<string>()
  return {
    async send(mail) {
      // An abandoned attempt continues until the server responds or times out, so that there are never two concurrent
      // attempts for one mail.
      if (underway.has(mail.id)) throw new Error('an earlier attempt at this mail has not ended yet')
      underway.add(mail.id)
      try {
        transport ??= open()
        await transport.sendMail(toMessage(mail, from))
      } catch (error) {
        throw toFailure(error, secrets)
      } finally {
        underway.delete(mail.id)
      }
    },
    close: () => transport?.close(),
  }
}
