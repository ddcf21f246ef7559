import { escapeHtml } from '../../../application/mail-templates.ts'
import { USER_LIMITS } from '../../../domain/user.ts'
import { brand, layout, type Site } from '../site/layout.ts'

interface Page {
  /** What the script does when the button is clicked. */
  readonly action: 'verify-email' | 'reset-password' | 'forgot-password' | 'resend-verification'
  /** Whether the page requires the token of a link. */
  readonly needsToken: boolean
  readonly title: string
  readonly lead: string
  /** HTML. */
  readonly fields: string
  readonly button: string
  /** Where to get another link, and the label for it. */
  readonly otherwise: readonly [path: string, label: string]
}

const { minLength, maxLength } = USER_LIMITS.password

const emailField = (hint: string) => `<label for="email">Email address</label>
        <input id="email" name="email" type="email" autocomplete="username" autocapitalize="none" spellcheck="false"
          maxlength="${USER_LIMITS.email.maxLength}"${hint === '' ? ' required' : ' aria-describedby="email-hint"'}>${hint === '' ? '' : `\n        <p class="hint" id="email-hint">${hint}</p>`}`

const passwordField = (label: string, autocomplete: 'new-password' | 'current-password', attributes: string) =>
  `<label for="password">${label}</label>
        <div class="secret">
          <input id="password" name="password" type="password" autocomplete="${autocomplete}" required${attributes}>
          <button class="reveal" type="button" aria-label="Show password" aria-controls="password">Show</button>
        </div>`

const NEW_PASSWORD = `${passwordField('New password', 'new-password', ` minlength="${minLength}" maxlength="${maxLength}" aria-describedby="password-hint"`)}
        <p class="hint" id="password-hint">At least ${minLength} characters. Three or four unrelated words make a good one.</p>`

/** Nothing happens before the button is clicked, because mail scanners open links too. */
const VERIFY_EMAIL: Page = {
  action: 'verify-email',
  needsToken: true,
  title: 'Confirm your email address',
  lead: 'Confirm that this email address is yours.',
  fields: '',
  button: 'Confirm address',
  otherwise: ['/resend-verification', 'Send me a new link'],
}

const RESET_PASSWORD: Page = {
  action: 'reset-password',
  needsToken: true,
  title: 'Choose a new password',
  lead: 'You will be signed out on all devices, and can sign in with the new password.',
  fields: `${emailField('Optional. Helps your password manager save the password for the right account.')}
        ${NEW_PASSWORD}`,
  button: 'Set new password',
  otherwise: ['/forgot-password', 'Send me a new link'],
}

const FORGOT_PASSWORD: Page = {
  action: 'forgot-password',
  needsToken: false,
  title: 'Forgot your password?',
  lead: 'Enter the email address of your account. We will send you a link to choose a new password.',
  fields: emailField(''),
  button: 'Send link',
  otherwise: ['/resend-verification', 'Need to confirm your email address?'],
}

const RESEND_VERIFICATION: Page = {
  action: 'resend-verification',
  needsToken: false,
  title: 'Get a new confirmation link',
  lead: 'Enter your email address and password. We will send a new link to your email address.',
  fields: `${emailField('')}
        ${passwordField('Password', 'current-password', '')}`,
  button: 'Send new link',
  otherwise: ['/forgot-password', 'Forgot your password?'],
}

export const LINK_PAGES = [VERIFY_EMAIL, RESET_PASSWORD, FORGOT_PASSWORD, RESEND_VERIFICATION]

const NO_SCRIPT = {
  link: `This page needs JavaScript. The secret part of your link is not sent to any server until this page\u2019s script uses
          it. Allow JavaScript for this page and open the link again, or open it in another browser.`,
  form: 'This page needs JavaScript. Allow it and reload the page, or open the page in another browser.',
}

export const linkPage = (site: Site, page: Page): string => {
  const base = escapeHtml(site.basePath)
  const app = escapeHtml(site.appName)
  const [path, label] = page.otherwise
  const onwards =
    site.appUrl === undefined
      ? ''
      : `\n      <p class="after" id="onwards" hidden><a href="${escapeHtml(site.appUrl)}">Continue to ${app}</a></p>`
  const content = `${brand(site, base)}
      <h1>${page.title}</h1>
      <p class="quiet" id="lead">${page.lead}</p>
      <noscript><p class="message">${NO_SCRIPT[page.needsToken ? 'link' : 'form']}</p></noscript>
      <form hidden data-action="${page.action}" data-api="${base}/api/v1"${page.needsToken ? ' data-token' : ''}>
        ${page.fields}
        <button type="submit">${page.button}</button>
      </form>
      <div class="message" role="alert" id="error"></div>
      <div class="message done" role="status" id="done" tabindex="-1"></div>${onwards}
      <p class="after" id="otherwise"><a href="${base}${path}">${label}</a></p>`
  return layout(site, { title: page.title, base, content, scripts: ['/links/page.js'] })
}
