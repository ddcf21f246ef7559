// Signs in, lists items and follows their changes. Everything that comes from the server is shown as text, never as HTML.

const RETRY_MS = { first: 500, most: 15_000 }
/** Another try with the same token would end alike. */
const SIGNED_OUT = 4401

const $ = (id) => document.getElementById(id)

// --- What is known ---------------------------------------------------------------------------------------------------

/** The signed-in server and its tokens, in memory alone; null when signed out. */
let session = null
/** Items by id. */
const items = new Map()
/** The place in the log up to which `items` is known; null before there is one. */
let cursor = null
let socket = null
/** Whether this connection has asked for its subscription. */
let asked = false
/** Events that came while the list is being loaded; null when it is not. */
let held = null
let failures = 0
let retry = null

// --- REST ------------------------------------------------------------------------------------------------------------

const problemOf = async (response) => {
  const body = await response.json().catch(() => ({}))
  return Object.assign(new Error(body.detail ?? `The server answered ${response.status}`), { status: response.status })
}

/** Asks for tokens; see `POST /api/v1/auth/token`. */
const takeTokens = async (server, grant) => {
  const body = new URLSearchParams(grant)
  const response = await fetch(`${server}/api/v1/auth/token`, { method: 'POST', body })
  if (!response.ok) throw await problemOf(response)
  const tokens = await response.json()
  return { server, access: tokens.access_token, refresh: tokens.refresh_token, life: tokens.expires_in * 1_000 }
}

let renewing = null
/** Replaces the tokens; at once for all who ask meanwhile, as a refresh token works once. */
const renew = () => {
  const before = session
  renewing ??= takeTokens(before.server, { grant_type: 'refresh_token', refresh_token: before.refresh })
    .then((next) => {
      if (session !== before) return
      session = next
      renewInTime()
      if (socket?.readyState === WebSocket.OPEN) send({ type: 'auth', token: next.access })
    })
    .finally(() => {
      renewing = null
    })
  return renewing
}

let renewal = null
const renewInTime = () => {
  clearTimeout(renewal)
  renewal = setTimeout(() => renew().catch(() => {}), session.life * 0.8)
}

const call = async (method, path, { json, headers } = {}, again = true) => {
  const response = await fetch(`${session.server}/api/v1${path}`, {
    method,
    headers: {
      authorization: `Bearer ${session.access}`,
      ...(json === undefined ? {} : { 'content-type': 'application/json' }),
      ...headers,
    },
    body: json === undefined ? undefined : JSON.stringify(json),
  })
  if (response.status === 401 && again) {
    await renew()
    return call(method, path, { json, headers }, false)
  }
  if (!response.ok) throw await problemOf(response)
  return response.status === 204 ? null : response.json()
}

// --- Realtime --------------------------------------------------------------------------------------------------------

const send = (frame) => socket.send(JSON.stringify(frame))

const connect = () => {
  clearTimeout(retry)
  show('Connecting…')
  const mine = new WebSocket(`${session.server.replace(/^http/, 'ws')}/ws/items-page`)
  socket = mine
  asked = false
  held = null
  // A browser cannot set a header on an upgrade: the token goes into the first frame.
  mine.onopen = () => send({ type: 'auth', token: session.access })
  mine.onmessage = ({ data }) => {
    if (socket === mine) receive(JSON.parse(data))
  }
  mine.onclose = ({ code }) => {
    if (socket === mine) reconnect(code)
  }
}

/** After a while that grows with each failure, so that a server that comes back is not overrun. */
const reconnect = (code) => {
  socket = null
  show('Connection lost, trying again…')
  const pause = Math.min(RETRY_MS.most, RETRY_MS.first * 2 ** failures) * (0.5 + Math.random() / 2)
  failures++
  retry = setTimeout(async () => {
    try {
      if (code === SIGNED_OUT) await renew()
      if (session !== null) connect()
    } catch (error) {
      if (error.status === undefined) reconnect(code)
      else signOut('You were signed out. Please sign in again.')
    }
  }, pause)
}

const receive = (frame) => {
  switch (frame.type) {
    case 'ready':
      // The first frame after a connection; later ones answer a renewed token.
      if (!asked) send({ type: 'subscribe', topic: 'items', ...(cursor === null ? {} : { after: cursor }) })
      asked = true
      return
    case 'subscribed':
      return void follow(frame)
    case 'event':
      if (held === null) apply(frame)
      else held.push(frame)
      return
    case 'error':
      return complain(frame.detail)
  }
}

