const form = document.querySelector('form')
const status = document.querySelector('[role=status]')
const token = new URLSearchParams(location.hash.slice(1)).get('token') ?? ''

// The address bar and the history need not keep it.
history.replaceState(null, '', location.pathname)

form.addEventListener('submit', async (event) => {
  event.preventDefault()
  const fields = Object.fromEntries(new FormData(form))
  try {
    const response = await fetch(form.dataset.action, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ token, ...fields }),
    })
    if (response.ok) {
      form.hidden = true
      status.textContent = form.dataset.done
      return
    }
    status.textContent = (await response.json()).detail
  } catch {
    status.textContent = 'The server cannot be reached. Please try again.'
  }
})
