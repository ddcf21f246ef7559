import type { EventLoopSlices } from '../../application/ports/system.ts'
import type { Realtime } from '../../application/realtime.ts'
import type { Principal } from '../../domain/session.ts'
import { type Connection, echo, type Subscription, send, sendError } from './connection.ts'
import { type ClientFrame, formatCursor, parseCursor } from './frames.ts'
import type { Replays } from './replays.ts'

const MAX_SUBSCRIPTIONS_COUNT = 100

interface Deps {
  readonly realtime: Realtime
  readonly replays: Replays
  readonly slices: EventLoopSlices
}

/** Begins and ends subscriptions for clients. */
export const createSubscriptions = ({ realtime, replays, slices }: Deps) => {
  const subscribe = async (
    connection: Connection,
    principal: Principal,
    { topic, filter, after, ref }: Extract<ClientFrame, { type: 'subscribe' }>,
  ): Promise<void> => {
    const { subscriptions } = connection
    if (subscriptions.has(topic)) return sendError(connection, 'already_subscribed', 'Unsubscribe first', ref)
    if (subscriptions.size >= MAX_SUBSCRIPTIONS_COUNT) {
      return sendError(connection, 'too_many_subscriptions', `At most ${MAX_SUBSCRIPTIONS_COUNT} a connection`, ref)
    }
    // Many frames may arrive at once, and processing them without a break would delay everyone else.
    if (slices.isOver()) await slices.next()
    const start = await realtime.begin(after === undefined ? null : parseCursor(after))
    const request = { topic, filter, after: after === undefined ? null : start.position }
    const view = await realtime.view(principal, request)
    const canResume =
      view.kind === 'log' || request.after === null || (await realtime.canReplay(view, principal, start.position))
    if (connection.closed) return
    const { position, gap } = canResume ? start : { position: realtime.position(), gap: true }
    const replay = realtime.follow(view, position)
    const subscription: Subscription = { topic, filter, view, position, replay, audience: null }
    subscriptions.set(topic, subscription)
    const from = formatCursor({ epoch: realtime.epoch(), position })
    send(connection, { type: 'subscribed', topic, cursor: from, gap, ...echo(ref) })
    if (connection.reauthorizations === 0) replays.follow(connection, subscription)
  }

  const unsubscribe = (connection: Connection, topic: string, ref: string | undefined): void => {
    const subscription = connection.subscriptions.get(topic)
    if (subscription === undefined) {
      sendError(connection, 'not_subscribed', 'There is no such subscription', ref)
      return
    }
    replays.pause(connection, subscription)
    connection.subscriptions.delete(topic)
    send(connection, { type: 'unsubscribed', topic, ...echo(ref) })
  }

  return { subscribe, unsubscribe }
}
