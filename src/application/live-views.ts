import { DEFINITIONS, type LoggedEvent } from '../domain/event.ts'
import type { UnitOfWork } from './ports/persistence.ts'
import type { Clock, EventLoopSlices } from './ports/system.ts'
import type { ReadableCollections } from './readable-collections.ts'
import { createRecordStates, type RecordStates } from './record-states.ts'
import { createViewSet, type RecordView, type ViewSet } from './record-views.ts'
import { type Answer, createViewChanges } from './view-changes.ts'

/** All subscribers who are sent the same frames. */
export interface LiveView {
  readonly topic: string
  readonly audience: string
}

/** Passes on one answer for several audiences. */
export type EmitLive = (views: readonly LiveView[], answer: Answer) => Promise<void> | undefined

/** The views of records that have subscribers in this process, each once. */
export interface LiveViews {
  /** Adds a subscriber who has reached the position of the feed, and returns the audience. */
  join(view: RecordView, replayed: RecordStates | null): string
  /** Removes a subscriber from the audience of a view. */
  leave(view: RecordView): void
  /** The remembered past states, at the position of the feed. */
  readonly states: RecordStates
  /** Finds out what an event changes for the views. Call it with every event, in order. */
  changes(event: LoggedEvent, emit: EmitLive): Promise<void> | undefined
  /**
   * The names of the collections whose views were made by definitions that may have changed, among those that an event
   * concerns.
   */
  outdated(event: LoggedEvent): Promise<readonly string[]> | undefined
  /** Forgets the past, after the data was restored. */
  forget(): void
}

interface Deps {
  readonly unitOfWork: UnitOfWork
  readonly readable: ReadableCollections
  readonly clock: Clock
  readonly slices: EventLoopSlices
}

interface Entry extends LiveView {
  readonly view: RecordView
  subscriberCount: number
}

/** The number of records for which one change of a referenced record is followed live. */
const MAX_FOLLOWED_COUNT = 10_000
const MAX_REPLACED_COUNT = 500

export const createLiveViews = ({ unitOfWork, readable, clock, slices }: Deps): LiveViews => {
  const entries = new Map<string, Entry>()
  const sets = new Map<string, ViewSet>()
  const { storageOf } = readable
  const states = createRecordStates({ unitOfWork, storageOf, maxReplacedCount: MAX_REPLACED_COUNT, position: 0 })
  const changes = createViewChanges({
    unitOfWork,
    clock,
    slices,
    storageOf,
    sets,
    states,
    maxFollowedCount: MAX_FOLLOWED_COUNT,
  })
  let audienceCount = 0

  const setOf = (view: RecordView): ViewSet => {
    const { name } = view.collection
    const known = sets.get(name)
    if (known !== undefined && known.size > 0) return known
    const set = createViewSet(view)
    sets.set(name, set)
    return set
  }

  const liveOf = (views: Iterable<RecordView>): readonly LiveView[] =>
    [...views].flatMap(({ key }) => entries.get(key) ?? [])

  const isOutdated = ({ version }: { readonly version: string }, set: ViewSet): boolean =>
    [...set.all()].some(({ definitions }) => definitions !== version)

  return {
    join(view, replayed) {
      const known = entries.get(view.key)
      const entry = known ?? { view, topic: view.topic, audience: `view/${++audienceCount}`, subscriberCount: 0 }
      entry.subscriberCount++
      if (known === undefined) {
        entries.set(view.key, entry)
        setOf(view).add(view)
      }
      if (replayed !== null) states.adopt(replayed)
      return entry.audience
    },
    leave({ key, collection: { name } }) {
      const entry = entries.get(key)
      if (entry === undefined || --entry.subscriberCount > 0) return
      entries.delete(key)
      const set = sets.get(name)
      set?.delete(entry.view)
      if (set?.size === 0) sets.delete(name)
    },
    changes(event, emit) {
      if (sets.size === 0) {
        states.clear()
        return undefined
      }
      return changes.step(event, (views, answer) => emit(liveOf(views), answer))
    },
    outdated({ kind, position }) {
      const set = sets.get(kind)
      if (set === undefined && kind !== DEFINITIONS) return undefined
      return unitOfWork.read(async (tx) => {
        if ((await tx.events.last()) === position && kind !== DEFINITIONS) return []
        const concerned = set === undefined ? [...sets.values()] : [set]
        const names: string[] = []
        for (const each of concerned) {
          const { name } = each.collection
          const found = await readable.find(tx, name)
          if (found === null || isOutdated(found, each)) names.push(name)
        }
        return names
      })
    },
    states,
    forget: states.clear,
  }
}
