import {
  type AccessNotices,
  COMMIT_SIGNALS,
  type CommitSignal,
  type CommitSignals,
} from '../../application/ports/messaging.ts'

/** The listeners of one thread to notices, and how it publishes its own. */
export const createLocalNotices = (publishToOthers: (userId: number) => Promise<void>) => {
  const listeners: ((userId: number) => void)[] = []
  const receive = (userId: number) => {
    for (const listener of listeners) listener(userId)
  }
  const notices: AccessNotices = {
    // `publish` waits until every thread has received it.
    lossless: true,
    publish(userId) {
      receive(userId)
      return publishToOthers(userId)
    },
    subscribe: (listener) => void listeners.push(listener),
  }
  return { notices, receive }
}

/** The listeners of one thread to signals, and how it publishes its own: one message for those of one turn. */
export const createLocalSignals = (publishToOthers: (signals: readonly CommitSignal[]) => void) => {
  const listeners: ((signal: CommitSignal) => void)[] = []
  const gathered = new Set<CommitSignal>()
  const flush = () => {
    publishToOthers([...gathered])
    gathered.clear()
  }
  const signals: CommitSignals = {
    publish(signal) {
      if (gathered.size === 0) setImmediate(flush)
      gathered.add(signal)
    },
    subscribe: (listener) => void listeners.push(listener),
  }
  const receive = (received: readonly CommitSignal[]) => {
    for (const signal of COMMIT_SIGNALS) {
      if (received.includes(signal)) for (const listener of listeners) listener(signal)
    }
  }
  return { signals, receive }
}
