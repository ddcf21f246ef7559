import type { Clock } from '../../application/ports/system.ts'
import type { ThreadBus } from './hub.ts'
import { createLocalNotices, createLocalSignals } from './local.ts'
import { createPeer, type Port } from './peer.ts'
import { createThreadsRateLimiter, type LimitMemory } from './rate-limiter.ts'

interface Options {
  /** To the main thread. */
  readonly port: Port
  readonly memory: LimitMemory
  readonly clock: Clock
  readonly ownSamples: () => Promise<unknown>
}

/** The bus of a thread that serves. */
export const openThreadBus = ({ port, memory, clock, ownSamples }: Options): ThreadBus => {
  const local = createLocalNotices(async (userId) => void (await main.ask('access', userId)))
  const { signals, receive } = createLocalSignals((gathered) => main.tell('signals', gathered))
  const main = createPeer(port, {
    questions: {
      access(userId) {
        local.receive(userId)
        return null
      },
      samples: ownSamples,
      // Only the main thread counts sockets and adds up samples.
      socket: () => false,
      totals: () => null,
    },
    statements: { signals: receive, closedSocket() {} },
  })
  return {
    limiter: createThreadsRateLimiter(memory, clock),
    notices: local.notices,
    commitSignals: signals,
    socketSlots: {
      take: async (userId, limit) => (await main.ask('socket', { userId, limit })) === true,
      release: (userId) => main.tell('closedSocket', userId),
    },
    checks: [],
    totals: (own) => main.ask('totals', own),
    async close() {},
  }
}
