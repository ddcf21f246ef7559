import { escapeHtml } from '../../../application/mail-templates.ts'

interface Page {
  readonly title: string
  /** The call that the button makes with the token of the link, and a password if it asks for one. */
  readonly action: string
  readonly button: string
  readonly done: string
  readonly asksPassword: boolean
}

const PASSWORD_FIELD = `<label>New password
          <input type="password" name="password" minlength="8" maxlength="128" autocomplete="new-password" required>
        </label>`

const html = (base: string, { title, action, button, done, asksPassword }: Page) => `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <meta name="robots" content="noindex">
    <title>${title}</title>
    <link rel="stylesheet" href="${base}/links/page.css">
  </head>
  <body>
    <main>
      <h1>${title}</h1>
      <form data-action="${base}/${action}" data-done="${done}">
        ${asksPassword ? PASSWORD_FIELD : ''}
        <button>${button}</button>
      </form>
      <p role="status"></p>
    </main>
    <script src="${base}/links/page.js"></script>
  </body>
</html>
`

/** Nothing happens before the button is pressed: mail scanners open links too. */
const VERIFY_EMAIL: Page = {
  title: 'Confirm your address',
  action: 'api/v1/auth/email/verify',
  button: 'Confirm',
  done: 'Thank you, your address is confirmed.',
  asksPassword: false,
}

const RESET_PASSWORD: Page = {
  title: 'Choose a new password',
  action: 'api/v1/auth/password/reset',
  button: 'Set password',
  done: 'Your password is set. Sign in with it; every other session has ended.',
  asksPassword: true,
}

export const verifyEmailPage = (basePath: string) => html(escapeHtml(basePath), VERIFY_EMAIL)
export const resetPasswordPage = (basePath: string) => html(escapeHtml(basePath), RESET_PASSWORD)

export const PAGE_STYLE = `:root { color-scheme: light dark; font-family: system-ui, sans-serif; line-height: 1.5 }
main { max-width: 24rem; margin: 15vh auto; padding: 0 1rem }
label, input, button { display: block; width: 100%; box-sizing: border-box; font: inherit }
input, button { margin: 0.5rem 0 1rem; padding: 0.6rem }
`
