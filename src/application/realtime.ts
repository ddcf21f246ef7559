import { type Cursor, FIRST_EPOCH, isWithin } from '../domain/epoch.ts'
import type { LoggedEvent } from '../domain/event.ts'
import type { Principal } from '../domain/session.ts'
import type { EventScope, UnitOfWork } from './ports/persistence.ts'
import type { Log } from './ports/system.ts'
import type { Audience, Topics, View } from './topics.ts'

export interface FeedListener {
  /** Called once per event, in order. The next call follows when the returned promise has settled. */
  onEvent(event: LoggedEvent): Promise<void> | undefined
  /** Called at the end of the log. The log is read again when the returned promise has settled. */
  onCaughtUp(): Promise<void> | undefined
  /** Called when the data was restored from a copy: events delivered before may not be in its log. */
  onRestored(): void
}

/** Where a subscription begins, and whether events between the requested position and this one are gone. */
export interface StartPosition {
  readonly cursor: number
  readonly gap: boolean
}

/** Follows the log of changes. */
export interface Realtime {
  /** Follows the log from its current end. Call it once. */
  start(listener: FeedListener): Promise<void>
  /** Looks for new events. Call it after commits, and regularly for those of other processes. */
  notify(): void
  /** The cursor of the event last passed to the listener; changes in the same step in which it is passed. */
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
   * The next events of a view, up to {@link position} at the time of the result; complete up to `cursor`. A client that
   * has reached the position can switch to live events without missing or repeating any.
   */
  replay(view: View, after: number): Promise<{ readonly events: readonly LoggedEvent[]; readonly cursor: number }>
  /** Delivers no more events. Resolves when the listener is idle. */
  stop(): Promise<void>
}

interface Deps {
  readonly unitOfWork: UnitOfWork
  readonly topics: Topics
  readonly log: Log
}

/** Called with the reason if the log cannot be read. */
interface Failure {
  readonly error: unknown
}

/** Limits of one read. */
const MAX_CHUNK_COUNT = 200
const MAX_CHUNK_BYTES = 256 * 1024

export const createRealtime = ({ unitOfWork, topics, log }: Deps): Realtime => {
  let position = 0
  let epoch = FIRST_EPOCH
  let listener: FeedListener | null = null
  let notified = false
  let running: Promise<Failure | null> | null = null

  const next = (scope: EventScope, after: number) =>
    unitOfWork.read(async (tx) => {
      const query = { scope, after, maxCount: MAX_CHUNK_COUNT, maxBytes: MAX_CHUNK_BYTES }
      const chunk = await tx.events.chunk(query)
      return { ...chunk, current: tx.epochs.current }
    })

  /**
   * Continues in a new epoch. If its log does not continue the one followed so far, begins at its end and returns
   * false.
   */
  const follows = async (current: string): Promise<boolean> => {
    const { known, last } = await unitOfWork.read(async (tx) => ({
      known: isWithin(await tx.epochs.find(epoch), { epoch, position }),
      last: (await tx.events.bounds()).last,
    }))
    epoch = current
    if (!known) position = last
    return known
  }

  /** Reads until the log has no more events and there was no further call meanwhile. */
  const read = async ({ onEvent, onCaughtUp, onRestored }: FeedListener): Promise<void> => {
    for (let more = true; more || notified; ) {
      notified = false
      const { events, complete, current } = await next('all', position)
      if (current !== epoch && !(await follows(current))) {
        onRestored()
        continue
      }
      for (const event of events) {
        if (listener === null) return
        position = event.cursor
        const handled = onEvent(event)
        if (handled !== undefined) await handled
      }
      more = !complete
      const coalesced = more ? undefined : onCaughtUp()
      if (coalesced !== undefined) await coalesced
    }
  }

  /** Never rejects, because most callers do not wait for the result. */
  const notify = (): Promise<Failure | null> => {
    notified = true
    if (listener === null) return Promise.resolve(null)
    running ??= read(listener)
      .then(
        () => null,
        (error: unknown) => {
          // The next call retries.
          notified = false
          log.warn('the log of changes could not be read', { error })
          return { error }
        },
      )
      .finally(() => {
        running = null
        if (notified) void notify()
      })
    return running
  }

  return {
    async start(to) {
      const { last, current } = await unitOfWork.read(async (tx) => {
        const { last } = await tx.events.bounds()
        return { last, current: tx.epochs.current }
      })
      position = last
      epoch = current
      listener = to
      await notify()
    },
    notify: () => void notify(),
    position: () => position,
    epoch: () => epoch,
    audiencesOf: topics.audiencesOf,
    view: (principal, topic, after = null) => unitOfWork.read((tx) => topics.viewOf(tx, principal, topic, after)),
    async begin(after) {
      const known = after !== null && isWithin(await unitOfWork.read((tx) => tx.epochs.find(after.epoch)), after)
      // Events committed before are not new, but may not have been delivered yet.
      const failure = !known || after.position > position ? await notify() : null
      if (failure !== null) throw failure.error
      if (after === null) return { cursor: position, gap: false }
      if (!known || after.position > position) return { cursor: position, gap: true }
      const { removed } = await unitOfWork.read((tx) => tx.events.bounds())
      return { cursor: Math.max(after.position, Math.min(removed, position)), gap: after.position < removed }
    },
    async replay({ scope, sees }, after) {
      const before = position
      const { events: found, complete, reached } = await next(scope, after)
      const events = found.filter((event) => event.cursor <= position)
      if (events.length < found.length) return { events: events.filter(sees), cursor: position }
      // The end of the log at the time of the read is at least the position of the listener.
      const cursor = complete ? Math.max(reached, before) : Math.min(reached, position)
      return { events: events.filter(sees), cursor }
    },
    async stop() {
      listener = null
      await running
    },
  }
}
