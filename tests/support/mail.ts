import type { Mailer } from '../../src/application/ports/messaging.ts'
import type { Mail } from '../../src/domain/mail.ts'

export interface Mailbox extends Mailer {
  readonly mails: readonly Mail[]
  /** The next mail to this address that no call has had yet; waits for it. */
  next(to: string): Promise<Mail>
}

/** Receives mail in memory, in place of a mail server. */
export const createMailbox = (): Mailbox => {
  const mails: Mail[] = []
  const unread: Mail[] = []
  const waiting: { to: string; resolve: (mail: Mail) => void }[] = []
  return {
    mails,
    async send(mail) {
      mails.push(mail)
      const index = waiting.findIndex(({ to }) => to === mail.to)
      if (index === -1) unread.push(mail)
      else waiting.splice(index, 1)[0]?.resolve(mail)
    },
    next(to) {
      const index = unread.findIndex((mail) => mail.to === to)
      const [mail] = index === -1 ? [] : unread.splice(index, 1)
      return mail === undefined ? new Promise((resolve) => waiting.push({ to, resolve })) : Promise.resolve(mail)
    },
  }
}

/** The token in the link of a mail. */
export const tokenIn = (mail: Mail): string => {
  const token = /#token=([\w-]+)/.exec(mail.text)?.[1]
  if (token === undefined) throw new Error(`no link in "${mail.subject}"`)
  return token
}
