import type { ServerWebSocket } from 'bun'
import type { Grant } from '../../application/access.ts'
import type { View } from '../../application/topics.ts'
import { CLOSE, type FrameErrorCode, type ServerFrame } from './frames.ts'

export type Socket = ServerWebSocket<Connection>

/** Bytes that may wait for a reader. */
export const MAX_BACKLOG_BYTES = 1024 * 1024

/** What waits to be read, over all connections. */
export interface Backlog {
  /** Notified of what could not be sent at once. */
  queued(bytes: number): void
  /** Closes those for whom too much waits: of one connection, of all of one user, or of all together. */
  checkNow(): void
  /** Whether a connection may be closed in order though so much waits: Bun keeps that for a reader who may yet come. */
  mayLinger(bytes: number): boolean
}

/** The subscription of one connection to one topic. */
export interface Subscription {
  readonly topic: string
  view: View
  /** Everything up to here was sent. Stands still while the subscription is live. */
  cursor: number
  /** Whether it receives what is published to its audience. */
  live: boolean
}

export interface Credentials {
  readonly token: string
  readonly grant: Grant
}

/** What is known of one socket. */
export interface Connection {
  readonly clientId: string
  /** The access token of the upgrade, until it was looked at. */
  offered: string | null
  /** Null until the upgrade is done. */
  socket: Socket | null
  credentials: Credentials | null
  readonly subscriptions: Map<string, Subscription>
  /** Those of them that have not seen everything, and are to be brought up to date. */
  readonly behind: Set<Subscription>
  isReplaying: boolean
  /** How many notices about its user's rights are still to be followed: until then nothing is sent from the log. */
  reauthorizations: number
  /** Work on frames that came, one after another; null when there is none. */
  work: Promise<void> | null
  /** Of frames that wait for their turn. */
  pendingBytes: number
  readonly backlog: Backlog
  /** Ends the wait for a sign-in, or the connection with its token. */
  timer: ReturnType<typeof setTimeout> | null
  /** Who waits for the reader to read. */
  readonly waiting: Set<() => void>
  frames: number
  framesUntil: number
  closed: boolean
}

export const newConnection = (clientId: string, token: string | null, backlog: Backlog): Connection => ({
  clientId,
  offered: token,
  socket: null,
  credentials: null,
  subscriptions: new Map(),
  behind: new Set(),
  isReplaying: false,
  reauthorizations: 0,
  work: null,
  pendingBytes: 0,
  backlog,
  timer: null,
  waiting: new Set(),
  frames: 0,
  framesUntil: 0,
  closed: false,
})

/** Bytes that wait for the reader. */
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

/** Sends text, or puts it in line. A connection with too much in line is closed. */
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

/** `ref` as it goes into an answer. */
export const echo = (ref: string | undefined): { readonly ref?: string } => (ref === undefined ? {} : { ref })

/** Resolves when the reader has read some of what waits, or is gone. */
export const waitForDrain = ({ closed, waiting }: Connection): Promise<void> =>
  closed ? Promise.resolve() : new Promise((resolve) => waiting.add(resolve))

/** Notifies those who wait that the reader has read, or is gone. */
export const notifyDrained = ({ waiting }: Connection): void => {
  for (const resolve of waiting) resolve()
  waiting.clear()
}

/** Runs `work` after what came before; at once, and without a promise, when nothing waits. Never rejects. */
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
