// The server that the user signs in to, and lists of its records that stay equal to what it would list.

import { createClient, memoryStorage } from 'skep-client'

/** The longest wait for the event of one's own change. */
const EVENT_TIMEOUT_MS = 2_000

/** The client of the server; null when signed out. */
export let skep = null

const lists = new Set()
const tell = { state: () => {}, problem: () => {}, ended: () => {} }

/** `state` is called with a text and whether everything is live, `problem` with what the server refuses, `ended` when it ends the session. */
export const onSkep = (given) => Object.assign(tell, given)

export const isSignedIn = () => skep !== null

/** Signs in, and makes the account first if it has a name. The tokens are in memory alone. */
export const signIn = async (url, { name, email, password }) => {
  const client = createClient({ url, storage: memoryStorage() })
  if (name !== undefined) await client.auth.signUp({ name, email, password })
  await client.auth.signIn({ email, password })
  skep = client
  client.auth.onAuthChange((session) => {
    if (session !== null || skep !== client) return
    forget()
    tell.ended()
  })
  return client.call('GET', '/users/me')
}

/** Here at once, and on the server as soon as it can be reached. */
export const signOut = () => {
  const client = skep
  forget()
  client.auth.signOut().finally(() => client.close())
}

const forget = () => {
  skep = null
  for (const list of [...lists]) list.end()
}

/** A new key for something that the server is to do once, however often it is asked. */
export const newKey = () =>
  Array.from(crypto.getRandomValues(new Uint32Array(4)), (part) => part.toString(36)).join('-')

/** Why something was refused, with what is wrong about each field. */
export const reasonOf = ({ message, errors = [] }) =>
  [message, ...errors.map(({ pointer, detail }) => `${pointer.slice(1)}: ${detail}`)].join('. ')

/** Follows the records of a collection that the user may read and that match a filter. */
export const follow = (collection, { filter, changed }) => {
  const live = skep.collection(collection).live({ filter, sort: 'id' })
  const list = {
    live,
    /** By id. */
    records: new Map(),
    /** Whether the records were read. */
    isKnown: () => isKnown,
    /** Resolves when the list has one's own change, or does not get it. */
    async settled({ id, version }) {
      const deadline = Date.now() + EVENT_TIMEOUT_MS
      while (lists.has(list) && !(list.records.get(id)?.version >= version) && Date.now() < deadline) await next()
    },
    end() {
      lists.delete(list)
      stop()
      live.close()
      showState()
    },
  }
  let isKnown = false
  /** Resolves at the next change, or soon. */
  const next = () =>
    new Promise((resolve) => {
      waiting.push(resolve)
      setTimeout(resolve, 100)
    })
  let waiting = []
  let isReady = false
  const stop = live.subscribe((records) => {
    // The first call comes before the list is known to anybody.
    if (!isReady) return
    isKnown ||= live.status === 'live'
    list.records = new Map(records.map((record) => [record.id, record]))
    if (live.status === 'error') tell.problem(reasonOf(live.error))
    showState()
    changed()
    for (const resolve of waiting) resolve()
    waiting = []
  })
  isReady = true
  lists.add(list)
  showState()
  return list
}

const showState = () => {
  const all = [...lists].map(({ live }) => live.status)
  if (all.includes('offline')) tell.state('Connection lost, trying again…', false)
  else if (all.length > 0 && all.every((status) => status === 'live')) tell.state('Live', true)
  else if (all.includes('loading')) tell.state('Connecting…', false)
}
