import type { Mail, MailRequest } from '../domain/mail.ts'

export type MailKind = MailRequest['template']

/** The placeholders of templates. All except the first two may be absent in a mail. */
export type Placeholder = 'app_name' | 'app_url' | 'link' | 'name' | 'new_email'

/** Null if a mail of this kind, or to this recipient, does not contain the value. */
export type MailValues = Readonly<Record<Placeholder, string | null>>

interface MailContents {
  readonly placeholders: readonly Placeholder[]
  /** Whether the mail is useless without its link. */
  readonly needsLink: boolean
}

/** The values available to each mail. Mails to an unverified address contain no user-supplied text. */
export const MAIL_CONTENTS: Readonly<Record<MailKind, MailContents>> = {
  welcome: { placeholders: ['app_name', 'app_url', 'link'], needsLink: true },
  verify: { placeholders: ['app_name', 'app_url', 'link'], needsLink: true },
  reset: { placeholders: ['app_name', 'app_url', 'link', 'name'], needsLink: true },
  'password-changed': { placeholders: ['app_name', 'app_url', 'link', 'name'], needsLink: false },
  'email-change-requested': { placeholders: ['app_name', 'app_url', 'link', 'name', 'new_email'], needsLink: false },
  'email-changed': { placeholders: ['app_name', 'app_url', 'name', 'new_email'], needsLink: false },
}

export type RenderTemplate = (values: MailValues) => string

/** An operator's texts for one kind of mail, which replace the built-in ones. */
export interface MailTemplate {
  readonly subject?: RenderTemplate
  readonly body?: { readonly text: RenderTemplate; readonly html: RenderTemplate }
}

export type MailTemplates = Readonly<Partial<Record<MailKind, MailTemplate>>>

/** Values that are the same in every mail. */
export interface MailOptions {
  readonly appName: string
  /** Base of every link, without a slash at the end. */
  readonly appUrl: string
  readonly templates?: MailTemplates | undefined
}

interface Content {
  readonly subject: string
  readonly paragraphs: readonly string[]
  /** The label of the link's button, if the mail has one. */
  readonly action?: string
  readonly closing: string
}

const linkOf = ({ template }: MailRequest, appUrl: string, token: string): string | null => {
  // The token is in the fragment, which browsers do not send to servers, so it is in no log and no Referer.
  switch (template) {
    case 'welcome':
    case 'verify':
      return `${appUrl}/verify-email#token=${token}`
    case 'reset':
      return `${appUrl}/reset-password#token=${token}`
    case 'password-changed':
    case 'email-change-requested':
      return `${appUrl}/forgot-password`
    case 'email-changed':
      return null
  }
}

const greeting = (name: string | null) => (name === null ? 'Hello,' : `Hello ${name},`)

