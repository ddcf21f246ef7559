import type { EventLoopSlices } from '../../application/ports/system.ts'
import type { Realtime } from '../../application/realtime.ts'
import type { View } from '../../application/topics.ts'
import type { LoggedEvent } from '../../domain/event.ts'
import { backlogOf, type Connection, close, type Subscription, sendText, waitForDrain } from './connection.ts'
import { CLOSE } from './frames.ts'

/** An event as encoded for all subscribers of this topic. */
export type EncodeEvent = (event: LoggedEvent, topic: string) => string

/** Brings subscriptions up to date. */
export interface Replays {
  /** Sends the events a subscription has not seen, and then lets it join its audience. */
  follow(connection: Connection, subscription: Subscription): void
  /** Sends no more of its events until it is followed again. */
  pause(connection: Connection, subscription: Subscription): void
}

interface Deps {
  readonly realtime: Realtime
  readonly encode: EncodeEvent
  readonly slices: EventLoopSlices
  /** Called with the error that ended the replay of a connection. */
  readonly failed: (connection: Connection, error: unknown) => void
  /** A client that has read nothing for this time is closed as too slow. */
  readonly stallTimeoutMs: number
}

/** Above this backlog, nothing is read from the log for a socket. */
const MAX_WAITING_BYTES = 64 * 1024
/** Maximum number of log pieces in memory for all connections together. */
const MAX_CHUNKS_COUNT = 8

export const newSubscription = (view: View, position: number): Subscription => ({
  topic: view.topic,
  view,
  position,
  live: false,
})

/** Lets `most` callers run at a time, the others in the order of their calls. */
const createSlots = (most: number) => {
  const waiting: (() => void)[] = []
  let taken = 0
  return {
    async take(): Promise<void> {
      if (taken < most) taken++
      else await new Promise<void>((resolve) => waiting.push(resolve))
    },
    release(): void {
      const next = waiting.shift()
      if (next === undefined) taken--
      else next()
    },
  }
}

/**
 * Reads one piece of the log at a time for a connection, and only if its backlog has space: unread events stay in the
 * log. A subscription joins its audience in the same step that finds nothing left to send, and the feed delivers events
 * in separate steps, so no event is lost or repeated.
 */
export const createReplays = ({ realtime, encode, slices, failed, stallTimeoutMs }: Deps): Replays => {
  const slots = createSlots(MAX_CHUNKS_COUNT)

  const join = (connection: Connection, subscription: Subscription): void => {
    connection.behind.delete(subscription)
    connection.socket?.subscribe(subscription.view.audience)
    subscription.live = true
  }

  /** Resolves when the client has read something; closes the connection if it does not. */
  const waitForReader = async (connection: Connection): Promise<void> => {
    let before = backlogOf(connection)
    const look = () => {
      const now = backlogOf(connection)
      if (now >= before && connection.behind.size > 0) close(connection, CLOSE.tooSlow, 'Nothing is read')
      before = now
    }
    const timer = setInterval(look, stallTimeoutMs)
    await waitForDrain(connection)
    clearInterval(timer)
  }

  const sendNext = async (connection: Connection, subscription: Subscription): Promise<void> => {
    const { view, position: after } = subscription
    await slots.take()
    try {
      await slices.next()
      // The subscription may have ended or been reauthorized during the wait or the read.
      const isSame = () => connection.behind.has(subscription) && subscription.view === view && !connection.closed
      if (!isSame()) return
      const { events, position } = await realtime.replay(view, after)
      if (!isSame()) return
      for (const event of events) sendText(connection, encode(event, subscription.topic))
      subscription.position = position
      // Other subscriptions take their turn before its next piece.
      connection.behind.delete(subscription)
      connection.behind.add(subscription)
    } finally {
      slots.release()
    }
  }

  const run = async (connection: Connection): Promise<void> => {
    while (!connection.closed) {
      if (slices.isOver()) await slices.next()
      const [subscription] = connection.behind
      if (subscription === undefined) {
        // In the same step, so that the next subscription to follow starts a new loop.
        connection.isReplaying = false
        return
      }
      if (subscription.position >= realtime.position()) join(connection, subscription)
      else if (backlogOf(connection) > MAX_WAITING_BYTES) await waitForReader(connection)
      else await sendNext(connection, subscription)
    }
  }

  return {
    follow(connection, subscription) {
      connection.behind.add(subscription)
      if (connection.isReplaying) return
      connection.isReplaying = true
      run(connection).catch((error: unknown) => {
        connection.isReplaying = false
        failed(connection, error)
      })
    },
    pause(connection, subscription) {
      connection.behind.delete(subscription)
      if (!subscription.live) return
      subscription.live = false
      subscription.position = realtime.position()
      connection.socket?.unsubscribe(subscription.view.audience)
    },
  }
}
