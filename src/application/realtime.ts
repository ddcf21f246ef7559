import type { LoggedEvent } from '../domain/event.ts'
import type { Principal } from '../domain/session.ts'
import type { UnitOfWork } from './ports/persistence.ts'
import type { Log } from './ports/system.ts'
import { type View, viewOf } from './topics.ts'

export interface FeedListener {
  /** Hears each event once, in order. The next one comes when what it answers has settled. */
  hear(event: LoggedEvent): Promise<void> | undefined
  /** All that was in the log was heard. It is read again when what this answers has settled. */
  rest(): Promise<void> | undefined
}

/** Where a subscription begins, and whether events between the place it asked for and this one are gone. */
export interface Beginning {
  readonly cursor: number
  readonly gap: boolean
}

/** The log of changes as it grows. */
export interface Realtime {
  /** Reads on from the log's present end. To be called once. */
  start(listener: FeedListener): Promise<void>
  /** Looks for events. To be called after commits, and now and then for those of other processes. */
  wake(): void
  /** The cursor of the event the listener was handed last; changes in the same step in which it is handed. */
  position(): number
  /** What `principal` sees by a topic. Throws `not_found`, `forbidden`. */
  view(principal: Principal, topic: string, after?: number | null): Promise<View>
  /** Where to begin for someone who has seen everything up to `after`, or wants only what is to come. */
  begin(after: number | null): Promise<Beginning>
  /**
   * The next events of a view, up to {@link position} when it answers; all of them up to `cursor`.
   * Whoever reaches the position may listen from there on, and misses nothing and hears nothing twice.
   */
  replay(view: View, after: number): Promise<{ readonly events: readonly LoggedEvent[]; readonly cursor: number }>
  /** Hands out nothing more. Resolves when the listener is at rest. */
  stop(): Promise<void>
}

interface Deps {
  readonly unitOfWork: UnitOfWork
  readonly log: Log
}

/** Why the log could not be read. */
interface Failure {
  readonly error: unknown
}

const CHUNK = 200

export const createRealtime = ({ unitOfWork, log }: Deps): Realtime => {
  let position = 0
  let listener: FeedListener | null = null
  let called = false
  let running: Promise<Failure | null> | null = null

  /** Reads until the log has nothing more and nobody called meanwhile. */
  const read = async ({ hear, rest }: FeedListener): Promise<void> => {
    for (let more = true; more || called; ) {
      called = false
      const events = await unitOfWork.read((tx) => tx.events.list({ scope: 'all', after: position, limit: CHUNK }))
      for (const event of events) {
        if (listener === null) return
        position = event.cursor
        const heard = hear(event)
        if (heard !== undefined) await heard
      }
      more = events.length === CHUNK
      const rested = more ? undefined : rest()
      if (rested !== undefined) await rested
    }
  }

  /** Never rejects: most of its callers only want it to happen. */
  const wake = (): Promise<Failure | null> => {
    called = true
    if (listener === null) return Promise.resolve(null)
    running ??= read(listener)
      .then(
        () => null,
        (error: unknown) => {
          // The next call tries again.
          called = false
          log.warn('the log of changes could not be read', { error })
          return { error }
        },
      )
      .finally(() => {
        running = null
        if (called) void wake()
      })
    return running
  }

  return {
    async start(to) {
      const { last } = await unitOfWork.read((tx) => tx.events.bounds())
      position = last
      listener = to
      await wake()
    },
    wake: () => void wake(),
    position: () => position,
    view: (principal, topic, after = null) => unitOfWork.read((tx) => viewOf(tx, principal, topic, after)),
    async begin(after) {
      // What was committed before is not to come, and may not have been handed out yet.
      const failure = after === null || after > position ? await wake() : null
      if (failure !== null) throw failure.error
      if (after === null) return { cursor: position, gap: false }
      const { removed } = await unitOfWork.read((tx) => tx.events.bounds())
      // A cursor from the future is from another life of this database: nothing is known of what it has missed.
      if (after > position) return { cursor: position, gap: true }
      return { cursor: Math.max(after, Math.min(removed, position)), gap: after < removed }
    },
    async replay({ scope, sees }, after) {
      const before = position
      const found = await unitOfWork.read((tx) => tx.events.list({ scope, after, limit: CHUNK }))
      const events = found.filter((event) => event.cursor <= position)
      const last = events.at(-1)?.cursor ?? after
      if (events.length < found.length) return { events: events.filter(sees), cursor: position }
      // A short answer holds all there was when it was read, and that was at least what the listener had been handed.
      return { events: events.filter(sees), cursor: found.length < CHUNK ? Math.max(last, before) : last }
    },
    async stop() {
      listener = null
      await running
    },
  }
}
