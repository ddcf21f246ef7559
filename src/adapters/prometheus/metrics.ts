import type { Metrics, Overview, StorageSize } from '../../application/ports/metrics.ts'
import type { Log } from '../../application/ports/system.ts'
import { type Collection, eventName, RECORD_CHANGES } from '../../domain/collection.ts'
import { COLLECTIONS } from '../../domain/collections/index.ts'
import { JOB_EVENTS } from '../../domain/event.ts'
import type { JobState } from '../../domain/job.ts'
import { createDatabaseMetrics } from './database.ts'
import { watchEventLoop } from './event-loop.ts'
import { OVERVIEW_METRICS, overviewOf } from './overview.ts'
import { processMetrics } from './process.ts'
import { type Collected, createExposition, type Exposition, samplesBy, unlabelledSample } from './registry.ts'
import { createRequests } from './requests.ts'
import type { NamedSamples, ThreadSamples } from './samples.ts'
import { storageMetrics } from './storage.ts'

export interface SocketCounts {
  readonly open: number
  readonly signedIn: number
  readonly subscriptions: number
}

export interface PrometheusMetrics extends Metrics, Pick<Exposition, 'contentType' | 'expose' | 'collect'> {
  overview(): Promise<Overview>
  stop(): void
}

interface Deps {
  /** Of the program. */
  readonly version: string
  readonly log: Log
  /** Values known without counting, read at each scrape. */
  readonly sockets: () => SocketCounts
  readonly jobs: () => Promise<Readonly<Record<JobState, number>>>
  readonly storage: () => Promise<StorageSize>
  /** Adds what the other threads of this process have counted. */
  readonly addOthers?: (own: ThreadSamples) => Promise<NamedSamples>
}

const increase = <K>(counts: Map<K, number>, key: K, by: number): void =>
  void counts.set(key, (counts.get(key) ?? 0) + by)

export const createMetrics = ({ version, log, sockets, jobs, storage, addOthers }: Deps): PrometheusMetrics => {
  const requests = createRequests()
  const database = createDatabaseMetrics()
  const eventLoop = watchEventLoop()
  // Initialized at startup, because otherwise the first of a kind would not be an increase.
  const recordEvents = COLLECTIONS.flatMap((collection: Collection) =>
    RECORD_CHANGES.map((change) => eventName(collection, change)),
  )
  const seen = new Map<string, number>([...recordEvents, ...JOB_EVENTS].map((event) => [event, 0]))
  const delivered = new Map<string, number>([
    ['live', 0],
    ['replay', 0],
  ])

  const own: readonly Collected[] = [
    {
      name: 'skep_sockets_open',
      type: 'gauge',
      help: 'Open WebSocket connections.',
      samples: () => unlabelledSample(sockets().open),
    },
    {
      name: 'skep_sockets_signed_in',
      type: 'gauge',
      help: 'Open WebSocket connections that have signed in.',
      samples: () => unlabelledSample(sockets().signedIn),
    },
    {
      name: 'skep_socket_subscriptions',
      type: 'gauge',
      help: 'Subscriptions of open WebSocket connections.',
      samples: () => unlabelledSample(sockets().subscriptions),
    },
    {
      name: 'skep_events_appended_total',
      type: 'counter',
      help: 'Events appended to the log of changes since this process started, by whichever process.',
      across: 'same',
      samples: () => samplesBy('event', seen),
    },
    {
      name: 'skep_events_delivered_total',
      type: 'counter',
      help: 'Events sent, once for each WebSocket connection.',
      samples: () => samplesBy('how', delivered),
    },
    {
      name: 'skep_jobs',
      type: 'gauge',
      help: 'Jobs in the queue by state; counted up to 100000 each.',
      across: 'process',
      samples: async () => samplesBy('state', Object.entries(await jobs())),
    },
  ]
  const exposition = createExposition(
    [
      ...requests.metrics,
      ...database.metrics,
      eventLoop.metric,
      ...own,
      ...storageMetrics(storage),
      ...processMetrics(version),
    ],
    (metric, error) => log.warn('a metric could not be read', { metric, error }),
    addOthers,
  )

  return {
    ...exposition,
    overview: async () => overviewOf(await exposition.read(OVERVIEW_METRICS)),
    requestFinished: requests.finished,
    databaseWaited: database.waited,
    committed: database.committed,
    eventSeen: (event, count) => increase(seen, event, count),
    eventDelivered: (how, count) => increase(delivered, how, count),
    stop: eventLoop.stop,
  }
}
