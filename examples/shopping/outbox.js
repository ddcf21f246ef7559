// Changes on their way to the server, in order. Without a network they wait; what the server refuses stays until the user
// has seen why. So nothing that was typed is lost.

import { isSignedIn, reasonOf } from './skep.js'

const RETRY_MS = { first: 1_000, most: 15_000 }

/** Each with the `text` that tells the user what it is, and why it was refused (`problem`) if it was. */
const changes = []
let count = 0
let isSending = false
let failures = 0
let retry = null
let changed = () => {}

export const onOutbox = (listener) => {
  changed = listener
}

/** In the order in which they were made. */
export const outbox = () => changes

/** `work` may run again if no answer came: give the server an idempotency key for what it is to create. */
export const enqueue = (change) => {
  changes.push({ ...change, id: ++count, problem: null })
  changed()
  void flush()
}

export const discard = (change) => {
  changes.splice(changes.indexOf(change), 1)
  changed()
}

export const tryAgain = (change) => {
  change.problem = null
  changed()
  void flush()
}

/** Whether the same request may succeed later. */
const isTemporary = ({ status, code }) =>
  code === 'network_error' || status === 429 || status === 502 || status === 503 || code === 'idempotency_in_progress'

/** Sends what waits. Call it when the server can be reached again, too. */
export const flush = async () => {
  if (isSending) return
  isSending = true
  clearTimeout(retry)
  for (;;) {
    const change = changes.find(({ problem }) => problem === null)
    if (change === undefined || !isSignedIn()) break
    try {
      await change.work()
      failures = 0
      if (changes.includes(change)) discard(change)
    } catch (error) {
      if (isTemporary(error) || !isSignedIn()) {
        const pause = Math.min(RETRY_MS.most, RETRY_MS.first * 2 ** failures++) * (0.5 + Math.random() / 2)
        retry = setTimeout(flush, pause)
        break
      }
      change.problem = reasonOf(error)
      changed()
    }
  }
  isSending = false
}

addEventListener('beforeunload', (event) => {
  if (changes.length > 0) event.preventDefault()
})
