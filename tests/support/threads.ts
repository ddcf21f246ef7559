import { createMemorySocketSlots } from '../../src/adapters/memory/socket-slots.ts'
import type { ThreadSamples } from '../../src/adapters/prometheus/samples.ts'
import { createThreadTotals } from '../../src/adapters/prometheus/thread-totals.ts'
import { openThreadBus } from '../../src/adapters/threads/bus.ts'
import { createHub, type ThreadBus } from '../../src/adapters/threads/hub.ts'
import type { Message, Port } from '../../src/adapters/threads/peer.ts'
import { createLimitMemory } from '../../src/adapters/threads/rate-limiter.ts'
import { testClock } from './clock.ts'

/** A port over a real channel, which copies messages as those between threads are copied. */
const portOf = (channel: MessageChannel['port1']): Port => ({
  post: (message) => channel.postMessage(message),
  listen(listener) {
    channel.onmessage = ({ data }) => listener(data as Message)
  },
})

/** Of one metric of each kind. */
export const samplesWith = (value: number): ThreadSamples => {
  const sample = [{ labels: {}, value }]
  return { done: { requests: sample }, seen: { events: sample }, present: { sockets: sample } }
}

/** The bus of the main thread, and those of two threads that serve, all in this thread. */
export const openThreads = () => {
  const [clock, memory] = [testClock(), createLimitMemory()]
  const counted: Record<string, number> = { main: 0, first: 0, second: 0 }
  const samplesOf = (thread: string) => async () => samplesWith(counted[thread] ?? 0)
  const slots = createMemorySocketSlots()
  const hub = createHub({ memory, clock, slots, totals: createThreadTotals(), ownSamples: samplesOf('main') })
  const join = (thread: string) => {
    const { port1, port2 } = new MessageChannel()
    const leave = hub.join(portOf(port1))
    const bus = openThreadBus({ port: portOf(port2), memory, clock, ownSamples: samplesOf(thread) })
    return {
      bus,
      /** What metrics are when this thread is asked for them. */
      totals: async () => bus.totals(await samplesOf(thread)()),
      /** As when the thread ends: it neither gets nor sends anything any more, but what it has sent may be under way. */
      end() {
        port2.close()
        leave()
      },
    }
  }
  const [first, second] = [join('first'), join('second')]
  const buses: readonly [ThreadBus, ThreadBus, ThreadBus] = [first.bus, second.bus, hub.bus]
  return { buses, first, second, join, main: hub.bus, clock, counted }
}
