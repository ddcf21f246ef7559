import type { AccessNotices } from '../../application/ports/messaging.ts'
import type { RedisLink } from './link.ts'
import type { Namespace } from './namespace.ts'

/** Reaches this process before `publish` returns, and the others before it resolves unless Redis is down. */
export const createRedisAccessNotices = (link: RedisLink, namespace: Namespace): AccessNotices => {
  const channel = namespace.name('access')
  const me = crypto.randomUUID()
  const listeners: ((userId: number) => void)[] = []
  const tell = (userId: number) => {
    for (const listener of listeners) listener(userId)
  }

  link.listen(channel, (message) => {
    const [sender, userId] = message.split(' ')
    if (sender !== me) tell(Number(userId))
  })

  return {
    complete: false,
    async publish(userId) {
      tell(userId)
      // One that is lost is made up for by those who listen: see `complete`.
      if (link.isUp()) await link.send('PUBLISH', [channel, `${me} ${userId}`]).catch(() => {})
    },
    subscribe(listener) {
      listeners.push(listener)
    },
  }
}
