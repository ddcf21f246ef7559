import type { AccessNotices } from '../../application/ports/messaging.ts'
import type { RedisConnection } from './connection.ts'
import type { Namespace } from './namespace.ts'

/** Reaches this process before `publish` returns, and the others before it resolves unless Redis is down. */
export const createRedisAccessNotices = (connection: RedisConnection, namespace: Namespace): AccessNotices => {
  const channel = namespace.name('access')
  const processId = crypto.randomUUID()
  const listeners: ((userId: number) => void)[] = []
  const notify = (userId: number) => {
    for (const listener of listeners) listener(userId)
  }

  connection.listen(channel, (message) => {
    const [sender, userId] = message.split(' ')
    if (sender !== processId) notify(Number(userId))
  })

  return {
    lossless: false,
    async publish(userId) {
      notify(userId)
      // Listeners compensate for lost notices: see `lossless`.
      if (connection.isUp()) await connection.send('PUBLISH', [channel, `${processId} ${userId}`]).catch(() => {})
    },
    subscribe(listener) {
      listeners.push(listener)
    },
  }
}
