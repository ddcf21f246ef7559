// The form to sign in or to make an account, and the end of a session.

import { $, complain, showState } from './dom.js'
import { discard, outbox } from './outbox.js'
import { onSkep, reasonOf, signIn, signOut } from './skep.js'

/** Called with the user who has signed in, and when nobody is signed in any more. */
let tell = { signedIn: () => {}, signedOut: () => {} }
/** Whose changes are in the outbox. */
let author = null

export const onAccount = (listener) => {
  tell = listener
}

/** Does what cannot wait for a network, and says why not if it fails. */
export const attempt = async (work) => {
  complain('')
  try {
    await work()
  } catch (error) {
    complain(error.code === 'network_error' ? 'The server cannot be reached. Nothing was changed.' : reasonOf(error))
  }
}

const turnTo = (signedIn) => {
  $('sign-in').hidden = signedIn
  $('signed-in').hidden = !signedIn
  $('sign-out').hidden = !signedIn
  $(signedIn ? 'title' : 'email').focus()
}

/** Whether an account is to be made, which has a name. */
const isNew = () => !$('name-field').hidden

$('switch').onclick = () => {
  $('name-field').hidden = isNew()
  $('name').disabled = !isNew()
  $('password').autocomplete = isNew() ? 'new-password' : 'current-password'
  $('enter').textContent = isNew() ? 'Create account' : 'Sign in'
  $('switch').textContent = isNew() ? 'I have an account' : 'I have no account'
}

$('sign-in').onsubmit = (event) => {
  event.preventDefault()
  void attempt(async () => {
    const given = Object.fromEntries(new FormData($('sign-in')))
    const user = await signIn(given.server, given)
    if (isNew()) $('switch').click()
    $('password').value = ''
    if (author !== user.id) discardAll()
    author = user.id
    turnTo(true)
    tell.signedIn(user)
    if (!user.email_verified)
      complain('Open the link that we mailed you, so that others can share their lists with you.')
  })
}

const discardAll = () => {
  for (const change of [...outbox()]) discard(change)
}

const leave = (why = '') => {
  tell.signedOut()
  showState('Signed out')
  complain(why)
  turnTo(false)
}

$('sign-out').onclick = () => {
  const isUnsaved = outbox().length > 0
  if (isUnsaved && !confirm('Some changes are not saved yet. Discard them and sign out?')) return
  discardAll()
  signOut()
  leave()
}

// What is in the outbox waits for the same user.
onSkep({ ended: () => leave('You were signed out. Please sign in again.') })
