import type { WebSocketHandler } from 'bun'
import type { Access } from '../../application/access.ts'
import type { AuditReads } from '../../application/audit-reads.ts'
import type { AccessNotices, SocketSlots } from '../../application/ports/messaging.ts'
import type { Metrics } from '../../application/ports/metrics.ts'
import type { Clock, EventLoopSlices, Log } from '../../application/ports/system.ts'
import type { Realtime } from '../../application/realtime.ts'
import type { Delivery } from '../../application/replaying.ts'
import { createBacklog } from './backlog.ts'
import { type Connection, close, MAX_BACKLOG_BYTES, newConnection, notifyDrained, type Origin } from './connection.ts'
import { createEncoder, type ToBody, type ToRecordBody } from './encoder.ts'
import { createFanOut, type Publisher } from './fan-out.ts'
import { CLOSE, MAX_FRAME_BYTES } from './frames.ts'
import { createProtocol } from './protocol.ts'
import { createRegistry } from './registry.ts'
import { createRevalidationWatch } from './revalidation-watch.ts'
import { createSignIn } from './sign-in.ts'

/** The number of connections, of signed-in connections, and of subscriptions. */
export interface SocketCounts {
  readonly open: number
  readonly signedIn: number
  readonly subscriptions: number
}

/** The realtime side of a server. */
export interface Sockets {
  /** Handlers for the server that does the upgrades. */
  readonly handlers: WebSocketHandler<Connection>
  /** The data of an upgraded request; the token is verified. */
  connect(clientId: string, token: string | null, origin: Origin): Connection
  /** Follows the log from its end. Call it before the server listens. */
  start(): Promise<void>
  /** Call it in the same step in which the server begins to listen. */
  publishTo(publisher: Publisher): void
  /** The open connections. */
  counts(): SocketCounts
  /** Closes all current and future connections with 1001. May be called again. */
  stop(): Promise<void>
}

interface Deps {
  readonly realtime: Realtime
  readonly access: Access
  readonly auditReads: AuditReads
  readonly notices: Pick<AccessNotices, 'lossless'>
  readonly slots: SocketSlots
  readonly clock: Clock
  readonly log: Log
  readonly metrics: Pick<Metrics, 'eventSeen' | 'eventDelivered'>
  readonly toBody: ToBody
  readonly toRecordBody: ToRecordBody
  readonly slices: EventLoopSlices
  /** Overrides of {@link SOCKET_DURATIONS}. */
  readonly durations?: Partial<SocketDurations>
  readonly maxSocketsPerUser: number
  /** A client that reads nothing of a replay for this time is closed as too slow. */
  readonly stallTimeoutMs?: number
  /** That serve in this process. Default 1. */
  readonly threadsCount?: number
}

/** Time limits of a connection. */
export interface SocketDurations {
  /** Time until it must have signed in. */
  readonly signInMs: number
  /** Window of the frame limit. */
  readonly frameWindowMs: number
}

const SOCKET_DURATIONS: SocketDurations = { signInMs: 10_000, frameWindowMs: 10_000 }

const IDLE_TIMEOUT_SECONDS = 60
const STALL_TIMEOUT_MS = 30_000

export const createSockets = (deps: Deps): Sockets => {
  const { realtime, access, auditReads, notices, log, metrics, slices, threadsCount } = deps
  const { stallTimeoutMs = STALL_TIMEOUT_MS } = deps
  const { signInMs, frameWindowMs } = { ...SOCKET_DURATIONS, ...deps.durations }
  const registry = createRegistry()
  const backlog = createBacklog(registry.all)
  const encoder = createEncoder({ ...deps, epoch: realtime.epoch })
  const signIn = createSignIn({ ...deps, registry, signInMs })
  /** Encodes what one connection has missed. */
  const encode = (delivery: Delivery, topic: string) => {
    if (delivery.answer.kind !== 'gap') metrics.eventDelivered('replay', 1)
    return encoder.encode(delivery, topic)
  }
  const protocol = createProtocol({ realtime, auditReads, signIn, encode, slices, stallTimeoutMs, log, frameWindowMs })
  const redefine = (collections: readonly string[]) => {
    for (const connection of [...registry.all()]) protocol.redefine(connection, collections)
  }
  const fanOut = createFanOut({ realtime, registry, encoder, backlog, slices, metrics, redefine, threadsCount })
  let stopping = false

  access.onRightsChange((userId) => {
    for (const connection of registry.of(userId)) protocol.reauthorize(connection)
  })

  const watch = createRevalidationWatch({ access, registry, reauthorize: protocol.reauthorize })

  return {
    handlers: {
      maxPayloadLength: MAX_FRAME_BYTES,
      // Published events never reach this limit: a connection with half of it queued is closed as too slow.
      backpressureLimit: 2 * MAX_BACKLOG_BYTES,
      closeOnBackpressureLimit: true,
      idleTimeout: IDLE_TIMEOUT_SECONDS,
      sendPings: true,
      perMessageDeflate: false,
      open(socket) {
        const connection = socket.data
        connection.socket = socket
        registry.add(connection)
        if (stopping) close(connection, CLOSE.goingAway, 'The server stops')
        else protocol.opened(connection)
      },
      message: (socket, message) => protocol.received(socket.data, message),
      ping: (socket) => protocol.onPingOrPong(socket.data),
      pong: (socket) => protocol.onPingOrPong(socket.data),
      drain: (socket) => notifyDrained(socket.data),
      close(socket, code) {
        const connection = socket.data
        connection.closed = true
        protocol.closed(connection)
        if (connection.timer !== null) clearTimeout(connection.timer)
        registry.remove(connection)
        notifyDrained(connection)
        const userId = connection.credentials?.grant.principal.userId
        if (userId !== undefined) deps.slots.release(userId)
        log.debug('socket closed', { code, client_id: connection.clientId, user_id: userId })
      },
    },
    connect: (clientId, token, origin) => newConnection(clientId, token, origin, backlog),
    async start() {
      await fanOut.start()
      if (!notices.lossless) watch.start()
    },
    publishTo: fanOut.publishTo,
    counts() {
      const all = [...registry.all()]
      return {
        open: all.length,
        signedIn: all.filter(({ credentials }) => credentials !== null).length,
        subscriptions: all.reduce((sum, { subscriptions }) => sum + subscriptions.size, 0),
      }
    },
    async stop() {
      stopping = true
      watch.stop()
      for (const connection of [...registry.all()]) close(connection, CLOSE.goingAway, 'The server stops')
      await fanOut.stop()
    },
  }
}
