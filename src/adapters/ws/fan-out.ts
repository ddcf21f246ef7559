import type { Metrics } from '../../application/ports/metrics.ts'
import type { EventLoopSlices } from '../../application/ports/system.ts'
import type { Realtime } from '../../application/realtime.ts'
import type { Delivery } from '../../application/replaying.ts'
import type { Audience } from '../../application/topics.ts'
import type { LoggedEvent } from '../../domain/event.ts'
import { createCoalesceDelay } from './coalesce.ts'
import { type Backlog, close, MAX_BACKLOG_BYTES } from './connection.ts'
import type { Encoder } from './encoder.ts'
import { CLOSE } from './frames.ts'
import type { Registry } from './registry.ts'

/** The part of a server that sends one text to all sockets of an audience. */
export interface Publisher {
  publish(audience: string, text: string): unknown
  subscriberCount(audience: string): number
}

export interface FanOut {
  start(): Promise<void>
  publishTo(publisher: Publisher): void
  stop(): Promise<void>
}

interface Deps {
  readonly realtime: Realtime
  readonly registry: Registry
  readonly encoder: Encoder
  readonly backlog: Backlog
  readonly slices: EventLoopSlices
  readonly metrics: Pick<Metrics, 'eventSeen' | 'eventDelivered'>
  /** Called when the definitions of these collections have changed. Their subscriptions leave their audiences at once. */
  readonly redefine: (collections: readonly string[]) => void
  /** Of this process. Default 1. */
  readonly threadsCount?: number | undefined
}

/** Polls for commits of other processes, after a failed read, and to count events while nobody listens. */
const POLL_MS = 1_000
/** This number of events in one flush is enough; there is no pause to gather more. */
const MIN_BATCH_COUNT = 64
/** Views that are sent a frame without a break. */
const MAX_VIEWS_PER_STEP_COUNT = 100
/** Bytes that a socket's backlog can grow between two checks, and the same for all sockets together. */
const CHECK_EVERY_BYTES = MAX_BACKLOG_BYTES / 8
const CHECK_EVERY_TOTAL_BYTES = 96 * MAX_BACKLOG_BYTES

type Answer = Delivery['answer']

/** Publishes texts, and lets sockets write before too much is queued. */
const createPublishing = ({
  backlog,
  encoder,
  metrics,
  slices,
}: Pick<Deps, 'backlog' | 'encoder' | 'metrics' | 'slices'>) => {
  let publisher: Publisher | null = null
  let publishedBytes = 0
  let publishedBytesToAll = 0
  /** The number of sockets of each audience with events since the last pause. */
  const reached = new Map<string, number>()

  /** Flushes published events, then checks for clients that do not read. */
  const flush = async (): Promise<void> => {
    publishedBytes = 0
    publishedBytesToAll = 0
    await new Promise<void>((resolve) => setImmediate(resolve))
    backlog.checkNow()
  }

  return {
    publishTo(server: Publisher) {
      publisher = server
    },
    /** Encodes a frame only if somebody gets it. `text` is the same frame, if it is already encoded. */
    publish({ audience, topic }: Audience, delivery: Delivery, text?: string): string | undefined {
      // Without a server, there are no subscribers.
      const sockets = publisher?.subscriberCount(audience) ?? 0
      if (publisher === null || sockets === 0) return text
      reached.set(audience, sockets)
      const encoded = text ?? encoder.encode(delivery, topic)
      publisher.publish(audience, encoded)
      if (delivery.answer.kind !== 'gap') metrics.eventDelivered('live', sockets)
      // A UTF-16 code unit takes up to three bytes in UTF-8.
      const bytes = encoded.length * 3
      publishedBytes += bytes
      publishedBytesToAll += bytes * sockets
      return encoded
    },
    /** Wait for this before publishing more. */
    pause(): Promise<void> | undefined {
      if (publishedBytes >= CHECK_EVERY_BYTES || publishedBytesToAll >= CHECK_EVERY_TOTAL_BYTES) return flush()
      return slices.isOver() ? slices.next() : undefined
    },
    /** The number of sockets of each audience that was reached since the last call, together. */
    takeReachedCount(): number {
      let sockets = 0
      for (const count of reached.values()) sockets += count
      reached.clear()
      return sockets
    },
  }
}

