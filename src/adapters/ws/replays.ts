import type { EventLoopSlices } from '../../application/ports/system.ts'
import type { Realtime } from '../../application/realtime.ts'
import type { Delivery } from '../../application/replaying.ts'
import { backlogOf, type Connection, close, type Subscription, sendText, waitForDrain } from './connection.ts'
import { CLOSE } from './frames.ts'

/** A frame as encoded for all subscribers of this topic. */
export type EncodeDelivery = (delivery: Delivery, topic: string) => string

/** Brings subscriptions up to date. */
export interface Replays {
  /** Sends the events a subscription has not seen, and then lets it join its audience. */
  follow(connection: Connection, subscription: Subscription): void
  /** Sends no more of its events until it is followed again. */
  pause(connection: Connection, subscription: Subscription): void
}

interface Deps {
  readonly realtime: Realtime
  readonly encode: EncodeDelivery
  readonly slices: EventLoopSlices
  /** Called when the definition of the collection of a subscription has changed: follow it again with another view. */
  readonly outdated: (connection: Connection, subscription: Subscription) => void
  /** Called with the error that ended the replay of a connection. */
  readonly failed: (connection: Connection, error: unknown) => void
  /** A client that has read nothing for this time is closed as too slow. */
  readonly stallTimeoutMs: number
}

/** Above this backlog, nothing is read from the log for a socket. */
const MAX_WAITING_BYTES = 64 * 1024
/** The feed waits for this many pieces of the log at most until a subscription joins. */
const MAX_EXCLUSIVE_READS_COUNT = 4
/** Maximum number of log pieces in memory for all connections together. */
const MAX_CHUNKS_COUNT = 8

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

/** Resolves when the client has read something; closes the connection if it does not within this time. */
const waitForReader = async (connection: Connection, stallTimeoutMs: number): Promise<void> => {
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

/**
 * Reads one piece of the log at a time for a connection, and only if its backlog has space: unread events stay in the
 * log. A subscription joins its audience in the same step that finds nothing left to send, and the feed delivers events
 * in separate steps, so no event is lost or repeated.
 */
export const createReplays = ({ realtime, encode, slices, outdated, failed, stallTimeoutMs }: Deps): Replays => {
  const slots = createSlots(MAX_CHUNKS_COUNT)

  const join = (connection: Connection, subscription: Subscription): void => {
    connection.behind.delete(subscription)
    subscription.audience = realtime.join(subscription.replay)
    connection.socket?.subscribe(subscription.audience)
  }

  const sendNext = async (connection: Connection, subscription: Subscription): Promise<void> => {
    const { replay, position: after } = subscription
    await slots.take()
    try {
      await slices.next()
      // The subscription may have ended or been reauthorized during the wait or the read.
      const isSame = () => connection.behind.has(subscription) && subscription.replay === replay && !connection.closed
      if (!isSame()) return
      const replayed = await realtime.replay(replay, after)
      if (!isSame()) return
      if (replayed === null) return outdated(connection, subscription)
      for (const delivery of replayed.deliveries) sendText(connection, encode(delivery, subscription.topic))
      subscription.position = replayed.position
      // Other subscriptions take their turn before its next piece.
      connection.behind.delete(subscription)
      connection.behind.add(subscription)
    } finally {
      slots.release()
    }
  }

  /** Whether everything up to now was sent, and nothing else is left to do. */
  const isUpToDate = ({ position, replay }: Subscription): boolean =>
    position >= realtime.position() && replay.formers.length === 0

  /** Catches up and joins while the feed waits between two events. */
  const joinExclusively = (connection: Connection, subscription: Subscription): Promise<void> =>
    realtime.exclusively(async () => {
      const isWaiting = () => connection.behind.has(subscription) && !connection.closed
      for (let turn = 0; turn < MAX_EXCLUSIVE_READS_COUNT && isWaiting(); turn++) {
        if (isUpToDate(subscription)) return join(connection, subscription)
        if (subscription.replay.formers.length > 0 || backlogOf(connection) > MAX_WAITING_BYTES) return
        await sendNext(connection, subscription)
      }
    })

  const run = async (connection: Connection): Promise<void> => {
    while (!connection.closed) {
      if (slices.isOver()) await slices.next()
      const [subscription] = connection.behind
      if (subscription === undefined) {
        // In the same step, so that the next subscription to follow starts a new loop.
        connection.isReplaying = false
        return
      }
      if (isUpToDate(subscription) && realtime.mayJoin(subscription.replay)) join(connection, subscription)
      else if (isUpToDate(subscription)) await joinExclusively(connection, subscription)
      // Records that changed during the comparison of two views have events that the feed has not reached yet.
      else if (subscription.position >= realtime.position() && subscription.replay.formerUntil !== null) {
        const { replay } = subscription
        await realtime.catchUp()
        if (subscription.replay === replay && subscription.position >= realtime.position()) replay.formers = []
      } else if (backlogOf(connection) > MAX_WAITING_BYTES) await waitForReader(connection, stallTimeoutMs)
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
      if (subscription.audience === null) return
      connection.socket?.unsubscribe(subscription.audience)
      subscription.audience = null
      subscription.position = realtime.position()
      subscription.replay = realtime.leave(subscription.view)
    },
  }
}
