import type { LoggedEvent } from '../../domain/event.ts'

/** What work on the database may have to wait for before it can begin. */
export type DatabaseWait = 'writer' | 'connection'

/** What a running server counts of itself. A call costs a few additions and never throws. Times are milliseconds. */
export interface Metrics {
  /** `route` is the template of the route that answered, never the path that was asked for; empty when there was none. */
  requestAnswered(method: string, route: string, status: number, duration: number): void
  databaseWaited(wait: DatabaseWait, duration: number): void
  /** A transaction with so many units of work was committed; `duration` is from its beginning. */
  committed(units: number, duration: number): void
  /** An event of the log was seen for the first time, in order. */
  eventSeen(event: LoggedEvent['event']): void
  /** An event was sent to so many sockets. */
  eventDelivered(how: 'live' | 'replay', sockets: number): void
}
