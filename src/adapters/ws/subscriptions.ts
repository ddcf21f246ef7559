import type { Realtime } from '../../application/realtime.ts'
import type { View } from '../../application/topics.ts'
import type { LoggedEvent } from '../../domain/event.ts'
import { type Connection, drained, type Subscription, sendText } from './connection.ts'

/** An event as everyone hears it who asked by this topic. */
export type EncodeEvent = (event: LoggedEvent, topic: string) => string

const isCurrent = (connection: Connection, subscription: Subscription, run: number): boolean =>
  !connection.closed && subscription.run === run && connection.subscriptions.get(subscription.topic) === subscription

export const newSubscription = (view: View, cursor: number): Subscription => ({
  topic: view.topic,
  view,
  cursor,
  live: false,
  run: 0,
})

/**
 * Sends what a subscription has not seen and then joins its audience. The step that finds nothing left to send is the
 * one that joins, and the feed hands out events in steps of their own: none falls between, and none comes twice.
 */
export const follow = async (
  realtime: Realtime,
  encode: EncodeEvent,
  connection: Connection,
  subscription: Subscription,
): Promise<void> => {
  const run = ++subscription.run
  while (isCurrent(connection, subscription, run)) {
    if (subscription.cursor >= realtime.position()) {
      connection.socket?.subscribe(subscription.view.audience)
      subscription.live = true
      return
    }
    const { events, cursor } = await realtime.replay(subscription.view, subscription.cursor)
    for (const event of events) {
      if (!isCurrent(connection, subscription, run)) return
      const sent = sendText(connection, encode(event, subscription.topic))
      subscription.cursor = event.cursor
      if (!sent) await drained(connection)
    }
    if (isCurrent(connection, subscription, run)) subscription.cursor = cursor
  }
}

/** Sends nothing more of it until it is followed anew. */
export const pause = (realtime: Realtime, connection: Connection, subscription: Subscription): void => {
  subscription.run++
  if (!subscription.live) return
  subscription.live = false
  subscription.cursor = realtime.position()
  connection.socket?.unsubscribe(subscription.view.audience)
}
