import type { EventLoopSlices } from '../../application/ports/system.ts'
import type { Realtime } from '../../application/realtime.ts'
import type { Principal } from '../../domain/session.ts'
import { type Connection, echo, type Subscription, send, sendError } from './connection.ts'
import { type ClientFrame, formatCursor, parseCursor } from './frames.ts'
import type { NoteView } from './noted-views.ts'
import type { Replays } from './replays.ts'

const MAX_SUBSCRIPTIONS_COUNT = 100

interface Deps {
  readonly realtime: Realtime
  readonly note: NoteView
  readonly replays: Replays
  readonly slices: EventLoopSlices
}

/** Begins and ends subscriptions for clients. */
export const createSubscriptions = ({ realtime, note, replays, slices }: Deps) => {
  /** The view and its start position, and whether the client must list again. */
  const beginOf = async (
    principal: Principal,
    { topic, after }: Extract<ClientFrame, { type: 'subscribe' }>,
    filter: string | undefined,
  ) => {
    if (after === undefined) {
      return { ...(await realtime.present(principal, { topic, filter, after: null })), gap: false }
    }
    const { position, gap } = await realtime.begin(parseCursor(after))
    const request = { topic, filter, after: position }
    const view = await realtime.view(principal, request)
    if (view.kind === 'log' || (await realtime.canReplay(view, principal, position))) return { view, position, gap }
    return { ...(await realtime.present(principal, request)), gap: true }
  }

  const subscribe = async (
    connection: Connection,
    principal: Principal,
    frame: Extract<ClientFrame, { type: 'subscribe' }>,
  ): Promise<void> => {
    const { topic, ref } = frame
    // As in lists.
    const filter = frame.filter?.trim() === '' ? undefined : frame.filter
    const { subscriptions } = connection
    if (subscriptions.has(topic)) return sendError(connection, 'already_subscribed', 'Unsubscribe first', ref)
    if (subscriptions.size >= MAX_SUBSCRIPTIONS_COUNT) {
      return sendError(connection, 'too_many_subscriptions', `At most ${MAX_SUBSCRIPTIONS_COUNT} a connection`, ref)
    }
    // Many frames may arrive at once, and processing them without a break would delay everyone else.
    if (slices.isOver()) await slices.next()
    const { view, position, gap } = await beginOf(principal, frame, filter)
    await note(connection, principal, view)
    if (connection.closed) return
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
