import type { Mail, MailRequest } from '../domain/mail.ts'

interface Content {
  readonly subject: string
  readonly paragraphs: readonly string[]
  /** A link on a line of its own, and what its button says. */
  readonly action?: { readonly label: string; readonly url: string }
  readonly closing: string
}

interface Links {
  /** Base of every link, without a slash at the end. */
  readonly publicUrl: string
  readonly token: string
}

// The token stands behind the #: browsers send that part to no server, so it is in no log and no Referer.
const link = ({ publicUrl, token }: Links, page: string) => `${publicUrl}/${page}#token=${token}`

const greeting = (name: string | null) => (name === null ? 'Hello,' : `Hello ${name},`)

const contentOf = (request: MailRequest, links: Links): Content => {
  switch (request.template) {
    case 'welcome':
      return {
        subject: 'Welcome',
        paragraphs: ['Hello,', 'your account is ready. Please confirm that this address is yours:'],
        action: { label: 'Confirm address', url: link(links, 'verify-email') },
        closing: 'The link works once, for 24 hours. If you did not register, ignore this mail.',
      }
    case 'verify':
      return {
        subject: 'Confirm your address',
        paragraphs: ['Hello,', 'please confirm that this address is yours:'],
        action: { label: 'Confirm address', url: link(links, 'verify-email') },
        closing: 'The link works once, for 24 hours. If you did not ask for it, ignore this mail.',
      }
    case 'reset':
      return {
        subject: 'Choose a new password',
        paragraphs: [greeting(request.name), 'someone, hopefully you, asked for a new password. Choose it here:'],
        action: { label: 'Choose a new password', url: link(links, 'reset-password') },
        closing:
          'The link works once, for 30 minutes. If you did not ask for it, ignore this mail: nothing has changed.',
      }
    case 'password-changed':
      return {
        subject: 'Your password was changed',
        paragraphs: [greeting(request.name), 'your account has a new password, and every other session has ended.'],
        closing: 'If this was not you, choose a new password by the link for forgotten ones.',
      }
    case 'email-change-requested':
      return {
        subject: 'Your address is about to change',
        paragraphs: [
          greeting(request.name),
          `someone, hopefully you, wants your account to use ${request.newEmail ?? 'another address'}.`,
        ],
        closing: 'It changes once that address is confirmed. If this was not you, change your password now.',
      }
    case 'email-changed':
      return {
        subject: 'Your address was changed',
        paragraphs: [
          greeting(request.name),
          `your account now uses ${request.newEmail ?? 'another address'} instead of this address.`,
        ],
        closing: 'If this was not you, get in touch with the operator of this service.',
      }
  }
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}

/** Text as HTML that shows it, in an element or a quoted attribute. */
export const escapeHtml = (text: string): string => text.replace(/[&<>"']/g, (character) => ENTITIES[character] ?? '')

const LINE_LENGTH = 72

/** Lines that a mail can carry as they are. */
const wrap = (text: string): string => {
  const lines = ['']
  for (const word of text.split(' ')) {
    const line = lines.at(-1) ?? ''
    if (line === '') lines[lines.length - 1] = word
    else if (line.length + 1 + word.length <= LINE_LENGTH) lines[lines.length - 1] = `${line} ${word}`
    else lines.push(word)
  }
  return lines.join('\n')
}

const toText = ({ paragraphs, action, closing }: Content): string =>
  [...paragraphs.map(wrap), ...(action === undefined ? [] : [action.url]), wrap(closing)].join('\n\n').concat('\n')

const toHtml = ({ subject, paragraphs, action, closing }: Content): string => {
  const button =
    action === undefined ? '' : `<p><a href="${escapeHtml(action.url)}">${escapeHtml(action.label)}</a></p>\n`
  return `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>${escapeHtml(subject)}</title></head>
<body style="font-family: sans-serif; line-height: 1.5; max-width: 36em">
${paragraphs.map((paragraph) => `<p>${escapeHtml(paragraph)}</p>\n`).join('')}${button}<p>${escapeHtml(closing)}</p>
</body>
</html>
`
}

/** The mail as it is sent. `links.token` is used by the templates that carry a link. */
export const writeMail = (request: MailRequest, ids: Pick<Mail, 'id' | 'messageId'>, links: Links): Mail => {
  const content = contentOf(request, links)
  return { ...ids, to: request.to, subject: content.subject, text: toText(content), html: toHtml(content) }
}
