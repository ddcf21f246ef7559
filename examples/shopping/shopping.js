// Shared shopping lists. Everything that comes from the server is shown as text, never as HTML.

import { attempt, onAccount } from './account.js'
import { $, button, complain, element, showRows, showState } from './dom.js'
import { learnNames, names } from './names.js'
import { discard, enqueue, flush, onOutbox, outbox, tryAgain } from './outbox.js'
import { download, forgetDownloads } from './pictures.js'
import { follow, newKey, onSkep, skep } from './skep.js'

// --- What is known ---------------------------------------------------------------------------------------------------

/** The signed-in user; null when signed out. */
let me = null
/** The lists that the user owns or is a member of. */
let lists = null
/** The list that is shown, its entries and their pictures; null without one. */
let open = null

const openList = () => lists?.records.get(open?.id)

// --- What is shown ---------------------------------------------------------------------------------------------------

const byId = (records) => [...records.values()].sort((one, other) => one.id - other.id)

const emptyText = (followed) => (followed.isKnown() ? 'Nothing here yet.' : 'Loading…')

const render = () => {
  if (me === null) return
  const list = openList()
  if (open?.isKnown && list === undefined) return close(`“${open.title}” is gone, or no longer shared with you.`)
  showRows($('lists'), byId(lists.records), { create: newList, fill: fillList, fallback: $('title') })
  $('lists').dataset.empty = emptyText(lists)
  $('open').hidden = list === undefined
  if (list === undefined) return
  open.isKnown = true
  open.title = list.title
  void learnNames(list, render)
  const isMine = list.owner_id === me.id
  $('open-title').textContent = list.title
  $('delete-list').hidden = !isMine
  $('new-member').hidden = !isMine
  const members = [list.owner_id, ...list.members].map((id) => ({ id, isRemovable: isMine && id !== me.id }))
  showRows($('members'), members, { create: newMember, fill: fillMember, fallback: $('member') })
  showRows($('entries'), byId(open.entries.records), { create: newEntry, fill: fillEntry, fallback: $('text') })
  $('entries').dataset.empty = emptyText(open.entries)
}

const newList = (id) => element('li', {}, element('button', { type: 'button', onclick: () => show(id) }))

const fillList = (row, { id, title }) => {
  row.firstChild.textContent = title
  row.firstChild.ariaCurrent = String(id === open?.id)
}

const newMember = (id) =>
  element(
    'li',
    {},
    element('span'),
    ' ',
    button('Remove', { onclick: () => attempt(() => changeMembers({ remove: id })) }),
  )

const fillMember = (row, { id, isRemovable }) => {
  const name = id === me.id ? `${me.name} (you)` : (names.get(id) ?? 'Somebody')
  const remove = row.querySelector('button')
  row.firstChild.textContent = name
  remove.hidden = !isRemovable
  remove.ariaLabel = `Remove ${name}`
}

const newEntry = (id) => {
  const check = element('input', { type: 'checkbox', onchange: () => checkOff(id, check.checked) })
  const text = element('span', { className: 'text' })
  const file = element('input', { type: 'file', accept: 'image/jpeg,image/png', onchange: () => addPicture(id, file) })
  return element(
    'li',
    {},
    element('label', { className: 'check' }, check, text),
    element('span', { className: 'soft' }),
    element('label', { className: 'button small' }, 'Picture', file),
    button('Delete', { className: 'small delete', onclick: () => deleteEntry(id) }),
    element('div', { className: 'pictures' }),
  )
}

const fillEntry = (row, { id, text, done, owner_id }) => {
  // What is on its way to the server counts already.
  const waiting = outbox().findLast((change) => change.check === id && change.problem === null)
  const isDone = waiting?.done ?? done
  row.className = `${isDone ? 'done' : ''} ${waiting === undefined ? '' : 'waiting'}`
  row.querySelector('[type=checkbox]').checked = isDone
  row.querySelector('.text').textContent = text
  row.querySelector('.soft').textContent = owner_id === me.id ? '' : (names.get(owner_id) ?? '')
  row.querySelector('[type=file]').ariaLabel = `Add a picture to ${text}`
  row.querySelector('.delete').ariaLabel = `Delete ${text}`
  const pictures = byId(open.pictures.records).filter(({ entry }) => entry === id)
  showRows(row.querySelector('.pictures'), pictures, {
    create: newPicture,
    fill: (figure, picture) => fillPicture(figure, picture, text),
    fallback: row.querySelector('[type=file]'),
  })
}

const newPicture = (id) =>
  element('figure', {}, element('img'), button('Delete picture', { onclick: () => deletePicture(id) }))

const fillPicture = (figure, { file, owner_id }, text) => {
  const [image, remove] = figure.children
  image.alt = `Picture of ${text}`
  remove.hidden = owner_id !== me.id && openList().owner_id !== me.id
  remove.ariaLabel = `Delete picture of ${text}`
  const shown = (url) => Object.assign(image, { src: url })
  if (image.src === '') download(file).then(shown, () => {})
}

const newChange = () =>
  element(
    'li',
    {},
    element('span'),
    element('span', { className: 'why' }),
    button('Try again', { className: 'small again' }),
    button('Discard', { className: 'small discard' }),
  )

