import type { LoggedEvent } from '../../domain/event.ts'
import type { JobState } from '../../domain/job.ts'
import type { Instant } from '../../domain/user.ts'
import type { StoredSize } from './persistence.ts'

/** Resources that database work may wait for before it begins. */
export type DatabaseWait = 'writer' | 'connection'

/** The counters of a running server. A call costs a few additions and never throws. Times are milliseconds. */
export interface Metrics {
  /** `route` is the template of the matching route, never the requested path; empty if there is none. */
  requestFinished(method: string, route: string, status: number, durationMs: number): void
  databaseWaited(wait: DatabaseWait, durationMs: number): void
  /** A transaction with this number of units of work was committed; `durationMs` counts from its beginning. */
  committed(units: number, durationMs: number): void
  /** An event was read from the log for the first time, in order. */
  eventSeen(event: LoggedEvent['event'], count: number): void
  /** An event was sent to this number of sockets. */
  eventDelivered(how: 'live' | 'replay', sockets: number): void
}

/** Bytes of a disk. `free` is what the server may still use. */
export interface DiskSpace {
  readonly free: number
  readonly size: number
}

export interface StorageSize extends StoredSize {
  /** The fullest disk that this process writes to; null if it writes to none whose size is known. */
  readonly disk: DiskSpace | null
}

/** How many durations there were up to each bound, in ascending order. Bounds are seconds; the last one is infinite. */
export type Distribution = readonly { readonly upTo: number; readonly count: number }[]

/** A few of the counters of this process, since it started. A null value cannot be read now. */
export interface Overview {
  readonly startedAt: Instant
  readonly requests: number
  /** Responses with a status of 500 or above. */
  readonly failedRequests: number
  readonly durations: Distribution
  readonly eventLoopLag: Distribution
  readonly sockets: { readonly open: number; readonly signedIn: number; readonly subscriptions: number }
  readonly jobs: Readonly<Record<JobState, number>> | null
  readonly memoryBytes: number
  readonly cpuSeconds: number
  readonly databaseBytes: number | null
  readonly userDataBytes: number | null
  readonly diskFreeBytes: number | null
  readonly diskSizeBytes: number | null
}