const contentOf = (request: MailRequest, app: string): Content => {
  switch (request.template) {
    case 'welcome':
      return {
        subject: `Welcome to ${app}`,
        paragraphs: ['Hello,', `Your ${app} account is ready. Please confirm that this email address is yours:`],
        action: 'Confirm address',
        closing: 'The link works once and expires in 24 hours. If you did not register, you can ignore this email.',
      }
    case 'verify':
      return {
        subject: `Confirm your email address for ${app}`,
        paragraphs: ['Hello,', `Please confirm that this email address is yours, so that ${app} can use it:`],
        action: 'Confirm address',
        closing: 'The link works once and expires in 24 hours. If you did not request it, you can ignore this email.',
      }
    case 'reset':
      return {
        subject: `Choose a new password for ${app}`,
        paragraphs: [
          greeting(request.name),
          `Someone requested a new password for your ${app} account. If it was you, choose one here:`,
        ],
        action: 'Choose a new password',
        closing:
          'The link works once and expires in 30 minutes. If you did not request it, you can ignore this email: nothing has changed.',
      }
    case 'password-changed':
      return {
        subject: `Your ${app} password was changed`,
        paragraphs: [
          greeting(request.name),
          `The password of your ${app} account was changed, and you were signed out on all other devices.`,
          'If this was not you, choose a new password now:',
        ],
        action: 'Choose a new password',
        closing: 'If this was you, you do not need to do anything.',
      }
    case 'email-change-requested':
      return {
        subject: `Your email address for ${app} is about to change`,
        paragraphs: [
          greeting(request.name),
          `Someone requested to change the email address of your ${app} account to ${request.newEmail ?? 'another address'}. The change takes effect when that address is confirmed.`,
          'If this was not you, choose a new password now. This also cancels the change:',
        ],
        action: 'Choose a new password',
        closing: 'If this was you, you do not need to do anything.',
      }
    case 'email-changed':
      return {
        subject: `Your email address for ${app} was changed`,
        paragraphs: [
          greeting(request.name),
          `The email address of your ${app} account was changed from this address to ${request.newEmail ?? 'another address'}.`,
        ],
        closing: `If this was not you, please contact the operator of ${app}.`,
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

/** Escapes text for an HTML element or a quoted attribute. */
export const escapeHtml = (text: string): string => text.replace(/[&<>"']/g, (character) => ENTITIES[character] ?? '')

const MAX_LINE_CHARACTERS = 72

/** Wraps text so that its lines need no transfer encoding. */
const wrap = (text: string): string => {
  const lines = ['']
  for (const word of text.split(' ')) {
    const line = lines.at(-1) ?? ''
    if (line === '') lines[lines.length - 1] = word
    else if (line.length + 1 + word.length <= MAX_LINE_CHARACTERS) lines[lines.length - 1] = `${line} ${word}`
    else lines.push(word)
  }
  return lines.join('\n')
}

const toText = ({ paragraphs, closing }: Content, link: string | null): string =>
  [...paragraphs.map(wrap), ...(link === null ? [] : [link]), wrap(closing)].join('\n\n').concat('\n')

const BODY_STYLE =
  'font-family: system-ui, sans-serif; font-size: 16px; line-height: 1.5; max-width: 36em; margin: 0 auto; padding: 24px'
const BUTTON_STYLE =
  'display: inline-block; padding: 12px 20px; border-radius: 8px; background: #1d4ed8; color: #ffffff; font-weight: 600; text-decoration: none'
const SMALL_STYLE = 'font-size: 14px; overflow-wrap: anywhere'

const toHtml = ({ subject, paragraphs, action, closing }: Content, app: string, link: string | null): string => {
  const url = escapeHtml(link ?? '')
  const button =
    link === null || action === undefined
      ? ''
      : `<p style="margin: 24px 0"><a href="${url}" style="${BUTTON_STYLE}">${escapeHtml(action)}</a></p>
<p style="${SMALL_STYLE}">If the button does not work, open this address: <a href="${url}">${url}</a></p>
`
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${escapeHtml(subject)}</title>
</head>
<body style="${BODY_STYLE}">
<p style="font-size: 20px; font-weight: 600">${escapeHtml(app)}</p>
${paragraphs.map((paragraph) => `<p>${escapeHtml(paragraph)}</p>\n`).join('')}${button}<p style="${SMALL_STYLE}">${escapeHtml(closing)}</p>
</body>
</html>
`
}

/** Renders the mail. `token` is used by mails whose link contains one. */
export const writeMail = (
  request: MailRequest,
  ids: Pick<Mail, 'id' | 'messageId'>,
  { appName, appUrl, templates = {} }: MailOptions,
  token: string,
): Mail => {
  const template = templates[request.template]
  const link = linkOf(request, appUrl, token)
  const values: MailValues = {
    app_name: appName,
    app_url: appUrl,
    link,
    name: 'name' in request ? request.name : null,
    new_email: 'newEmail' in request ? request.newEmail : null,
  }
  const content = contentOf(request, appName)
  return {
    ...ids,
    to: request.to,
    subject: template?.subject?.(values) ?? content.subject,
    text: template?.body?.text(values) ?? toText(content, link),
    html: template?.body?.html(values) ?? toHtml(content, appName, link),
  }
}
