const form = document.querySelector('form')
const error = document.getElementById('error')
const done = document.getElementById('done')
const button = form.querySelector('[type=submit]')
const { action, api } = form.dataset
const token = new URLSearchParams(location.hash.slice(1)).get('token') ?? ''

// Removes the token from the address bar and the history.
history.replaceState(null, '', location.pathname)
// Opening another link in the same tab only changes the fragment.
addEventListener('hashchange', () => location.reload())

const USED_UP = 'This link has expired, has already been used, or was replaced by a newer one.'

const SENTENCES = {
  invalid_link: USED_UP,
  invalid_grant: 'The email address or password is wrong.',
  inactive_user: 'This account is deactivated. Please contact the operator of this service.',
  overloaded: 'The service is busy. Please try again in a moment.',
  unavailable: 'The service is not available right now. Please try again in a few minutes.',
}

const ABOUT_FIELD = {
  '/email': 'Enter a valid email address.',
  '/password': 'Use 8 to 128 characters.',
  '/token': USED_UP,
}

class Refusal extends Error {
  constructor(message, field = null) {
    super(message)
    this.field = field
  }
}

const waitOf = (response) => {
  const seconds = Number(response.headers.get('retry-after') ?? 60)
  if (seconds < 90) return `${seconds} seconds`
  return seconds < 5400 ? `${Math.ceil(seconds / 60)} minutes` : `${Math.ceil(seconds / 3600)} hours`
}

/** The message for a failed response. */
const refusalOf = async (response) => {
  const problem = await response.json().catch(() => ({}))
  const { code, detail, errors, request_id: id } = problem
  if (code === 'too_many_requests') return new Refusal(`Too many attempts. Please try again in ${waitOf(response)}.`)
  if (code === 'weak_password') return new Refusal(`${detail}. Please choose another one.`, 'password')
  const pointer = code === 'validation_failed' ? errors?.[0]?.pointer : null
  if (pointer in ABOUT_FIELD) return new Refusal(ABOUT_FIELD[pointer], pointer.slice(1))
  if (code in SENTENCES) return new Refusal(SENTENCES[code])
  return new Refusal(`Something went wrong. Please try again later${id ? ` (reference ${id})` : ''}.`)
}

const call = async (method, path, { json, body, bearer } = {}) => {
  const headers = {}
  if (json !== undefined) headers['content-type'] = 'application/json'
  if (bearer !== undefined) headers.authorization = `Bearer ${bearer}`
  const init = { method, headers, body: json === undefined ? body : JSON.stringify(json) }
  const response = await fetch(`${api}/${path}`, init).catch(() => {
    throw new Refusal('The service cannot be reached. Please check your connection and try again.')
  })
  if (!response.ok) throw await refusalOf(response)
  return response
}

const resend = async ({ email, password }) => {
  const credentials = new URLSearchParams({ grant_type: 'password', username: email, password })
  const tokens = await (await call('POST', 'auth/token', { body: credentials })).json()
  const bearer = tokens.access_token
  try {
    const user = await (await call('GET', 'users/me', { bearer })).json()
    if (user.email_verified) {
      return `${user.email} is already confirmed. To confirm a different address, request the change again.`
    }
    await call('POST', 'auth/email/verify/request', { bearer })
    return `We have sent a new link to ${user.email}. It works once and expires in 24 hours.`
  } finally {
    await call('POST', 'auth/revoke', { body: new URLSearchParams({ token: tokens.refresh_token }) }).catch(() => {})
  }
}

const ACTIONS = {
  'verify-email': async () => {
    await call('POST', 'auth/email/verify', { json: { token } })
    return 'Thank you. Your email address is confirmed.'
  },
  'reset-password': async ({ password }) => {
    await call('POST', 'auth/password/reset', { json: { token, password } })
    return 'Your password has been changed. You can now sign in with it.'
  },
  'forgot-password': async ({ email }) => {
    await call('POST', 'auth/password/forgot', { json: { email } })
    return `If an account exists for ${email}, we have sent a link to it. The link works once and expires in 30 minutes. Check your spam folder, too.`
  },
  'resend-verification': resend,
}

const otherwise = document.getElementById('otherwise')

/** Shows that the link is unusable, and offers a new one. */
const giveUp = (sentence) => {
  form.hidden = true
  document.getElementById('lead').hidden = true
  error.textContent = sentence
  otherwise.className = ''
  otherwise.firstElementChild.className = 'button'
}

const show = (refusal) => {
  if (refusal.message === USED_UP) {
    giveUp(USED_UP)
    otherwise.firstElementChild.focus()
    return
  }
  error.textContent = refusal instanceof Refusal ? refusal.message : 'Something went wrong. Please reload the page.'
  const field = form.elements.namedItem(refusal.field ?? '')
  field?.setAttribute('aria-invalid', 'true')
  field?.focus()
}

const finish = (sentence) => {
  form.hidden = true
  for (const part of [document.getElementById('lead'), otherwise]) part.hidden = true
  const onwards = document.getElementById('onwards')
  if (onwards !== null) onwards.hidden = false
  done.textContent = sentence
  done.focus()
}

form.addEventListener('submit', async (event) => {
  event.preventDefault()
  if (button.ariaDisabled === 'true') return
  error.textContent = ''
  for (const field of form.elements) field.removeAttribute('aria-invalid')
  button.ariaDisabled = 'true'
  try {
    finish(await ACTIONS[action](Object.fromEntries(new FormData(form))))
  } catch (refusal) {
    show(refusal)
  } finally {
    button.ariaDisabled = 'false'
  }
})

for (const reveal of document.querySelectorAll('.reveal')) {
  reveal.addEventListener('click', () => {
    const field = document.getElementById(reveal.getAttribute('aria-controls'))
    const isHidden = field.type === 'password'
    field.type = isHidden ? 'text' : 'password'
    reveal.textContent = isHidden ? 'Hide' : 'Show'
    reveal.ariaLabel = isHidden ? 'Hide password' : 'Show password'
  })
}

if ('token' in form.dataset && token === '') {
  giveUp('This link is incomplete. Open it from the email again, or request a new one.')
} else form.hidden = false
