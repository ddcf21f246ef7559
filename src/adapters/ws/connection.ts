import type { ServerWebSocket } from 'bun'
import type { Grant } from '../../application/access.ts'
import type { Replay } from '../../application/replaying.ts'
import type { View } from '../../application/topics.ts'
import type { AppError } from '../../domain/errors.ts'
import type { Visitor } from '../../domain/session.ts'
import { CLOSE, type FrameErrorCode, type ServerFrame } from './frames.ts'

export type Socket = ServerWebSocket<Connection>

/** Maximum backlog of a connection, in bytes. */
export const MAX_BACKLOG_BYTES = 1024 * 1024

/** The backlogs of all connections. */
export interface Backlog {
  /** Call it with bytes that could not be sent at once. */
  queued(bytes: number): void
  /** Closes connections whose backlog exceeds the limit of a connection, of a user, or of all together. */
  checkNow(): void
  /**
   * Whether a connection with this backlog may be closed with a close frame, although Bun keeps the data until the
   * client reads it.
   */
  mayLinger(bytes: number): boolean
}

/** The subscription of one connection to one topic. */
export interface Subscription {
  readonly topic: string
  readonly filter: string | undefined
  view: View
  /** Everything up to this position was sent. Does not change while the subscription is live. */
  position: number
  /** The remembered past states up to this position. */
  replay: Replay
  /** The audience whose published events it receives; null unless it is live. */
  audience: string | null
}

export interface Credentials {
  readonly token: string
  readonly grant: Grant
}

/** Where a connection comes from, as the audit log names it. */
export type Origin = Pick<Visitor, 'requestId' | 'address'>

/** The state of one socket. */
export interface Connection {
  readonly clientId: string
  /** The request that was upgraded. */
  readonly origin: Origin
  /** The access token of the upgrade, until it has been checked. */
  offered: string | null
  /** Null until the upgrade is done. */
  socket: Socket | null
  credentials: Credentials | null
  readonly subscriptions: Map<string, Subscription>
  /** The subscriptions that have not seen everything and need a replay. */
  readonly behind: Set<Subscription>
  isReplaying: boolean
  /**
   * The number of unprocessed notices about the user's rights; while it is not zero, no events are sent from the log.
   */
  reauthorizations: number
  /** Pending work on frames, in order; null if there is none. */
  work: Promise<void> | null
  /** Total length of the frames waiting for their turn: UTF-16 code units of text, bytes of binary. */
  pendingLength: number
  readonly backlog: Backlog
  /** Timer that closes the connection without a sign-in, or when its token expires. */
  timer: ReturnType<typeof setTimeout> | null
  /** Callers that wait until the client has read. */
  readonly waiting: Set<() => void>
  frames: number
  framesUntil: number
  closed: boolean
}

export const newConnection = (
  clientId: string,
  token: string | null,
  origin: Origin,
  backlog: Backlog,
): Connection => ({
  clientId,
  origin,
  offered: token,
  socket: null,
  credentials: null,
  subscriptions: new Map(),
  behind: new Set(),
  isReplaying: false,
  reauthorizations: 0,
  work: null,
  pendingLength: 0,
  backlog,
  timer: null,
  waiting: new Set(),
  frames: 0,
  framesUntil: 0,
  closed: false,
})

/** Bytes that the client has not read. */
export const backlogOf = ({ socket, closed }: Connection): number =>
  socket === null || closed ? 0 : socket.getBufferedAmount()

/** Closes once. The socket's own close event does the rest. */
export const close = (connection: Connection, code: number, reason: string): void => {
  const { socket, closed, backlog } = connection
  if (closed) return
  const waiting = backlogOf(connection)
  connection.closed = true
  if (backlog.mayLinger(waiting)) socket?.close(code, reason)
  else socket?.terminate()
}

/** Sends text, or queues it. A connection with too much queued is closed. */
export const sendText = (connection: Connection, text: string): void => {
  const { socket, closed, backlog } = connection
  if (socket === null || closed) return
  if (socket.getBufferedAmount() > MAX_BACKLOG_BYTES) {
    close(connection, CLOSE.tooSlow, 'Too much waits to be read')
    return
  }
  if (socket.sendText(text) === -1) backlog.queued(text.length)
}

export const send = (connection: Connection, frame: ServerFrame): void => {
  sendText(connection, JSON.stringify(frame))
}

export const sendError = (connection: Connection, code: FrameErrorCode, detail: string, ref: string | undefined) =>
  send(connection, { type: 'error', code, detail, ...echo(ref) })

/** What an error frame says of an error: its message, and its faults with their positions. */
export const explanationOf = ({ message, faults = [] }: AppError): string =>
  faults.length === 0 ? message : `${message}: ${faults.map(({ detail }) => detail).join('; ')}`

/** `ref` as a member of a reply. */
export const echo = (ref: string | undefined): { readonly ref?: string } => (ref === undefined ? {} : { ref })

/** Resolves when the client has read some of its backlog, or has disconnected. */
export const waitForDrain = ({ closed, waiting }: Connection): Promise<void> =>
  closed ? Promise.resolve() : new Promise((resolve) => waiting.add(resolve))

/** Resumes the waiting callers after the client has read or disconnected. */
export const notifyDrained = ({ waiting }: Connection): void => {
  for (const resolve of waiting) resolve()
  waiting.clear()
}

/** Runs `work` after earlier work; synchronously if nothing is pending. Never rejects. */
export const inTurn = (
  connection: Connection,
  work: () => void | Promise<void>,
  failed: (error: unknown) => void,
): void => {
  const guarded = async () => {
    try {
      if (!connection.closed) await work()
    } catch (error) {
      failed(error)
    }
  }
  const mine = connection.work === null ? guarded() : connection.work.then(guarded)
  connection.work = mine
  void mine.then(() => {
    if (connection.work === mine) connection.work = null
  })
}
