import type { Log } from '../../application/ports/system.ts'
import type { Realtime } from '../../application/realtime.ts'
import type { View } from '../../application/topics.ts'
import { AppError } from '../../domain/errors.ts'
import type { Principal } from '../../domain/session.ts'
import { type Connection, close, echo, inTurn, type Subscription, send, sendError, sendText } from './connection.ts'
import { CLOSE, type ClientFrame, type FrameErrorCode, readFrame } from './frames.ts'
import type { SignIn } from './sign-in.ts'
import { type EncodeEvent, follow, newSubscription, pause } from './subscriptions.ts'

/** What a connection does when something comes in. Nothing here throws. */
export interface Protocol {
  opened(connection: Connection): void
  received(connection: Connection, message: string | Buffer): void
  /** What its user may do has changed: sends nothing more before that is judged again. */
  doubted(connection: Connection): void
}

interface Deps {
  readonly realtime: Realtime
  readonly signIn: SignIn
  readonly encode: EncodeEvent
  readonly log: Log
  readonly frameWindowMs: number
}

const MOST_SUBSCRIPTIONS = 100
const MOST_FRAMES = 100

const PASSED_ON = ['forbidden', 'not_found', 'unavailable'] as const satisfies readonly FrameErrorCode[]

/** Whether it is a part of ours that is away for now, as HTTP would answer 503. */
const isPassing = (error: unknown): boolean => error instanceof AppError && error.code === 'unavailable'

/** Counts a frame; false when there were too many. */
const counted = (connection: Connection, windowMs: number): boolean => {
  const now = performance.now()
  if (now >= connection.framesUntil) {
    connection.frames = 0
    connection.framesUntil = now + windowMs
  }
  return ++connection.frames <= MOST_FRAMES
}

export const createProtocol = ({ realtime, signIn, encode, log, frameWindowMs }: Deps): Protocol => {
  const broken = (connection: Connection) => (error: unknown) => {
    if (isPassing(error)) {
      log.warn('realtime connection given up', { client_id: connection.clientId, error })
      close(connection, CLOSE.tryAgain, 'Try again later')
    } else {
      log.error('realtime connection failed', { client_id: connection.clientId, error })
      close(connection, CLOSE.internal, 'Something went wrong on our side')
    }
  }

  const refuse = (connection: Connection, error: unknown, ref: string | undefined): void => {
    const code = error instanceof AppError ? PASSED_ON.find((known) => known === error.code) : undefined
    if (error instanceof AppError && code !== undefined) {
      if (isPassing(error)) log.warn('realtime frame refused', { client_id: connection.clientId, error })
      sendError(connection, code, error.message, ref)
    } else {
      log.error('realtime frame failed', { client_id: connection.clientId, error })
      sendError(connection, 'internal_error', 'Something went wrong on our side', ref)
    }
  }

  const subscribe = async (
    connection: Connection,
    principal: Principal,
    { topic, after, ref }: Extract<ClientFrame, { type: 'subscribe' }>,
  ): Promise<void> => {
    const { subscriptions } = connection
    if (subscriptions.has(topic)) return sendError(connection, 'already_subscribed', 'Unsubscribe first', ref)
    if (subscriptions.size >= MOST_SUBSCRIPTIONS) {
      return sendError(connection, 'too_many_subscriptions', `At most ${MOST_SUBSCRIPTIONS} a connection`, ref)
    }
    const view = await realtime.view(principal, topic, after ?? null)
    const { cursor, gap } = await realtime.begin(after ?? null)
    const subscription = newSubscription(view, cursor)
    subscriptions.set(topic, subscription)
    send(connection, { type: 'subscribed', topic, cursor, gap, ...echo(ref) })
    if (connection.doubts === 0) follow(realtime, encode, connection, subscription).catch(broken(connection))
  }

  const unsubscribe = (connection: Connection, topic: string, ref: string | undefined): void => {
    const subscription = connection.subscriptions.get(topic)
    if (subscription === undefined) {
      sendError(connection, 'not_subscribed', 'There is no such subscription', ref)
      return
    }
    pause(realtime, connection, subscription)
    connection.subscriptions.delete(topic)
    send(connection, { type: 'unsubscribed', topic, ...echo(ref) })
  }

  const act = (connection: Connection, frame: ClientFrame): void | Promise<void> => {
    if (frame.type === 'auth') return signIn.by(connection, frame.token, frame.ref)
    if (connection.credentials === null) return close(connection, CLOSE.signedOut, 'Sign in first')
    if (frame.type === 'ping') return send(connection, { type: 'pong', ...echo(frame.ref) })
    if (frame.type === 'unsubscribe') return unsubscribe(connection, frame.topic, frame.ref)
    return subscribe(connection, connection.credentials.grant.principal, frame)
  }

  const handle = async (connection: Connection, text: string): Promise<void> => {
    const received = readFrame(text)
    if (received.kind === 'text') return void sendText(connection, `Message received: ${text}`)
    if (received.kind === 'invalid') return sendError(connection, received.code, received.detail, received.ref)
    try {
      await act(connection, received.frame)
    } catch (error) {
      refuse(connection, error, received.frame.ref)
    }
  }

  /** What `principal` may see of the topic today; null when that is nothing. */
  const viewToday = async (principal: Principal, { topic, cursor }: Subscription): Promise<View | null> => {
    try {
      return await realtime.view(principal, topic, cursor)
    } catch (error) {
      if (error instanceof AppError && (error.code === 'forbidden' || error.code === 'not_found')) return null
      throw error
    }
  }

  /** Judges every subscription by today's rights; those that may go on do so from where they stood. */
  const judge = async (connection: Connection): Promise<void> => {
    connection.doubts--
    if (connection.doubts > 0 || !(await signIn.again(connection))) return
    for (const subscription of [...connection.subscriptions.values()]) {
      const principal = connection.credentials?.grant.principal
      if (principal === undefined || connection.doubts > 0) return
      const view = await viewToday(principal, subscription)
      if (connection.doubts > 0) return
      if (view === null) {
        connection.subscriptions.delete(subscription.topic)
        send(connection, { type: 'unsubscribed', topic: subscription.topic })
      } else {
        subscription.view = view
        follow(realtime, encode, connection, subscription).catch(broken(connection))
      }
    }
  }

  return {
    opened(connection) {
      signIn.expect(connection)
      const { offered } = connection
      connection.offered = null
      if (offered !== null) inTurn(connection, () => signIn.by(connection, offered), broken(connection))
    },
    received(connection, message) {
      if (connection.closed) return
      if (!counted(connection, frameWindowMs)) return close(connection, CLOSE.tooMany, 'Too many frames')
      inTurn(
        connection,
        () =>
          typeof message === 'string'
            ? handle(connection, message)
            : sendError(connection, 'binary_frame', 'Frames are text', undefined),
        broken(connection),
      )
    },
    doubted(connection) {
      connection.doubts++
      for (const subscription of connection.subscriptions.values()) pause(realtime, connection, subscription)
      inTurn(connection, () => judge(connection), broken(connection))
    },
  }
}
