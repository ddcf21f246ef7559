/** Resolves with the document, or with null if the server lets anyone read it: then the page loads it itself. */
window.protectedDocument = async (url, page) => {
  const { status } = await fetch(url, { method: 'HEAD' })
  if (status !== 401) return null
  const { promise, resolve } = Promise.withResolvers()
  const form = document.createElement('form')
  form.setAttribute('style', 'display: grid; gap: 1rem; max-width: 20rem; margin: 4rem auto; font: 1rem sans-serif')
  const note = document.createElement('p')
  note.setAttribute('role', 'status')
  note.textContent = 'Only admins can read this document.'
  const field = (text, attributes) => {
    const label = document.createElement('label')
    const input = document.createElement('input')
    for (const [name, value] of Object.entries({ ...attributes, required: '' })) input.setAttribute(name, value)
    input.setAttribute('style', 'display: block; width: 100%; font: inherit')
    label.append(text, input)
    return { label, input }
  }
  const email = field('Email address', { type: 'email', autocomplete: 'username' })
  const password = field('Password', { type: 'password', autocomplete: 'current-password' })
  const button = document.createElement('button')
  button.textContent = 'Sign in'
  form.append(note, email.label, password.label, button)
  form.addEventListener('submit', async (event) => {
    event.preventDefault()
    try {
      const body = new URLSearchParams({ username: email.input.value, password: password.input.value })
      const signedIn = await fetch(new URL('api/v1/auth/token', url), { method: 'POST', body })
      const token = await signedIn.json()
      if (!signedIn.ok) throw new Error(token.detail)
      const answer = await fetch(url, { headers: { authorization: `Bearer ${token.access_token}` } })
      const content = await answer.json()
      if (!answer.ok) throw new Error(content.detail)
      form.remove()
      resolve(content)
    } catch (error) {
      note.textContent = error.message
    }
  })
  page.append(form)
  email.input.focus()
  return promise
}
