import type { Bus, SocketSlots } from '../../application/ports/messaging.ts'
import type { Clock } from '../../application/ports/system.ts'
import { createLocalNotices, createLocalSignals } from './local.ts'
import { createPeer, type Peer, type Port } from './peer.ts'
import { createThreadsRateLimiter, type LimitMemory } from './rate-limiter.ts'

/** The bus of a thread, and the metrics of all. */
export interface ThreadBus extends Bus {
  /** What all threads have counted, this one `own`. */
  totals(own: unknown): Promise<unknown>
}

/** What one thread has counted. */
interface Counts {
  note(samples: unknown): void
  /** It has ended; what it has counted still counts. */
  end(): void
}

/** Adds up what `ownSamples` of every thread returns. */
export interface Totals {
  join(): Counts
  current(): unknown
}

export interface Hub {
  /** Of the main thread. */
  readonly bus: ThreadBus
  /** A thread has begun. Call the result when it has ended: its sockets are closed then, and nobody waits for it. */
  join(port: Port): () => void
}

interface Options {
  readonly memory: LimitMemory
  readonly clock: Clock
  /** Counts the sockets of all threads. */
  readonly slots: SocketSlots
  readonly totals: Totals
  /** Of the main thread. */
  readonly ownSamples: () => Promise<unknown>
}

/** The sockets that one thread has opened, given back together when it ends. */
const createSocketsOfThread = (slots: SocketSlots) => {
  const counts = new Map<number, number>()
  return {
    async take({ userId, limit }: { readonly userId: number; readonly limit: number }): Promise<boolean> {
      if (!(await slots.take(userId, limit))) return false
      counts.set(userId, (counts.get(userId) ?? 0) + 1)
      return true
    },
    release(userId: number): void {
      const count = counts.get(userId) ?? 0
      if (count === 0) return
      slots.release(userId)
      if (count === 1) counts.delete(userId)
      else counts.set(userId, count - 1)
    },
    releaseAll(): void {
      for (const [userId, count] of counts) for (let left = count; left > 0; left--) slots.release(userId)
      counts.clear()
    },
  }
}

/** The main thread's part of the bus: it passes on what each thread tells. */
export const createHub = ({ memory, clock, slots, totals, ownSamples }: Options): Hub => {
  const peers = new Map<Peer, Counts>()
  const ownCounts = totals.join()
  const othersThan = (peer: Peer | null): readonly Peer[] => [...peers.keys()].filter((other) => other !== peer)

  const notifyOthers = async (from: Peer | null, userId: number): Promise<void> => {
    await Promise.all(othersThan(from).map((peer) => peer.ask('access', userId)))
  }
  const noteSamples = async (peer: Peer): Promise<void> => {
    const samples = await peer.ask('samples', null)
    if (samples !== null) peers.get(peer)?.note(samples)
  }
  const noteOwn = async (): Promise<void> => ownCounts.note(await ownSamples())
  const { notices, receive } = createLocalNotices((userId) => notifyOthers(null, userId))
  const { signals, receive: receiveSignals } = createLocalSignals((gathered) => {
    for (const peer of peers.keys()) peer.tell('signals', gathered)
  })

  return {
    bus: {
      limiter: createThreadsRateLimiter(memory, clock),
      notices,
      commitSignals: signals,
      socketSlots: slots,
      checks: [],
      async totals(own) {
        ownCounts.note(own)
        await Promise.all(othersThan(null).map(noteSamples))
        return totals.current()
      },
      async close() {},
    },
    join(port) {
      const sockets = createSocketsOfThread(slots)
      const counts = totals.join()
      const peer: Peer = createPeer(port, {
        questions: {
          async access(userId) {
            receive(userId)
            await notifyOthers(peer, userId)
            return null
          },
          socket: sockets.take,
          samples: ownSamples,
          async totals(samples) {
            counts.note(samples)
            await Promise.all([noteOwn(), ...othersThan(peer).map(noteSamples)])
            return totals.current()
          },
        },
        statements: {
          signals(gathered) {
            receiveSignals(gathered)
            for (const other of othersThan(peer)) other.tell('signals', gathered)
          },
          closedSocket: sockets.release,
        },
      })
      peers.set(peer, counts)
      return () => {
        peers.delete(peer)
        peer.end()
        counts.end()
        sockets.releaseAll()
      }
    },
  }
}
