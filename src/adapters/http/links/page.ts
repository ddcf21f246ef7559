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
  lead: 'Press the button to confirm that the address this link was mailed to is yours.',
  fields: '',
  button: 'Confirm address',
  otherwise: ['/resend-verification', 'Have a new link mailed'],
}

const RESET_PASSWORD: Page = {
  action: 'reset-password',
  needsToken: true,
  title: 'Choose a new password',
  lead: 'Every session of your account ends, on all devices. Then you sign in with the new password.',
  fields: `${emailField('Optional. It tells your password manager which account the password is for.')}
        ${NEW_PASSWORD}`,
  button: 'Set new password',
  otherwise: ['/forgot-password', 'Have a new link mailed'],
}

const FORGOT_PASSWORD: Page = {
  action: 'forgot-password',
  needsToken: false,
  title: 'Forgot your password?',
  lead: 'Tell us the email address of your account, and we mail you a link to choose a new one.',
  fields: emailField(''),
  button: 'Mail me a link',
  otherwise: ['/resend-verification', 'Need a link to confirm your address?'],
}

const RESEND_VERIFICATION: Page = {
  action: 'resend-verification',
  needsToken: false,
  title: 'Get a new confirmation link',
  lead: 'Sign in, and we mail a new link to the address of your account. You are signed out again at once.',
  fields: `${emailField('')}
        ${passwordField('Password', 'current-password', '')}`,
  button: 'Mail me a new link',
  otherwise: ['/forgot-password', 'Forgot your password?'],
}

export const LINK_PAGES = [VERIFY_EMAIL, RESET_PASSWORD, FORGOT_PASSWORD, RESEND_VERIFICATION]

const NO_SCRIPT = {
  link: `This page needs JavaScript. The secret part of your link is kept from every server on its way, this one too, until
          a script of this page hands it over. Allow JavaScript here and open the link again, or open it in another browser.`,
  form: 'This page needs JavaScript. Allow it here and reload the page, or open the page in another browser.',
}

export const linkPage = (site: Site, page: Page): string => {
  const base = escapeHtml(site.basePath)
  const app = escapeHtml(site.appName)
  const [path, label] = page.otherwise
  const onwards =
    site.appUrl === undefined
      ? ''
      : `\n      <p class="after" id="onwards" hidden><a href="${escapeHtml(site.appUrl)}">Go on to ${app}</a></p>`
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
