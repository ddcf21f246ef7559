import { COMMIT_SIGNALS, type CommitSignal, type CommitSignals } from '../../application/ports/messaging.ts'
import type { RedisConnection } from './connection.ts'
import type { Namespace } from './namespace.ts'

/** Commits within this number of milliseconds share one message. */
const COALESCE_MS = 2

/**
 * Sends one message for all commits within a short time. After an outage of Redis, calls the listeners with every
 * topic.
 */
export const createRedisCommitSignals = (connection: RedisConnection, namespace: Namespace): CommitSignals => {
  const channel = namespace.name('wake')
  const processId = crypto.randomUUID()
  const gathered = new Set<CommitSignal>()
  const listeners: ((signal: CommitSignal) => void)[] = []
  const notify = (signal: CommitSignal) => {
    for (const listener of listeners) listener(signal)
  }

  const flush = () => {
    const message = [processId, ...gathered].join(' ')
    gathered.clear()
    if (connection.isUp()) connection.send('PUBLISH', [channel, message]).catch(() => {})
  }

  connection.listen(channel, (message) => {
    const [sender, ...received] = message.split(' ')
    if (sender === processId) return
    for (const signal of COMMIT_SIGNALS) if (received.includes(signal)) notify(signal)
  })
  connection.onUp(() => COMMIT_SIGNALS.forEach(notify))

  return {
    publish(signal) {
      if (gathered.size === 0) setTimeout(flush, COALESCE_MS)
      gathered.add(signal)
    },
    subscribe(listener) {
      listeners.push(listener)
    },
  }
}
