import { createMemorySocketSlots } from '../../src/adapters/memory/socket-slots.ts'
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

/** The bus of the main thread, and those of two threads that serve, all in this thread. */
export const openThreads = () => {
  const [clock, memory] = [testClock(), createLimitMemory()]
  const samplesOf = (thread: string) => async () => thread
  const hub = createHub({ memory, clock, slots: createMemorySocketSlots(), ownSamples: samplesOf('main') })
  const join = (thread: string) => {
    const { port1, port2 } = new MessageChannel()
    const leave = hub.join(portOf(port1))
    const bus = openThreadBus({ port: portOf(port2), memory, clock, ownSamples: samplesOf(thread) })
    return {
      bus,
      /** As when the thread ends: it neither gets nor sends anything any more. */
      end() {
        port2.close()
        leave()
      },
    }
  }
  const [first, second] = [join('first'), join('second')]
  const buses: readonly [ThreadBus, ThreadBus, ThreadBus] = [first.bus, second.bus, hub.bus]
  return { buses, first, second, main: hub.bus, clock }
}
