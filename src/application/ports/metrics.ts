import type { LoggedEvent } from '../../domain/event.ts'

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
