// Signs in, lists items and follows their changes. Everything that comes from the server is shown as text, never as HTML.

import { createClient, memoryStorage } from 'skep-client'

const STATES = { loading: 'Connecting…', live: 'Live', offline: 'Connection lost, trying again…', error: 'Stopped' }
const MAX_ITEMS_COUNT = 100

const $ = (id) => document.getElementById(id)

// --- What is shown ---------------------------------------------------------------------------------------------------

const show = (text, live = false) => {
  $('state').textContent = text
  $('state').dataset.live = live
}

const complain = (text) => {
  $('problem').textContent = text
}

const turnTo = (signedIn) => {
  $('sign-in').hidden = signedIn
  $('signed-in').hidden = !signedIn
  $('sign-out').hidden = !signedIn
  $(signedIn ? 'title' : 'email').focus()
}

const element = (tag, properties = {}, ...children) => {
  const made = Object.assign(document.createElement(tag), properties)
  made.append(...children)
  return made
}

/** Does what someone asked for, and says why not if it fails. */
const attempt = async (work) => {
  complain('')
  try {
    await work()
  } catch (error) {
    complain(error.message)
  }
}

/** Does what a form is for, once however often it is submitted meanwhile. */
const onSubmit = (form, work) => {
  form.onsubmit = async (event) => {
    event.preventDefault()
    if (form.ariaBusy === 'true') return
    form.ariaBusy = 'true'
    await attempt(work)
    form.ariaBusy = 'false'
  }
}

// --- Items -----------------------------------------------------------------------------------------------------------

/** Shows these items. Rows stay the same elements, so that one that is being edited is not disturbed. */
const showItems = (records, items, isFresh) => {
  const rows = new Map([...$('items').children].map((row) => [row.dataset.id, row]))
  const ids = new Set(records.map(({ id }) => String(id)))
  for (const [id, row] of rows) if (!ids.has(id)) row.remove()
  for (const [place, item] of records.entries()) {
    const row = rows.get(String(item.id)) ?? newRow(item.id)
    const there = $('items').children[place]
    if (there !== row) $('items').insertBefore(row, there ?? null)
    if (row.dataset.version !== String(item.version)) fill(row, item, items, isFresh)
  }
}

const newRow = (id) => {
  const rename = element('button', { type: 'button', className: 'rename', textContent: 'Rename' })
  const remove = element('button', { type: 'button', className: 'delete', textContent: 'Delete' })
  const parts = [element('span', { className: 'title' }), element('span', { className: 'version' }), rename, remove]
  const row = element('li', {}, element('div', {}, ...parts))
  row.dataset.id = id
  return row
}

const fill = (row, item, items, isFresh) => {
  const [title, version, rename, remove] = row.firstElementChild.children
  row.dataset.version = item.version
  title.textContent = item.title
  version.textContent = `version ${item.version}`
  rename.ariaLabel = `Rename ${item.title}`
  rename.onclick = () => edit(row, item, items)
  remove.ariaLabel = `Delete ${item.title}`
  remove.onclick = () => attempt(() => items.delete(item.id))
  row.classList.remove('fresh')
  if (!isFresh) return
  void row.offsetWidth
  row.classList.add('fresh')
}

/** Turns a row into a form for its title. */
const edit = (row, { id, title, version }, items) => {
  const line = row.firstElementChild
  const input = element('input', { value: title, required: true, maxLength: 200, ariaLabel: 'New title' })
  const save = element('button', { className: 'main', textContent: 'Save' })
  const cancel = element('button', { type: 'button', textContent: 'Cancel' })
  const form = element('form', {}, input, save, cancel)
  const done = () => {
    form.remove()
    line.hidden = false
    row.querySelector('.rename').focus()
  }
  cancel.onclick = done
  form.onkeydown = ({ key }) => {
    if (key === 'Escape') done()
  }
  // With the version that was edited: nobody's change is overwritten unseen.
  onSubmit(form, () => items.update(id, { title: input.value }, { version }).finally(done))
  line.hidden = true
  row.append(form)
  input.select()
}

// --- Signing in and out ----------------------------------------------------------------------------------------------

onSubmit($('sign-in'), async () => {
  const { server, email, password } = Object.fromEntries(new FormData($('sign-in')))
  // The session ends with the page.
  const client = createClient({ url: server, storage: memoryStorage() })
  await client.auth.signIn({ email, password })
  $('password').value = ''
  turnTo(true)
  follow(client)
})

/** Shows the items of somebody, who may change them, until the session ends. */
const follow = (client) => {
  const items = client.collection('items')
  const live = items.live({ limit: MAX_ITEMS_COUNT })
  const stop = live.subscribe((records) => {
    showItems(records, items, $('state').dataset.live === 'true')
    show(STATES[live.status], live.status === 'live')
    if (live.error !== null) complain(live.error.message)
  })
  onSubmit($('new'), async () => {
    await items.create({ title: $('title').value })
    $('new').reset()
  })
  let why = 'You were signed out. Please sign in again.'
  $('sign-out').onclick = () => {
    why = ''
    void client.auth.signOut()
  }
  client.auth.onAuthChange((session) => {
    if (session !== null) return
    stop()
    live.close()
    client.close()
    showItems([])
    show('Signed out')
    complain(why)
    turnTo(false)
  })
}
