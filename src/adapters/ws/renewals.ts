import type { EventLoopSlices, Log } from '../../application/ports/system.ts'
import type { Realtime } from '../../application/realtime.ts'
import type { Replay } from '../../application/replaying.ts'
import type { View } from '../../application/topics.ts'
import { AppError } from '../../domain/errors.ts'
import type { Principal } from '../../domain/session.ts'
import { type Connection, explanationOf, type Subscription, send, sendError } from './connection.ts'
import { formatCursor } from './frames.ts'
import type { NoteView } from './noted-views.ts'
import type { Replays } from './replays.ts'
import type { SignIn } from './sign-in.ts'

/** Errors after which a subscription has nothing left to follow. */
const ENDING_CODES = ['forbidden', 'not_found', 'validation_failed'] as const

interface Deps {
  readonly realtime: Realtime
  readonly note: NoteView
  readonly signIn: SignIn
  readonly replays: Replays
  readonly slices: EventLoopSlices
  readonly log: Log
}

interface Continuation {
  readonly view: View
  readonly position: number
  readonly replay: Replay | null
}

/**
 * How a subscription continues with what `principal` may see now, or why it cannot. `replay` is null if the client
 * has to list again, because what they have cannot be compared.
 */
const createContinuation =
  ({ realtime, note }: Pick<Deps, 'realtime' | 'note'>) =>
  async (
    connection: Connection,
    principal: Principal,
    { topic, filter, position, replay }: Subscription,
  ): Promise<Continuation | AppError> => {
    const request = { topic, filter, after: position, isRenewed: true }
    try {
      const view = await realtime.view(principal, request)
      const renewed = realtime.renew(replay, view, position)
      const next =
        renewed === null
          ? { ...(await realtime.present(principal, request)), replay: null }
          : { view, position, replay: renewed }
      await note(connection, principal, next.view)
      return next
    } catch (error) {
      if (error instanceof AppError && ENDING_CODES.some((code) => code === error.code)) return error
      throw error
    }
  }

/** What happens to subscriptions when rights or definitions change. */
export const createRenewals = ({ realtime, note, signIn, replays, slices, log }: Deps) => {
  const continuation = createContinuation({ realtime, note })

  /** Ends a subscription. If it was to records, the client receives the reason. */
  const end = (connection: Connection, { topic, view }: Subscription, error: AppError): void => {
    connection.subscriptions.delete(topic)
    const known = ENDING_CODES.find((each) => each === error.code)
    if (view.kind === 'records' && known !== undefined) sendError(connection, known, explanationOf(error), undefined)
    send(connection, { type: 'unsubscribed', topic })
  }

  const renew = (
    connection: Connection,
    subscription: Subscription,
    { view, position, replay }: Continuation,
  ): void => {
    if (replay === null) {
      const cursor = formatCursor({ epoch: realtime.epoch(), position })
      send(connection, { type: 'subscribed', topic: subscription.topic, cursor, gap: true })
    }
    subscription.view = view
    subscription.position = position
    subscription.replay = replay ?? realtime.follow(view, position)
    replays.follow(connection, subscription)
  }

  /** Whether changed rights may affect it. A subscription to the log itself may need the admin role. */
  const mayHaveChanged = ({ view }: Subscription, { role }: Principal): boolean =>
    view.kind === 'records' || (view.needsAdmin && role !== 'admin')

  /** Subscriptions that are still allowed continue from their position. */
  const reauthorize = async (connection: Connection): Promise<void> => {
    connection.reauthorizations--
    if (connection.reauthorizations > 0 || !(await signIn.reauthorize(connection))) return
    let checked = 0
    for (const subscription of [...connection.subscriptions.values()]) {
      if (slices.isOver()) await slices.next()
      const principal = connection.credentials?.grant.principal
      if (principal === undefined || connection.reauthorizations > 0) return
      if (!mayHaveChanged(subscription, principal)) {
        replays.follow(connection, subscription)
        continue
      }
      checked++
      // An earlier renewal, which was already waiting, may have let it continue.
      replays.pause(connection, subscription)
      const next = await continuation(connection, principal, subscription)
      if (connection.closed || connection.reauthorizations > 0) return
      if (next instanceof AppError) end(connection, subscription, next)
      else renew(connection, subscription, next)
    }
    log.debug('realtime connection reauthorized', { client_id: connection.clientId, subscriptions: checked })
  }

  /** Call it for a subscription whose collection has another definition. */
  const redefine = async (connection: Connection, subscription: Subscription): Promise<void> => {
    const principal = connection.credentials?.grant.principal
    const isCurrent = () =>
      !connection.closed &&
      connection.reauthorizations === 0 &&
      connection.subscriptions.get(subscription.topic) === subscription
    if (principal === undefined || !isCurrent()) return
    replays.pause(connection, subscription)
    const next = await continuation(connection, principal, subscription)
    if (!isCurrent()) return
    if (next instanceof AppError) end(connection, subscription, next)
    else renew(connection, subscription, next)
  }

  return { reauthorize, redefine }
}