/** Live from `cursor` on. What came before is there already, or is loaded now. */
const follow = async ({ cursor: from, gap }) => {
  const mine = socket
  if (cursor === null || gap) {
    held = []
    try {
      const page = await call('GET', '/items/?size=100&sort=-created_at')
      if (socket !== mine) return
      items.clear()
      $('items').replaceChildren()
      for (const item of page.items) put(item, false)
    } catch (error) {
      complain(error.message)
      return mine.close()
    }
    cursor = from
    for (const event of held) apply(event)
    held = null
  }
  failures = 0
  show('Live', true)
}

const apply = ({ cursor: at, event, data }) => {
  cursor = at
  if (event === 'item.deleted') drop(data.id)
  else put(data, true)
}

// --- What is shown ---------------------------------------------------------------------------------------------------

const show = (text, live = false) => {
  $('state').textContent = text
  $('state').dataset.live = live
}

const complain = (text) => {
  $('problem').textContent = text
}

const element = (tag, properties = {}, ...children) => {
  const made = Object.assign(document.createElement(tag), properties)
  made.append(...children)
  return made
}

const rowOf = (id) => $('items').querySelector(`[data-id="${id}"]`)

/** Shows an item, unless a newer version of it is there. */
const put = (item, fresh) => {
  const known = items.get(item.id)
  if (known !== undefined && known.version >= item.version) return
  items.set(item.id, item)
  const row = rowOf(item.id) ?? newRow(item.id)
  row.querySelector('.title').textContent = item.title
  row.querySelector('.version').textContent = `version ${item.version}`
  row.querySelector('.rename').ariaLabel = `Rename ${item.title}`
  row.querySelector('.delete').ariaLabel = `Delete ${item.title}`
  row.classList.remove('fresh')
  if (!fresh) return
  void row.offsetWidth
  row.classList.add('fresh')
}

const drop = (id) => {
  items.delete(id)
  rowOf(id)?.remove()
}

/** The newest first. */
const newRow = (id) => {
  const rename = element('button', { type: 'button', className: 'rename', textContent: 'Rename' })
  const remove = element('button', { type: 'button', className: 'delete', textContent: 'Delete' })
  const parts = [element('span', { className: 'title' }), element('span', { className: 'version' }), rename, remove]
  const row = element('li', {}, element('div', {}, ...parts))
  row.dataset.id = id
  rename.onclick = () => edit(row, id)
  remove.onclick = () =>
    attempt(async () => {
      await call('DELETE', `/items/${id}`)
      drop(id)
    })
  const older = [...$('items').children].find((other) => Number(other.dataset.id) < id)
  $('items').insertBefore(row, older ?? null)
  return row
}

/** Turns a row into a form for its title. */
const edit = (row, id) => {
  const { title, version } = items.get(id)
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
  form.onsubmit = (event) => {
    event.preventDefault()
    void attempt(async () => {
      // With the version that was edited: nobody's change is overwritten unseen. A list has no ETags for `If-Match`.
      const operations = [{ op: 'update', id, version, title: input.value }]
      try {
        const { results } = await call('POST', '/items/batch', { json: { operations } })
        put(results[0], true)
      } finally {
        done()
      }
    })
  }
  line.hidden = true
  row.append(form)
  input.select()
}

/** Does what someone asked for, and says why not if it fails. */
const attempt = async (work) => {
  complain('')
  try {
    await work()
  } catch (error) {
    complain(error.status === undefined ? 'The server cannot be reached.' : error.message)
  }
}

// --- Signing in and out ----------------------------------------------------------------------------------------------

const turnTo = (signedIn) => {
  $('sign-in').hidden = signedIn
  $('signed-in').hidden = !signedIn
  $('sign-out').hidden = !signedIn
  $(signedIn ? 'title' : 'email').focus()
}

const signOut = (why = '') => {
  clearTimeout(retry)
  clearTimeout(renewal)
  const mine = socket
  socket = null
  mine?.close()
  session = null
  cursor = null
  items.clear()
  $('items').replaceChildren()
  show('Signed out')
  complain(why)
  turnTo(false)
}

$('sign-in').onsubmit = (event) => {
  event.preventDefault()
  void attempt(async () => {
    const { server, email, password } = Object.fromEntries(new FormData($('sign-in')))
    session = await takeTokens(server.replace(/\/+$/, ''), { username: email, password })
    $('password').value = ''
    failures = 0
    turnTo(true)
    renewInTime()
    connect()
  })
}

$('sign-out').onclick = () => {
  const { server, refresh } = session
  signOut()
  // The session ends on the server too.
  fetch(`${server}/api/v1/auth/revoke`, { method: 'POST', body: new URLSearchParams({ token: refresh }) }).catch(
    () => {},
  )
}

$('new').onsubmit = (event) => {
  event.preventDefault()
  void attempt(async () => {
    put(await call('POST', '/items/', { json: { title: $('title').value } }), true)
    $('new').reset()
  })
}

// No need to wait any longer.
addEventListener('online', () => {
  if (session !== null && socket === null) connect()
})
