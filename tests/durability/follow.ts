import type { Actor } from '../support/load/actor.ts'
import { type ReceivedEvent, type Subscriber, subscribe } from '../support/load/subscriber.ts'

/** Someone who follows a topic from crash to crash by cursor, and everything that was received. */
export interface Follower {
  readonly received: readonly ReceivedEvent[]
  readonly last: () => number
  /** Follows on, and again after each loss, until `stop`; whoever is signed out waits. */
  follow(url: () => string, token: () => string | null): Promise<void>
  stop(): void
  /** Reads on until as many events as expected were received and no more come. */
  catchUp(url: string, token: string, expected: number): Promise<void>
}

const RETRY_MS = 30
const CATCH_UP_MS = 20_000
const POLL_MS = 5

export const createFollower = (topic: string, complain: (what: string) => void): Follower => {
  const received: ReceivedEvent[] = []
  let current: Subscriber | null = null
  let following = false
  const last = () => received.at(-1)?.position ?? 0
  const open = (url: string, token: string) =>
    subscribe({
      url,
      token,
      topic,
      after: received.at(-1)?.cursor ?? null,
      complain,
      onEvent(event) {
        if (event.position <= last()) complain(`${topic}: cursor ${event.cursor} came after ${last()}`)
        received.push(event)
      },
    })
  /** Events that a user who left has erased from the log while nobody followed, which are not waited for again. */
  let erasedCount = 0

  return {
    received,
    last,
    async follow(url, token) {
      following = true
      while (following) {
        const bearer = token()
        if (bearer !== null) {
          try {
            current = await open(url(), bearer)
            if (following) await current.closed
          } catch {
            // The server is gone, or the session is.
          }
        }
        if (following) await Bun.sleep(RETRY_MS)
      }
      current?.close()
      await current?.closed
    },
    stop() {
      following = false
      current?.close()
    },
    async catchUp(url, token, expected) {
      const subscriber = await open(url, token)
      const deadline = Date.now() + CATCH_UP_MS
      while (received.length < expected - erasedCount && Date.now() < deadline) await Bun.sleep(POLL_MS)
      erasedCount = Math.max(0, expected - received.length)
      await subscriber.settled()
      subscriber.close()
      await subscriber.closed
    },
  }
}

/** What is wrong with what was received of an actor's items; null when nothing is. */
export const compareLog = (log: Actor['world']['log'], received: readonly ReceivedEvent[]): string | null => {
  const length = Math.max(log.length, received.length)
  for (let at = 0; at < length; at++) {
    const expected = log[at]
    const got = received[at]
    if (expected?.event === got?.event && expected?.id === got?.id && expected?.version === got?.version) continue
    return `event ${at} of ${log.length} (received ${received.length}): expected ${JSON.stringify(expected)}, received ${JSON.stringify(got)}`
  }
  return null
}
