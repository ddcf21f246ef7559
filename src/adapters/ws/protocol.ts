import type { AuditReads } from '../../application/audit-reads.ts'
import type { EventLoopSlices, Log } from '../../application/ports/system.ts'
import type { Realtime } from '../../application/realtime.ts'
import { AppError } from '../../domain/errors.ts'
import {
  type Connection,
  close,
  echo,
  explanationOf,
  inTurn,
  type Subscription,
  send,
  sendError,
  sendText,
} from './connection.ts'
import { CLOSE, type ClientFrame, type FrameErrorCode, readFrame } from './frames.ts'
import { createNoteView } from './noted-views.ts'
import { createRenewals } from './renewals.ts'
import { createReplays, type EncodeDelivery } from './replays.ts'
import type { SignIn } from './sign-in.ts'
import { createSubscriptions } from './subscriptions.ts'

/** Handles incoming frames. Nothing here throws. */
export interface Protocol {
  opened(connection: Connection): void
  received(connection: Connection, message: string | Buffer): void
  /** Ends what the connection follows. */
  closed(connection: Connection): void
  /** A ping or a pong, which counts like any other frame. */
  onPingOrPong(connection: Connection): void
  /** Called when the user's rights have changed: sends nothing more before the connection is reauthorized. */
  reauthorize(connection: Connection): void
  /** Called when the definitions of these collections have changed: the same for their subscriptions. */
  redefine(connection: Connection, collections: readonly string[]): void
}

interface Deps {
  readonly realtime: Realtime
  readonly auditReads: AuditReads
  readonly signIn: SignIn
  readonly encode: EncodeDelivery
  readonly slices: EventLoopSlices
  readonly stallTimeoutMs: number
  readonly log: Log
  readonly frameWindowMs: number
}

const MAX_FRAMES_COUNT = 100
/** Maximum total length of waiting frames. */
const MAX_PENDING_LENGTH = 512 * 1024

const FORWARDED_CODES = [
  'forbidden',
  'not_found',
  'unavailable',
  'validation_failed',
] as const satisfies readonly FrameErrorCode[]

/** Whether a component is temporarily unavailable, for which HTTP would send 503. */
const isUnavailable = (error: unknown): boolean => error instanceof AppError && error.code === 'unavailable'

/** Counts a frame; false if there were too many. */
const counted = (connection: Connection, windowMs: number): boolean => {
  const now = performance.now()
  if (now >= connection.framesUntil) {
    connection.frames = 0
    connection.framesUntil = now + windowMs
  }
  return ++connection.frames <= MAX_FRAMES_COUNT
}

/** Closes a connection whose state is unknown after an error. */
const createOnFailure = (log: Log) => (connection: Connection) => (error: unknown) => {
  if (isUnavailable(error)) {
    log.warn('realtime connection closed', { client_id: connection.clientId, error })
    close(connection, CLOSE.tryAgain, 'Try again later')
  } else {
    log.error('realtime connection failed', { client_id: connection.clientId, error })
    close(connection, CLOSE.internal, 'Something went wrong on our side')
  }
}

interface HandlingDeps extends Pick<Deps, 'signIn' | 'log'> {
  readonly subscriptions: ReturnType<typeof createSubscriptions>
}

/** Does what a text frame asks for, or sends why not. */
const createHandling = ({ signIn, subscriptions, log }: HandlingDeps) => {
  const refuse = (connection: Connection, error: unknown, ref: string | undefined): void => {
    const code = error instanceof AppError ? FORWARDED_CODES.find((known) => known === error.code) : undefined
    if (error instanceof AppError && code !== undefined) {
      if (isUnavailable(error)) log.warn('realtime frame refused', { client_id: connection.clientId, error })
      sendError(connection, code, explanationOf(error), ref)
    } else {
      log.error('realtime frame failed', { client_id: connection.clientId, error })
      sendError(connection, 'internal_error', 'Something went wrong on our side', ref)
    }
  }

  const act = (connection: Connection, frame: ClientFrame): void | Promise<void> => {
    if (frame.type === 'auth') return signIn.signIn(connection, frame.token, frame.ref)
    if (connection.credentials === null) return close(connection, CLOSE.signedOut, 'Sign in first')
    if (frame.type === 'ping') return send(connection, { type: 'pong', ...echo(frame.ref) })
    if (frame.type === 'unsubscribe') return subscriptions.unsubscribe(connection, frame.topic, frame.ref)
    return subscriptions.subscribe(connection, connection.credentials.grant.principal, frame)
  }

  return async (connection: Connection, text: string): Promise<void> => {
    const received = readFrame(text)
    if (received.kind === 'text') return void sendText(connection, `Message received: ${text}`)
    if (received.kind === 'invalid') return sendError(connection, received.code, received.detail, received.ref)
    try {
      await act(connection, received.frame)
    } catch (error) {
      refuse(connection, error, received.frame.ref)
    }
  }
}

export const createProtocol = (deps: Deps): Protocol => {
  const { realtime, auditReads, signIn, encode, slices, stallTimeoutMs, log, frameWindowMs } = deps
  const onFailure = createOnFailure(log)

  const replays = createReplays({
    realtime,
    encode,
    slices,
    stallTimeoutMs,
    outdated: (connection, subscription) => redefine(connection, subscription),
    failed: (connection, error) => onFailure(connection)(error),
  })

  const note = createNoteView(auditReads)
  const subscriptions = createSubscriptions({ realtime, note, replays, slices })
  const renewals = createRenewals({ realtime, note, signIn, replays, slices, log })
  const handle = createHandling({ signIn, subscriptions, log })

  const redefine = (connection: Connection, subscription: Subscription): void => {
    replays.pause(connection, subscription)
    inTurn(connection, () => renewals.redefine(connection, subscription), onFailure(connection))
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
      connection.pendingLength += message.length
      const isFlood = connection.work !== null && connection.pendingLength > MAX_PENDING_LENGTH
      if (!counted(connection, frameWindowMs) || isFlood) return close(connection, CLOSE.tooMany, 'Too many frames')
      inTurn(
        connection,
        () => {
          connection.pendingLength -= message.length
          if (typeof message === 'string') return handle(connection, message)
          sendError(connection, 'binary_frame', 'Frames are text', undefined)
        },
        onFailure(connection),
      )
    },
    closed(connection) {
      for (const subscription of connection.subscriptions.values()) replays.pause(connection, subscription)
      connection.subscriptions.clear()
    },
    onPingOrPong(connection) {
      if (!counted(connection, frameWindowMs)) close(connection, CLOSE.tooMany, 'Too many frames')
    },
    reauthorize(connection) {
      connection.reauthorizations++
      for (const subscription of connection.subscriptions.values()) replays.pause(connection, subscription)
      inTurn(connection, () => renewals.reauthorize(connection), onFailure(connection))
    },
    redefine(connection, collections) {
      for (const subscription of connection.subscriptions.values()) {
        const { view } = subscription
        if (view.kind !== 'records' || !collections.includes(view.records.collection.name)) continue
        redefine(connection, subscription)
      }
    },
  }
}
