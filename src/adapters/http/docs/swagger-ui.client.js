/* global SwaggerUIBundle, protectedDocument */

const dark = matchMedia('(prefers-color-scheme: dark)')
const paint = () => document.documentElement.classList.toggle('dark-mode', dark.matches)
dark.addEventListener('change', paint)
paint()

/** A description up to its first heading, and the rest. */
const parted = (description) => {
  const end = description.search(/^#/m)
  return end === -1 ? [description, ''] : [description.slice(0, end), description.slice(end)]
}

const SUMMARY = 'Signing in, conventions and errors'

/** How many operations accept each way to sign in. */
const countSchemes = (document) => {
  const counts = new Map()
  for (const path of document.get('paths').values()) {
    for (const operation of path.values()) {
      for (const requirement of operation.get?.('security') ?? []) {
        for (const name of requirement.keys()) counts.set(name, (counts.get(name) ?? 0) + 1)
      }
    }
  }
  return counts
}

/** What differs from Swagger UI as it comes. */
const page = () => ({
  statePlugins: {
    spec: {
      wrapSelectors: {
        selectInfoDescriptionField:
          (original) =>
          (state, ...rest) =>
            parted(original(state, ...rest) ?? '')[0],
      },
    },
    auth: {
      wrapSelectors: {
        // A key to a single operation is asked for at that operation only.
        definitionsToAuthorize:
          (original, { specSelectors }) =>
          (state, ...rest) => {
            const counts = countSchemes(specSelectors.specJson())
            return original(state, ...rest)?.filter((scheme) => counts.get(scheme.keySeq().first()) !== 1)
          },
      },
    },
  },
  wrapComponents: {
    // A page of text before the first operation is a page too many: it is folded.
    OAS31Info:
      (Original, { React, getComponent, specSelectors }) =>
      (props) => {
        const Markdown = getComponent('Markdown', true)
        const [, rest] = parted(specSelectors.specJson().getIn(['info', 'description']) ?? '')
        const more = React.createElement(
          'details',
          { className: 'info-more' },
          React.createElement('summary', null, SUMMARY),
          React.createElement(Markdown, { source: rest }),
        )
        return React.createElement(
          React.Fragment,
          null,
          React.createElement(Original, props),
          rest === '' ? null : more,
        )
      },
    // Otherwise each operation is a link within a button.
    DeepLink:
      (_, { React }) =>
      ({ text }) =>
        React.createElement('span', null, text),
  },
})

const OPTIONS = {
  dom_id: '#page',
  deepLinking: true,
  displayRequestDuration: true,
  tryItOutEnabled: true,
  defaultModelsExpandDepth: 0,
  // The numbers of the theme that comes first have too little contrast to be read by everyone.
  syntaxHighlight: { theme: 'tomorrow-night' },
  plugins: [page],
  // Otherwise the document would be sent to a validator elsewhere.
  validatorUrl: null,
}

// Beside this script's folder, whatever path a proxy has put in front of it.
const { href } = new URL('../openapi.json', document.currentScript.src)
protectedDocument(href, document.getElementById('page')).then((content) =>
  SwaggerUIBundle({ ...OPTIONS, ...(content === null ? { url: href } : { spec: content }) }),
)

const setAttributes = (attributes) => (element) => {
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value)
}

const nameField = (element) => {
  const row = element.closest('tr')?.querySelector('.parameter__name')
  element.setAttribute('aria-label', row?.firstChild?.textContent ?? 'Request body')
}

/** What readers of the page and password managers need to know, and Swagger UI does not say. */
const MENDED = [
  ['#oauth_username', setAttributes({ autocomplete: 'username', autocapitalize: 'none', spellcheck: 'false' })],
  ['#oauth_password', setAttributes({ autocomplete: 'current-password' })],
  ['.information-container', setAttributes({ role: 'region', 'aria-label': 'About' })],
  ['.scheme-container', setAttributes({ role: 'region', 'aria-label': 'Sign in' })],
  ['.modal-ux-header h3, h3.opblock-tag, .models > h4', setAttributes({ 'aria-level': '2' })],
  ['.modal-ux-content h4, .opblock h4', setAttributes({ 'aria-level': '3' })],
  ['.opblock h5', setAttributes({ 'aria-level': '4' })],
  ['.close-modal', setAttributes({ 'aria-label': 'Close' })],
  ['.dialog-ux .modal-ux', setAttributes({ role: 'dialog', 'aria-modal': 'true', 'aria-label': 'Sign in' })],
  ['.auth-btn-wrapper button[aria-label]', (button) => button.removeAttribute('aria-label')],
  // An example wider than the page is scrolled by keyboard, too.
  ['.highlight-code > .microlight', setAttributes({ tabindex: '0' })],
  ['textarea:not([aria-label]), .parameters input:not([aria-label]), .parameters select:not([aria-label])', nameField],
]

let isSigningIn = false

new MutationObserver(() => {
  const name = document.getElementById('oauth_username')
  if (name !== null && !isSigningIn) name.focus()
  isSigningIn = name !== null
  for (const [selector, mend] of MENDED) {
    for (const element of document.querySelectorAll(selector)) mend(element)
  }
}).observe(document.getElementById('page'), { childList: true, subtree: true })

document.addEventListener('keydown', (event) => {
  if (event.key === 'Escape') document.querySelector('.close-modal')?.click()
  if (event.key !== 'Enter' || !event.target.matches('.auth-container input')) return
  if (event.target.form !== null) return
  event.target.closest('.auth-container').querySelector('button.authorize')?.click()
})