/** Delivers each event of the log to its audiences, encoded once per topic, and what it changes for views of records. */
export const createFanOut = (deps: Deps): FanOut => {
  const { realtime, registry, metrics, redefine, threadsCount = 1 } = deps
  const publishing = createPublishing(deps)
  /** The last frame of the current event for each audience of a view, because only this one completes the event. */
  const last = new Map<string, { readonly view: Audience; readonly answer: Answer }>()
  /** Events delivered since the last pause. */
  let handledCount = 0
  const coalesceDelayMs = createCoalesceDelay({ threadsCount })
  let poll: ReturnType<typeof setInterval> | null = null

  const prepare = (event: LoggedEvent): Promise<void> | undefined => {
    const before = event.position - 1
    const emitTo = (views: readonly Audience[], answer: Answer) => {
      for (const view of views) {
        const earlier = last.get(view.audience)
        if (earlier !== undefined) publishing.publish(view, { answer: earlier.answer, position: before })
        last.set(view.audience, { view, answer })
      }
      return publishing.pause()
    }
    const emitInParts = async (views: readonly Audience[], answer: Answer) => {
      for (let from = 0; from < views.length; from += MAX_VIEWS_PER_STEP_COUNT) {
        await emitTo(views.slice(from, from + MAX_VIEWS_PER_STEP_COUNT), answer)
      }
    }
    const emit = (views: readonly Audience[], answer: Answer) =>
      views.length > MAX_VIEWS_PER_STEP_COUNT ? emitInParts(views, answer) : emitTo(views, answer)
    last.clear()
    const outdated = realtime.live.outdated(event)
    if (outdated === undefined) return realtime.live.changes(event, emit)
    return outdated.then((collections) => {
      if (collections.length > 0) redefine(collections)
      return realtime.live.changes(event, emit)
    })
  }

  const onEvent = (event: LoggedEvent): Promise<void> | undefined => {
    metrics.eventSeen(event.event, 1)
    handledCount++
    // Only signed-in connections can subscribe.
    if (registry.signedInCount() === 0) return undefined
    const { position } = event
    for (const { view, answer } of last.values()) publishing.publish(view, { answer, position })
    const logged: Delivery = { position, answer: { kind: 'logged', event } }
    let topic = ''
    let text: string | undefined
    for (const target of realtime.audiencesOf(event)) {
      if (target.topic !== topic) text = undefined
      topic = target.topic
      text = publishing.publish(target, logged, text)
    }
    return publishing.pause()
  }

  // Then there are neither subscribers nor views.
  const isIdle = (): boolean => registry.signedInCount() === 0

  const onSkipped = (event: string, count: number): void => {
    metrics.eventSeen(event, count)
    realtime.live.forget()
  }

  /** Events committed during the pause are sent together; after a quiet period an event is sent at once. */
  const onCaughtUp = (): Promise<void> | undefined => {
    const sockets = publishing.takeReachedCount()
    const delayMs = handledCount < MIN_BATCH_COUNT ? coalesceDelayMs(sockets) : 0
    handledCount = 0
    return delayMs < 1 ? undefined : new Promise((resolve) => setTimeout(resolve, delayMs))
  }

  const onRestored = (): void => {
    for (const connection of [...registry.all()]) close(connection, CLOSE.tryAgain, 'The data was restored')
  }

  return {
    publishTo: publishing.publishTo,
    async start() {
      await realtime.start({ isIdle, onSkipped, prepare, onEvent, onCaughtUp, onRestored })
      poll = setInterval(realtime.poll, POLL_MS)
    },
    async stop() {
      if (poll !== null) clearInterval(poll)
      await realtime.stop()
    },
  }
}
