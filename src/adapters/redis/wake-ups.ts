import { WAKERS, type Waker, type WakeUps } from '../../application/ports/messaging.ts'
import type { RedisConnection } from './connection.ts'
import type { Namespace } from './namespace.ts'

/** Commits within this number of milliseconds share one message. */
const GATHER_MS = 2

/**
 * Sends one message for all commits within a short time. After an outage of Redis, calls the listeners with every
 * topic.
 */
export const createRedisWakeUps = (connection: RedisConnection, namespace: Namespace): WakeUps => {
  const channel = namespace.name('wake')
  const me = crypto.randomUUID()
  const gathered = new Set<Waker>()
  const listeners: ((by: Waker) => void)[] = []
  const wake = (by: Waker) => {
    for (const listener of listeners) listener(by)
  }

  const flush = () => {
    const message = [me, ...gathered].join(' ')
    gathered.clear()
    if (connection.isUp()) connection.send('PUBLISH', [channel, message]).catch(() => {})
  }

  connection.listen(channel, (message) => {
    const [sender, ...called] = message.split(' ')
    if (sender === me) return
    for (const by of WAKERS) if (called.includes(by)) wake(by)
  })
  connection.onUp(() => WAKERS.forEach(wake))

  return {
    publish(by) {
      if (gathered.size === 0) setTimeout(flush, GATHER_MS)
      gathered.add(by)
    },
    subscribe(listener) {
      listeners.push(listener)
    },
  }
}