const fillChange = (row, change) => {
  const [text, why, again, drop] = row.children
  text.textContent = change.text
  why.textContent = change.problem
  for (const each of [why, again, drop]) each.hidden = change.problem === null
  again.onclick = () => tryAgain(change)
  drop.onclick = () => discard(change)
}

onOutbox(() => {
  $('outbox').hidden = outbox().length === 0
  showRows($('changes'), outbox(), { create: newChange, fill: fillChange, fallback: $('text') })
  render()
})

// --- What the user does ----------------------------------------------------------------------------------------------

/** What was deleted before needs no deleting. */
const remove = async (deletion) => {
  try {
    await deletion
  } catch (error) {
    if (error.status !== 404) throw error
  }
}

const show = (id) => {
  complain('')
  close()
  open = {
    id,
    entries: follow('entries', { filter: `list == ${id}`, changed: render }),
    pictures: follow('pictures', { filter: `entry.list == ${id}`, changed: render }),
  }
  render()
  $('open-title').focus()
}

const close = (why = '') => {
  open?.entries.end()
  open?.pictures.end()
  open = null
  for (const each of ['open-title', 'members', 'entries']) $(each).replaceChildren()
  forgetDownloads()
  if (why !== '') complain(why)
  render()
}

$('new-list').onsubmit = (event) => {
  event.preventDefault()
  const title = $('title').value
  const before = open
  const key = newKey()
  const work = async () => {
    const list = await skep.collection('lists').create({ title }, { idempotencyKey: key })
    await lists.settled(list)
    if (open === before) show(list.id)
  }
  enqueue({ text: `Create the list “${title}”`, work })
  $('new-list').reset()
}

$('delete-list').onclick = () => {
  const { id, title } = openList()
  if (!confirm(`Delete “${title}” with everything on it, for all members?`)) return
  enqueue({ text: `Delete the list “${title}”`, work: () => remove(skep.collection('lists').delete(id)) })
}

/** With the version that the user has seen: nobody's change is overwritten unseen. */
const changeMembers = async ({ add = [], remove }) => {
  const { id, version, members } = openList()
  const changed = [...new Set([...members, ...add])].filter((member) => member !== remove)
  await lists.settled(await skep.collection('lists').update(id, { members: changed }, { version }))
}

$('new-member').onsubmit = (event) => {
  event.preventDefault()
  void attempt(async () => {
    const user = await skep.call('POST', '/users/lookup', { json: { email: $('member').value } }).catch((error) => {
      const isUnknown = error.status === 404
      throw isUnknown ? Object.assign(error, { message: 'Nobody here has confirmed this address.' }) : error
    })
    names.set(user.id, user.name)
    await changeMembers({ add: [user.id] })
    $('new-member').reset()
  })
}

$('new-entry').onsubmit = (event) => {
  event.preventDefault()
  const json = { text: $('text').value, list: open.id }
  const { entries } = open
  const key = newKey()
  const work = async () => entries.settled(await skep.collection('entries').create(json, { idempotencyKey: key }))
  enqueue({ text: `Add “${json.text}” to “${open.title}”`, work })
  $('new-entry').reset()
}

const checkOff = (id, done) => {
  const { entries } = open
  const { text } = entries.records.get(id)
  const work = async () => {
    const entry = await skep.collection('entries').update(id, { done })
    // Unless it has left meanwhile.
    if (entries.records.has(id)) await entries.settled(entry)
  }
  enqueue({ text: `${done ? 'Check off' : 'Uncheck'} “${text}”`, check: id, done, work })
}

const deleteEntry = (id) => {
  const { entries } = open
  const work = () => remove(skep.collection('entries').delete(id))
  enqueue({ text: `Delete “${entries.records.get(id).text}”`, work })
}

const addPicture = (entry, input) => {
  const [picture] = input.files
  const { entries, pictures } = open
  const keys = [newKey(), newKey()]
  const work = async () => {
    const { id } = await skep.files.upload(picture, { idempotencyKey: keys[0] })
    const json = { file: id, entry }
    await pictures.settled(await skep.collection('pictures').create(json, { idempotencyKey: keys[1] }))
  }
  enqueue({ text: `Add the picture ${picture.name} to “${entries.records.get(entry).text}”`, work })
  input.value = ''
}

const deletePicture = (id) => {
  const { pictures } = open
  const { file, owner_id } = pictures.records.get(id)
  // With the file goes what refers to it. Only its owner may delete it.
  const work = () => remove(owner_id === me.id ? skep.files.delete(file) : skep.collection('pictures').delete(id))
  enqueue({ text: 'Delete a picture', work })
}

// --- The session -----------------------------------------------------------------------------------------------------

onAccount({
  signedIn(user) {
    names.set(user.id, user.name)
    lists = follow('lists', { changed: render })
    me = user
    render()
  },
  signedOut() {
    me = null
    close()
    lists = null
    names.clear()
    $('lists').replaceChildren()
  },
})

onSkep({
  problem: complain,
  state(text, live) {
    showState(text, live)
    if (live) void flush()
  },
})
