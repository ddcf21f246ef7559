import { type Cursor, isWithin } from '../domain/epoch.ts'
import { AppError } from '../domain/errors.ts'
import type { LoggedEvent } from '../domain/event.ts'
import type { Principal } from '../domain/session.ts'
import { createEventFeed, type FeedListener } from './event-feed.ts'
import { createLiveViews, type LiveViews } from './live-views.ts'
import type { UnitOfWork } from './ports/persistence.ts'
import type { Clock, EventLoopSlices, Log } from './ports/system.ts'
import type { ReadableCollections } from './readable-collections.ts'
import { createReplaying, type Replay, type Replayed } from './replaying.ts'
import type { Audience, FilteredView, LogView, TopicRequest, Topics, View } from './topics.ts'

/** Where a subscription begins, and whether events between the requested position and this one are gone. */
export interface StartPosition {
  readonly position: number
  readonly gap: boolean
}

export interface PresentView {
  readonly view: View
  readonly position: number
}

/** How often a view is read again because definitions have changed meanwhile. */
const MAX_ATTEMPTS_COUNT = 10

/** Follows the log of changes. */
export interface Realtime {
  /** Follows the log from its current end. Call it once. */
  start(listener: FeedListener): Promise<void>
  /** Looks for new events, if anybody listens. Call it after commits. */
  notify(): void
  /** Looks for new events. Call it regularly, for those of other processes. */
  poll(): void
  /** Whether events may have been left unread while nobody listened: who comes first waits for {@link catchUp}. */
  isAsleep(): boolean
  /** The position of the event last passed to the listener; changes in the same step in which it is passed. */
  position(): number
  /** The id of the current epoch, which new cursors contain. */
  epoch(): string
  /** The audiences of an event that follow the log as it is. */
  audiencesOf(event: LoggedEvent): readonly Audience[]
  /** The views of records that have live subscribers. */
  readonly live: Pick<LiveViews, 'changes' | 'outdated' | 'forget'>
  /**
   * What `principal` sees under a topic. Throws `not_found`, `forbidden`, `validation_failed` for a filter.
   */
  view(principal: Principal, request: TopicRequest): Promise<View>
  /**
   * Where to begin for a client that has seen everything up to `after`. A cursor of an unknown epoch, or after the end of
   * its epoch, is a gap, and only new events follow.
   */
  begin(after: Cursor): Promise<StartPosition>
  /**
   * What `principal` sees under a topic, and where to begin for a client that lists it after that. No definition that it
   * depends on changes between this position and the list, because events do not show the effects of such a change. Throws
   * as {@link view}, and `unavailable` if definitions keep changing. Never call it while the feed waits for the caller.
   */
  present(principal: Principal, request: TopicRequest): Promise<PresentView>
  /** Whether the log since a position shows everything that has changed for a view: not if the rule has changed since. */
  canReplay(view: FilteredView, principal: Principal, after: number): Promise<boolean>
  /** Begins to replay a view from a position. */
  follow(view: View, after: number): Replay
  /**
   * Continues with another view of the topic, from a position. Null if the subscriber must list again, because their records
   * cannot be compared.
   */
  renew(replay: Replay, view: View, after: number): Replay | null
  /**
   * The next events of a view, up to {@link position} at the time of the result; complete up to the returned position. A
   * client that has reached {@link position} can switch to live events without missing or repeating any. Null if the
   * definition of the collection has changed: get the view again.
   */
  replay(replay: Replay, after: number): Promise<Replayed | null>
  /**
   * Whether a subscriber that has reached {@link position} may join in this step. If not, call {@link exclusively}, replay
   * to the position, and join.
   */
  mayJoin(replay: Replay): boolean
  /** The audience to join: all subscribers who are sent the same frames. */
  join(replay: Replay): string
  /** Ends what {@link join} began; the subscriber can follow again from {@link position}. */
  leave(view: View): Replay
  /** Resolves when the feed has reached the current end of the log. Never call it while the feed waits for the caller. */
  catchUp(): Promise<void>
  /** Runs `work` while no event is being passed to the listener. */
  exclusively(work: () => Promise<void>): Promise<void>
  /** Delivers no more events. Resolves when the listener is idle. */
  stop(): Promise<void>
}

interface Deps {
  readonly unitOfWork: UnitOfWork
  readonly topics: Topics
  readonly readable: ReadableCollections
  readonly clock: Clock
  readonly slices: EventLoopSlices
  readonly log: Log
}

export const createRealtime = (deps: Deps): Realtime => {
  const { unitOfWork, topics, log } = deps
  const feed = createEventFeed(unitOfWork, log)
  const live = createLiveViews(deps)
  const replaying = createReplaying({ ...deps, feed })

  const replayLog = async ({ scope, sees }: LogView, after: number): Promise<Replayed> => {
    const before = feed.position()
    const { events: found, complete, reached } = await feed.next(scope, after)
    const events = found.filter((event) => event.position <= feed.position())
    const deliveries = events
      .filter(sees)
      .map((event) => ({ position: event.position, answer: { kind: 'logged' as const, event } }))
    if (events.length < found.length) return { deliveries, position: feed.position() }
    // The end of the log at the time of the read is at least the position of the listener.
    return { deliveries, position: complete ? Math.max(reached, before) : Math.min(reached, feed.position()) }
  }

  const catchUp = async (): Promise<void> => {
    const failure = await feed.catchUp()
    if (failure !== null) throw failure.error
  }

  const viewOf = (principal: Principal, request: TopicRequest): Promise<View> =>
    unitOfWork.read((tx) => topics.viewOf(tx, principal, request))

  return {
    async start(listener) {
      await feed.start({
        ...listener,
        onRestored() {
          live.forget()
          listener.onRestored()
        },
      })
    },
    notify: feed.notify,
    poll: () => void feed.catchUp(),
    isAsleep: feed.isAsleep,
    position: feed.position,
    epoch: feed.epoch,
    stop: feed.stop,
    exclusively: feed.exclusively,
    catchUp,
    audiencesOf: topics.audiencesOf,
    live,
    view: viewOf,
    async present(principal, request) {
      for (let attempt = 1; attempt <= MAX_ATTEMPTS_COUNT; attempt++) {
        await catchUp()
        const position = feed.position()
        const view = await viewOf(principal, request)
        if (view.kind === 'log' || (await replaying.canReplay(view, principal, position))) return { view, position }
      }
      throw new AppError('unavailable', 'Definitions are being changed', { retryAfterSeconds: 1 })
    },
    async begin(after) {
      const known = isWithin(await unitOfWork.read((tx) => tx.epochs.find(after.epoch)), after)
      // Events committed before are not new, but may not have been delivered yet.
      if (!known || after.position > feed.position()) await catchUp()
      if (!known || after.position > feed.position()) return { position: feed.position(), gap: true }
      const { removed } = await unitOfWork.read((tx) => tx.events.bounds())
      return { position: Math.max(after.position, Math.min(removed, feed.position())), gap: after.position < removed }
    },
    canReplay: replaying.canReplay,
    follow: (view, after) => replaying.follow(view, after, null),
    renew: replaying.renew,
    replay: (replay, after) =>
      replay.view.kind === 'log' ? replayLog(replay.view, after) : replaying.next(replay, replay.view, after),
    mayJoin: ({ view }) => view.kind === 'log' || !feed.isPreparing(),
    join(replay) {
      const { view, changes } = replay
      return view.kind === 'log' ? view.audience : live.join(view.records, changes?.states ?? null)
    },
    leave(view) {
      if (view.kind === 'records') live.leave(view.records)
      return replaying.follow(view, feed.position(), live.states)
    },
  }
}
