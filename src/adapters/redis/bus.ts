import type { Bus, SocketSlots } from '../../application/ports/messaging.ts'
import type { RateLimiter } from '../../application/ports/security.ts'
import type { Log } from '../../application/ports/system.ts'
import { createRedisAccessNotices } from './access-notices.ts'
import { createRedisCommitSignals } from './commit-signals.ts'
import { createRedisConnection } from './connection.ts'
import { createNamespace } from './namespace.ts'
import { createRedisRateLimiter } from './rate-limiter.ts'

interface Options {
  readonly url: string
  /** The secret of the installation, which separates it from others on this Redis. */
  readonly secret: string
  /** Counts while Redis is down. */
  readonly fallback: RateLimiter
  /** Sockets are counted by each process. */
  readonly socketSlots: SocketSlots
  readonly log: Log
}

/** Resolves when the first attempt to reach Redis has ended, successfully or not. */
export const openRedisBus = async ({ url, secret, fallback, socketSlots, log }: Options): Promise<Bus> => {
  const namespace = createNamespace(secret)
  const connection = createRedisConnection({ url, namespace, log })
  const bus: Bus = {
    limiter: createRedisRateLimiter({ connection, namespace, fallback }),
    notices: createRedisAccessNotices(connection, namespace),
    commitSignals: createRedisCommitSignals(connection, namespace),
    socketSlots,
    checks: [{ name: 'redis', run: connection.ping, uncached: true, optional: true }],
    close: connection.stop,
  }
  await connection.start()
  return bus
}
