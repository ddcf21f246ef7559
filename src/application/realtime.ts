import { type Cursor, isWithin } from '../domain/epoch.ts'
import type { LoggedEvent } from '../domain/event.ts'
import type { Principal } from '../domain/session.ts'
import { createEventFeed, type FeedListener } from './event-feed.ts'
import type { UnitOfWork } from './ports/persistence.ts'
import type { Log } from './ports/system.ts'
import type { Audience, Topics, View } from './topics.ts'

/** Where a subscription begins, and whether events between the requested position and this one are gone. */
export interface StartPosition {
  readonly position: number
  readonly gap: boolean
}

/** Follows the log of changes. */
export interface Realtime {
  /** Follows the log from its current end. Call it once. */
  start(listener: FeedListener): Promise<void>
  /** Looks for new events. Call it after commits, and regularly for those of other processes. */
  notify(): void
  /** The position of the event last passed to the listener; changes in the same step in which it is passed. */
  position(): number
  /** The id of the current epoch, which new cursors contain. */
  epoch(): string
  /** The audiences of an event. */
  audiencesOf(event: LoggedEvent): readonly Audience[]
  /** The part of the log that `principal` sees under a topic. Throws `not_found`, `forbidden`. */
  view(principal: Principal, topic: string, after?: number | null): Promise<View>
  /**
   * Where to begin for a client that has seen everything up to `after`, or wants only new events. A cursor of an
   * unknown epoch, or after the end of its epoch, is a gap, and only new events follow.
   */
  begin(after: Cursor | null): Promise<StartPosition>
  /**
   * The next events of a view, up to {@link position} at the time of the result; complete up to the returned position. A
   * client that has reached {@link position} can switch to live events without missing or repeating any.
   */
  replay(view: View, after: number): Promise<{ readonly events: readonly LoggedEvent[]; readonly position: number }>
  /** Delivers no more events. Resolves when the listener is idle. */
  stop(): Promise<void>
}

interface Deps {
  readonly unitOfWork: UnitOfWork
  readonly topics: Topics
  readonly log: Log
}

export const createRealtime = ({ unitOfWork, topics, log }: Deps): Realtime => {
  const feed = createEventFeed(unitOfWork, log)

  return {
    start: feed.start,
    notify: () => void feed.notify(),
    position: feed.position,
    epoch: feed.epoch,
    stop: feed.stop,
    audiencesOf: topics.audiencesOf,
    view: (principal, topic, after = null) => unitOfWork.read((tx) => topics.viewOf(tx, principal, topic, after)),
    async begin(after) {
      const known = after !== null && isWithin(await unitOfWork.read((tx) => tx.epochs.find(after.epoch)), after)
      // Events committed before are not new, but may not have been delivered yet.
      const failure = !known || after.position > feed.position() ? await feed.notify() : null
      if (failure !== null) throw failure.error
      if (after === null) return { position: feed.position(), gap: false }
      if (!known || after.position > feed.position()) return { position: feed.position(), gap: true }
      const { removed } = await unitOfWork.read((tx) => tx.events.bounds())
      return { position: Math.max(after.position, Math.min(removed, feed.position())), gap: after.position < removed }
    },
    async replay({ scope, sees }, after) {
      const before = feed.position()
      const { events: found, complete, reached } = await feed.next(scope, after)
      const events = found.filter((event) => event.position <= feed.position())
      if (events.length < found.length) return { events: events.filter(sees), position: feed.position() }
      // The end of the log at the time of the read is at least the position of the listener.
      const position = complete ? Math.max(reached, before) : Math.min(reached, feed.position())
      return { events: events.filter(sees), position }
    },
  }
}
