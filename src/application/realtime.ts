import { type Cursor, FIRST_EPOCH, isWithin } from '../domain/epoch.ts'
import type { LoggedEvent } from '../domain/event.ts'
import type { Principal } from '../domain/session.ts'
import type { EventScope, UnitOfWork } from './ports/persistence.ts'
import type { Log } from './ports/system.ts'
import type { Audience, Topics, View } from './topics.ts'

export interface FeedListener {
  /** Called once for each event, in order. The next one follows when the returned promise has settled. */
  onEvent(event: LoggedEvent): Promise<void> | undefined
  /** Called at the end of the log. It is read again when the returned promise has settled. */
  onCaughtUp(): Promise<void> | undefined
  /** The data was restored from a copy: events that were handed out may not be in its log. */
  onRestored(): void
}

/** Where a subscription begins, and whether events between the place it asked for and this one are gone. */
export interface StartPosition {
  readonly cursor: number
  readonly gap: boolean
}

/** The log of changes as it grows. */
export interface Realtime {
  /** Reads on from the log's present end. To be called once. */
  start(listener: FeedListener): Promise<void>
  /** Looks for events. To be called after commits, and now and then for those of other processes. */
  notify(): void
  /** The cursor of the event the listener was handed last; changes in the same step in which it is handed. */
  position(): number
  /** The id of the epoch that goes with every cursor that is given out now. */
  epoch(): string
  /** The audiences of an event. */
  audiencesOf(event: LoggedEvent): readonly Audience[]
  /** What `principal` sees by a topic. Throws `not_found`, `forbidden`. */
  view(principal: Principal, topic: string, after?: number | null): Promise<View>
  /**
   * Where to begin for someone who has seen everything up to `after`, or wants only what is to come. A cursor of an
   * epoch that this data has not lived through, or from behind its end, is a gap, and only what is to come follows.
   */
  begin(after: Cursor | null): Promise<StartPosition>
  /**
   * The next events of a view, up to {@link position} when it answers; all of them up to `cursor`.
   * A reader that reaches the position may subscribe from there on without missing or repeating an event.
   */
  replay(view: View, after: number): Promise<{ readonly events: readonly LoggedEvent[]; readonly cursor: number }>
  /** Hands out nothing more. Resolves when the listener is idle. */
  stop(): Promise<void>
}

interface Deps {
  readonly unitOfWork: UnitOfWork
  readonly topics: Topics
  readonly log: Log
}

/** Why the log could not be read. */
interface Failure {
  readonly error: unknown
}

/** Of what is read at a time. */
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

  /** Goes on in another epoch; answers false when its log is not the one that was followed, and begins at its end. */
  const follows = async (current: string): Promise<boolean> => {
    const { known, last } = await unitOfWork.read(async (tx) => ({
      known: isWithin(await tx.epochs.find(epoch), { epoch, position }),
      last: (await tx.events.bounds()).last,
    }))
    epoch = current
    if (!known) position = last
    return known
  }

  /** Reads until the log has nothing more and nothing was notified meanwhile. */
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

  /** Never rejects: most of its callers only want it to happen. */
  const notify = (): Promise<Failure | null> => {
    notified = true
    if (listener === null) return Promise.resolve(null)
    running ??= read(listener)
      .then(
        () => null,
        (error: unknown) => {
          // The next call tries again.
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
      // What was committed before is not to come, and may not have been handed out yet.
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
      // All there was when it was read was at least what the listener had been handed.
      const cursor = complete ? Math.max(reached, before) : Math.min(reached, position)
      return { events: events.filter(sees), cursor }
    },
    async stop() {
      listener = null
      await running
    },
  }
}
