// Lists of records that stay equal to what the server would list, through lost connections and changed rights.

import { accessToken, call, isSignedIn, onSession, renew, socketUrl } from './session.js'

const RETRY_MS = { first: 500, most: 15_000 }
/** A network that is lost without a word shows only by silence. */
const PING_MS = 20_000
/** Another try with the same token would end alike. */
const SIGNED_OUT = 4401

/** The followed lists, by their topic: a connection has one subscription for each. */
const lists = new Map()
let socket = null
/** Whether this connection has asked for its subscriptions. */
let asked = false
let heard = false
let failures = 0
let retry = null
let refs = 0
let tell = { state: () => {}, problem: () => {} }

/** `state` is called with a text and whether everything is live, `problem` with what the server refuses. */
export const start = (listener) => {
  tell = listener
  failures = 0
  connect()
}

export const stop = () => {
  clearTimeout(retry)
  const mine = socket
  socket = null
  mine?.close()
  lists.clear()
}

/** Follows the records of a collection that the user may read and that match a filter. */
export const follow = (topic, { filter, changed }) => {
  lists.get(topic)?.end()
  const list = {
    topic,
    filter,
    changed,
    /** By id. */
    records: new Map(),
    /** The place in the log up to which `records` is known; null before there is one. */
    cursor: null,
    /** Names the current subscription; null without one. */
    ref: null,
    isSubscribed: false,
    /** Events that came while the records are being read; null when they are not. */
    held: null,
    /** Shows an answer before its event comes. */
    put(record) {
      if (!isOlder(list, record)) list.records.set(record.id, record)
      changed()
    },
    drop(id) {
      list.records.delete(id)
      changed()
    },
    /** Whether the records were read. */
    isKnown: () => list.cursor !== null,
    end() {
      if (lists.get(topic) !== list) return
      lists.delete(topic)
      if (list.ref !== null) send({ type: 'unsubscribe', topic, ref: list.ref })
      // It may be what the others waited for.
      tellIfLive()
    },
  }
  lists.set(topic, list)
  if (asked) subscribe(list)
  return list
}

const isOlder = (list, { id, version }) => list.records.get(id)?.version >= version

// --- The connection --------------------------------------------------------------------------------------------------

const send = (frame) => socket?.send(JSON.stringify(frame))

const connect = () => {
  clearTimeout(retry)
  tell.state('Connecting…', false)
  const mine = new WebSocket(socketUrl('shopping-page'))
  socket = mine
  // A browser cannot set a header on an upgrade: the token goes into the first frame.
  mine.onopen = () => {
    heard = true
    send({ type: 'auth', token: accessToken() })
  }
  mine.onmessage = ({ data }) => {
    heard = true
    if (socket === mine) receive(JSON.parse(data))
  }
  mine.onclose = ({ code }) => {
    if (socket === mine) reconnect(code)
  }
}

/** After a while that grows with each failure, so that a server that comes back is not overrun. */
const reconnect = (code) => {
  const mine = socket
  socket = null
  mine?.close()
  asked = false
  for (const list of lists.values()) Object.assign(list, { ref: null, isSubscribed: false, held: null })
  tell.state('Connection lost, trying again…', false)
  const pause = Math.min(RETRY_MS.most, RETRY_MS.first * 2 ** failures) * (0.5 + Math.random() / 2)
  failures++
  retry = setTimeout(async () => {
    try {
      if (code === SIGNED_OUT) await renew()
      if (isSignedIn()) connect()
    } catch {
      if (isSignedIn()) reconnect(code)
    }
  }, pause)
}

onSession({
  renewed() {
    if (socket?.readyState === WebSocket.OPEN) send({ type: 'auth', token: accessToken() })
  },
})

setInterval(() => {
  if (socket?.readyState !== WebSocket.OPEN) return
  if (!heard) return reconnect()
  heard = false
  send({ type: 'ping' })
}, PING_MS)

addEventListener('offline', () => {
  if (socket !== null) reconnect()
})

// No need to wait any longer.
addEventListener('online', () => {
  if (isSignedIn() && socket === null) connect()
})

// --- Subscriptions ---------------------------------------------------------------------------------------------------

const subscribe = (list) => {
  const { topic, filter, cursor } = list
  list.ref = String(++refs)
  send({ type: 'subscribe', topic, filter, ref: list.ref, ...(cursor === null ? {} : { after: cursor }) })
}

const receive = (frame) => {
  const list = lists.get(frame.topic)
  switch (frame.type) {
    case 'ready':
      // The first frame after a connection; later ones answer a renewed token.
      if (!asked) for (const each of lists.values()) subscribe(each)
      asked = true
      return
    case 'subscribed':
      // Sent again without a ref if too much has changed to be told by events.
      if (frame.ref === undefined ? list?.isSubscribed : frame.ref === list?.ref) void begin(list, frame)
      return
    case 'event':
      if (!list?.isSubscribed) return
      if (list.held === null) apply(list, frame)
      else list.held.push(frame)
      return
    case 'unsubscribed':
      // Without being asked: the user may read nothing of it any more.
      if (frame.ref !== undefined || !list?.isSubscribed) return
      list.records.clear()
      list.changed()
      return
    case 'error':
      return tell.problem(frame.detail)
  }
}

/** Live from `cursor` on. What came before is there already, or is read now. */
const begin = async (list, { cursor, gap }) => {
  list.isSubscribed = true
  if (list.cursor === null || gap) {
    list.cursor = null
    list.held = []
    const { held } = list
    try {
      const records = await readAll(list)
      if (list.held !== held) return
      list.records.clear()
      for (const record of records) list.records.set(record.id, record)
    } catch (error) {
      if (list.held !== held) return
      tell.problem(error.message)
      return reconnect()
    }
    list.cursor = cursor
    list.held = null
    for (const event of held) apply(list, event)
    list.changed()
  }
  tellIfLive()
}

const tellIfLive = () => {
  if (!asked || ![...lists.values()].every(({ isSubscribed, held }) => isSubscribed && held === null)) return
  failures = 0
  tell.state('Live', true)
}

const readAll = async ({ topic, filter }) => {
  const records = []
  let cursor = null
  do {
    const query = new URLSearchParams({ sort: 'id', size: 100, total: false })
    if (filter !== undefined) query.set('filter', filter)
    if (cursor !== null) query.set('cursor', cursor)
    const page = await call('GET', `/collections/${topic}/records/?${query}`)
    records.push(...page.items)
    cursor = page.next_cursor
  } while (cursor !== null)
  return records
}

const apply = (list, { cursor, event, data }) => {
  list.cursor = cursor
  // Deleted; or left, which is to say that it can no longer be read or does not match any more.
  if (/\.(deleted|left)$/.test(event)) list.records.delete(data.id)
  else if (!isOlder(list, data)) list.records.set(data.id, data)
  list.changed()
}
