import type { Metrics } from '../../application/ports/metrics.ts'
import type { EventLoopSlices } from '../../application/ports/system.ts'
import type { Realtime } from '../../application/realtime.ts'
import type { LoggedEvent } from '../../domain/event.ts'
import { createCoalesceDelay } from './coalesce.ts'
import { type Backlog, close, MAX_BACKLOG_BYTES } from './connection.ts'
import { CLOSE, formatCursor, type ServerFrame } from './frames.ts'
import type { Registry } from './registry.ts'

/** The part of a server that sends one text to all sockets of an audience. */
export interface Publisher {
  publish(audience: string, text: string): unknown
  subscriberCount(audience: string): number
}

/** The subject of an event, as the REST interface shows it. */
export type ToBody = (event: LoggedEvent) => object

export interface FanOut {
  encode(event: LoggedEvent, topic: string): string
  start(): Promise<void>
  publishTo(publisher: Publisher): void
  stop(): Promise<void>
}

interface Deps {
  readonly realtime: Realtime
  readonly registry: Registry
  readonly toBody: ToBody
  readonly backlog: Backlog
  readonly slices: EventLoopSlices
  readonly metrics: Pick<Metrics, 'eventSeen' | 'eventDelivered'>
}

/** Polls for commits of other processes, and after a failed read. */
const POLL_MS = 1_000
/** This number of events in one flush is enough; there is no pause to gather more. */
const MIN_BATCH_COUNT = 64
/** Bytes that a socket's backlog can grow between two checks, and the same for all sockets together. */
const CHECK_EVERY_BYTES = MAX_BACKLOG_BYTES / 8
const CHECK_EVERY_TOTAL_BYTES = 96 * MAX_BACKLOG_BYTES

/** Delivers each event of the log to its audiences, encoded once per topic. */
export const createFanOut = ({ realtime, registry, toBody, backlog, slices, metrics }: Deps): FanOut => {
  let publisher: Publisher | null = null
  let publishedBytes = 0
  let publishedBytesToAll = 0
  /** The number of sockets of each audience with events since the last pause. */
  const reached = new Map<string, number>()
  /** Events delivered since then. */
  let handledCount = 0
  const coalesceDelayMs = createCoalesceDelay()
  let poll: ReturnType<typeof setInterval> | null = null

  const encode = (logged: LoggedEvent, topic: string): string => {
    const cursor = formatCursor({ epoch: realtime.epoch(), position: logged.position })
    const frame: ServerFrame = { type: 'event', topic, cursor, event: logged.event, data: toBody(logged) }
    return JSON.stringify(frame)
  }

  /** Flushes published events, then checks for clients that do not read. */
  const flush = async (): Promise<void> => {
    publishedBytes = 0
    publishedBytesToAll = 0
    await new Promise<void>((resolve) => setImmediate(resolve))
    backlog.checkNow()
  }

  const onEvent = (event: LoggedEvent): Promise<void> | undefined => {
    metrics.eventSeen(event.event)
    handledCount++
    // Without a server or connections, there are no subscribers.
    if (publisher === null || registry.size() === 0) return undefined
    let topic = ''
    let text = ''
    for (const target of realtime.audiencesOf(event)) {
      const sockets = publisher.subscriberCount(target.audience)
      if (sockets === 0) continue
      reached.set(target.audience, sockets)
      if (target.topic !== topic) {
        topic = target.topic
        text = encode(event, topic)
      }
      publisher.publish(target.audience, text)
      metrics.eventDelivered('live', sockets)
      // A UTF-16 code unit takes up to three bytes in UTF-8.
      const bytes = text.length * 3
      publishedBytes += bytes
      publishedBytesToAll += bytes * sockets
    }
    if (publishedBytes >= CHECK_EVERY_BYTES || publishedBytesToAll >= CHECK_EVERY_TOTAL_BYTES) return flush()
    return slices.isOver() ? slices.next() : undefined
  }

  /** Events committed during the pause are sent together; after a quiet period an event is sent at once. */
  const onCaughtUp = (): Promise<void> | undefined => {
    let sockets = 0
    for (const count of reached.values()) sockets += count
    reached.clear()
    const delayMs = handledCount < MIN_BATCH_COUNT ? coalesceDelayMs(sockets) : 0
    handledCount = 0
    return delayMs < 1 ? undefined : new Promise((resolve) => setTimeout(resolve, delayMs))
  }

  const onRestored = (): void => {
    for (const connection of [...registry.all()]) close(connection, CLOSE.tryAgain, 'The data was restored')
  }

  return {
    encode,
    publishTo(server) {
      publisher = server
    },
    async start() {
      await realtime.start({ onEvent, onCaughtUp, onRestored })
      poll = setInterval(realtime.notify, POLL_MS)
    },
    async stop() {
      if (poll !== null) clearInterval(poll)
      await realtime.stop()
    },
  }
}
