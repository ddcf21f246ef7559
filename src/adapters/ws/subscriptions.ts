import type { EventLoopSlices, Log } from '../../application/ports/system.ts'
import type { Realtime } from '../../application/realtime.ts'
import type { View } from '../../application/topics.ts'
import { AppError } from '../../domain/errors.ts'
import type { Principal } from '../../domain/session.ts'
import { type Connection, echo, type Subscription, send, sendError } from './connection.ts'
import { type ClientFrame, formatCursor, parseCursor } from './frames.ts'
import { newSubscription, type Replays } from './replays.ts'
import type { SignIn } from './sign-in.ts'

const MAX_SUBSCRIPTIONS_COUNT = 100

interface Deps {
  readonly realtime: Realtime
  readonly signIn: SignIn
  readonly replays: Replays
  readonly slices: EventLoopSlices
  readonly log: Log
}

/** What a connection follows, and may follow after its rights have changed. */
export const createSubscriptions = ({ realtime, signIn, replays, slices, log }: Deps) => {
  const subscribe = async (
    connection: Connection,
    principal: Principal,
    { topic, after, ref }: Extract<ClientFrame, { type: 'subscribe' }>,
  ): Promise<void> => {
    const { subscriptions } = connection
    if (subscriptions.has(topic)) return sendError(connection, 'already_subscribed', 'Unsubscribe first', ref)
    if (subscriptions.size >= MAX_SUBSCRIPTIONS_COUNT) {
      return sendError(connection, 'too_many_subscriptions', `At most ${MAX_SUBSCRIPTIONS_COUNT} a connection`, ref)
    }
    // Many frames may arrive at once, and processing them without a break would delay everyone else.
    if (slices.isOver()) await slices.next()
    const { position, gap } = await realtime.begin(after === undefined ? null : parseCursor(after))
    const view = await realtime.view(principal, topic, after === undefined ? null : position)
    if (connection.closed) return
    const subscription = newSubscription(view, position)
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

  /** The part of the topic that `principal` may see now; null if nothing. */
  const authorizedView = async (principal: Principal, { topic, position }: Subscription): Promise<View | null> => {
    try {
      return await realtime.view(principal, topic, position)
    } catch (error) {
      if (error instanceof AppError && (error.code === 'forbidden' || error.code === 'not_found')) return null
      throw error
    }
  }

  /**
   * Subscriptions that are still allowed continue from their position. Only those that needed the admin role are checked.
   */
  const reauthorize = async (connection: Connection): Promise<void> => {
    connection.reauthorizations--
    if (connection.reauthorizations > 0 || !(await signIn.reauthorize(connection))) return
    let checked = 0
    for (const subscription of [...connection.subscriptions.values()]) {
      if (slices.isOver()) await slices.next()
      const principal = connection.credentials?.grant.principal
      if (principal === undefined || connection.reauthorizations > 0) return
      const mayHaveLostAccess = subscription.view.needsAdmin && principal.role !== 'admin'
      if (mayHaveLostAccess) checked++
      const view = mayHaveLostAccess ? await authorizedView(principal, subscription) : subscription.view
      if (connection.closed || connection.reauthorizations > 0) return
      if (view === null) {
        connection.subscriptions.delete(subscription.topic)
        send(connection, { type: 'unsubscribed', topic: subscription.topic })
      } else {
        subscription.view = view
        replays.follow(connection, subscription)
      }
    }
    log.debug('realtime connection reauthorized', { client_id: connection.clientId, subscriptions: checked })
  }

  return { subscribe, unsubscribe, reauthorize }
}
