import type { EventLoopSlices } from '../../application/ports/system.ts'
import type { Realtime } from '../../application/realtime.ts'
import type { View } from '../../application/topics.ts'
import type { LoggedEvent } from '../../domain/event.ts'
import { backlogOf, type Connection, close, type Subscription, sendText, waitForDrain } from './connection.ts'
import { CLOSE } from './frames.ts'

/** An event as everyone gets it who asked by this topic. */
export type EncodeEvent = (event: LoggedEvent, topic: string) => string

/** Brings subscriptions up to date. */
export interface Replays {
  /** Sends what a subscription has not seen, and then lets it join its audience. */
  follow(connection: Connection, subscription: Subscription): void
  /** Sends nothing more of it until it is followed anew. */
  pause(connection: Connection, subscription: Subscription): void
}

interface Deps {
  readonly realtime: Realtime
  readonly encode: EncodeEvent
  readonly slices: EventLoopSlices
  /** Called with what ended the replay of a connection. */
  readonly failed: (connection: Connection, error: unknown) => void
  /** A reader who has read nothing for so long is closed as too slow. */
  readonly stallTimeoutMs: number
}

/** With more in line, nothing is read for a socket. */
const MAX_WAITING_BYTES = 64 * 1024
/** Pieces of the log that are in memory for all connections together. */
const MAX_CHUNKS_COUNT = 8

export const newSubscription = (view: View, cursor: number): Subscription => ({
  topic: view.topic,
  view,
  cursor,
  live: false,
})

/** Lets `most` go on at a time, the others in the order in which they asked. */
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
 * One piece of the log at a time is read for a connection, and none before there is room for it: what a reader does not
 * read stays in the log. The step that finds nothing left to send is the one that joins the audience, and the feed hands
 * out events in steps of their own: none falls between, and none comes twice.
 */
export const createReplays = ({ realtime, encode, slices, failed, stallTimeoutMs }: Deps): Replays => {
  const slots = createSlots(MAX_CHUNKS_COUNT)

  const join = (connection: Connection, subscription: Subscription): void => {
    connection.behind.delete(subscription)
    connection.socket?.subscribe(subscription.view.audience)
    subscription.live = true
  }

  /** Resolves when the reader has read something; closes the connection when it does not. */
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
    const { view, cursor: after } = subscription
    await slots.take()
    try {
      await slices.next()
      // It may have ended, or been authorized anew, while it waited and while the log is read.
      const isSame = () => connection.behind.has(subscription) && subscription.view === view && !connection.closed
      if (!isSame()) return
      const { events, cursor } = await realtime.replay(view, after)
      if (!isSame()) return
      for (const event of events) sendText(connection, encode(event, subscription.topic))
      subscription.cursor = cursor
      // The others come before its next piece.
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
        // In this very step: what is to be followed next begins anew.
        connection.isReplaying = false
        return
      }
      if (subscription.cursor >= realtime.position()) join(connection, subscription)
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
      subscription.cursor = realtime.position()
      connection.socket?.unsubscribe(subscription.view.audience)
    },
  }
}
