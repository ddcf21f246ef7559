import type { EventLoopSlices, Log } from '../../application/ports/system.ts'
import type { Realtime } from '../../application/realtime.ts'
import type { View } from '../../application/topics.ts'
import { AppError } from '../../domain/errors.ts'
import type { Principal } from '../../domain/session.ts'
import { type Connection, close, echo, inTurn, type Subscription, send, sendError, sendText } from './connection.ts'
import { CLOSE, type ClientFrame, type FrameErrorCode, formatCursor, parseCursor, readFrame } from './frames.ts'
import { createReplays, type EncodeEvent, newSubscription } from './replays.ts'
import type { SignIn } from './sign-in.ts'

/** What a connection does when something comes in. Nothing here throws. */
export interface Protocol {
  opened(connection: Connection): void
  received(connection: Connection, message: string | Buffer): void
  /** Called for a ping or a pong, which counts like any other frame. */
  onPingOrPong(connection: Connection): void
  /** What its user may do has changed: sends nothing more before it is authorized again. */
  reauthorize(connection: Connection): void
}

interface Deps {
  readonly realtime: Realtime
  readonly signIn: SignIn
  readonly encode: EncodeEvent
  readonly slices: EventLoopSlices
  readonly stallTimeoutMs: number
  readonly log: Log
  readonly frameWindowMs: number
}

const MAX_SUBSCRIPTIONS_COUNT = 100
const MAX_FRAMES_COUNT = 100
/** Of frames that wait until those before them are done. */
const MAX_PENDING_BYTES = 512 * 1024

const FORWARDED_CODES = ['forbidden', 'not_found', 'unavailable'] as const satisfies readonly FrameErrorCode[]

/** Whether it is a part of ours that is away for now, as HTTP would answer 503. */
const isUnavailable = (error: unknown): boolean => error instanceof AppError && error.code === 'unavailable'

/** Counts a frame; false when there were too many. */
const counted = (connection: Connection, windowMs: number): boolean => {
  const now = performance.now()
  if (now >= connection.framesUntil) {
    connection.frames = 0
    connection.framesUntil = now + windowMs
  }
  return ++connection.frames <= MAX_FRAMES_COUNT
}

export const createProtocol = (deps: Deps): Protocol => {
  const { realtime, signIn, encode, slices, stallTimeoutMs, log, frameWindowMs } = deps
  const onFailure = (connection: Connection) => (error: unknown) => {
    if (isUnavailable(error)) {
      log.warn('realtime connection given up', { client_id: connection.clientId, error })
      close(connection, CLOSE.tryAgain, 'Try again later')
    } else {
      log.error('realtime connection failed', { client_id: connection.clientId, error })
      close(connection, CLOSE.internal, 'Something went wrong on our side')
    }
  }

  const replays = createReplays({
    realtime,
    encode,
    slices,
    stallTimeoutMs,
    failed: (connection, error) => onFailure(connection)(error),
  })

  const refuse = (connection: Connection, error: unknown, ref: string | undefined): void => {
    const code = error instanceof AppError ? FORWARDED_CODES.find((known) => known === error.code) : undefined
    if (error instanceof AppError && code !== undefined) {
      if (isUnavailable(error)) log.warn('realtime frame refused', { client_id: connection.clientId, error })
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
    if (subscriptions.size >= MAX_SUBSCRIPTIONS_COUNT) {
      return sendError(connection, 'too_many_subscriptions', `At most ${MAX_SUBSCRIPTIONS_COUNT} a connection`, ref)
    }
    // So many may come at once that one after the other they would keep everyone else waiting.
    if (slices.isOver()) await slices.next()
    const { cursor, gap } = await realtime.begin(after === undefined ? null : parseCursor(after))
    const view = await realtime.view(principal, topic, after === undefined ? null : cursor)
    if (connection.closed) return
    const subscription = newSubscription(view, cursor)
    subscriptions.set(topic, subscription)
    const from = formatCursor({ epoch: realtime.epoch(), position: cursor })
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

  const act = (connection: Connection, frame: ClientFrame): void | Promise<void> => {
    if (frame.type === 'auth') return signIn.signIn(connection, frame.token, frame.ref)
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
  const authorizedView = async (principal: Principal, { topic, cursor }: Subscription): Promise<View | null> => {
    try {
      return await realtime.view(principal, topic, cursor)
    } catch (error) {
      if (error instanceof AppError && (error.code === 'forbidden' || error.code === 'not_found')) return null
      throw error
    }
  }

  /** Those that may go on do so from where they stood. Only what admins alone may see can have been lost. */
  const authorizeAgain = async (connection: Connection): Promise<void> => {
    connection.reauthorizations--
    if (connection.reauthorizations > 0 || !(await signIn.reauthorize(connection))) return
    let checked = 0
    for (const subscription of [...connection.subscriptions.values()]) {
      if (slices.isOver()) await slices.next()
      const principal = connection.credentials?.grant.principal
      if (principal === undefined || connection.reauthorizations > 0) return
      const hasLostAccess = subscription.view.needsAdmin && principal.role !== 'admin'
      if (hasLostAccess) checked++
      const view = hasLostAccess ? await authorizedView(principal, subscription) : subscription.view
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

  return {
    opened(connection) {
      signIn.startTimeout(connection)
      const { offered } = connection
      connection.offered = null
      if (offered !== null) inTurn(connection, () => signIn.signIn(connection, offered), onFailure(connection))
    },
    received(connection, message) {
      if (connection.closed) return
      connection.pendingBytes += message.length
      const isFlood = connection.work !== null && connection.pendingBytes > MAX_PENDING_BYTES
      if (!counted(connection, frameWindowMs) || isFlood) return close(connection, CLOSE.tooMany, 'Too many frames')
      inTurn(
        connection,
        () => {
          connection.pendingBytes -= message.length
          if (typeof message === 'string') return handle(connection, message)
          sendError(connection, 'binary_frame', 'Frames are text', undefined)
        },
        onFailure(connection),
      )
    },
    onPingOrPong(connection) {
      if (!counted(connection, frameWindowMs)) close(connection, CLOSE.tooMany, 'Too many frames')
    },
    reauthorize(connection) {
      connection.reauthorizations++
      for (const subscription of connection.subscriptions.values()) replays.pause(connection, subscription)
      inTurn(connection, () => authorizeAgain(connection), onFailure(connection))
    },
  }
}
