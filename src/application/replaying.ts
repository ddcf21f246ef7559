import { DEFINITIONS, type LoggedEvent, USERS } from '../domain/event.ts'
import { charactersOf } from '../domain/record.ts'
import type { Principal } from '../domain/session.ts'
import type { createEventFeed } from './event-feed.ts'
import type { ReadTx, UnitOfWork } from './ports/persistence.ts'
import type { Clock, EventLoopSlices } from './ports/system.ts'
import type { ReadableCollections } from './readable-collections.ts'
import { createRecordStates, firstEventAfter, type RecordStates } from './record-states.ts'
import { createViewSet, type RecordView, type ViewSet } from './record-views.ts'
import type { FilteredView, View } from './topics.ts'
import { type Answer, createViewChanges, type ViewChanges } from './view-changes.ts'

/** The frames for a subscriber, and the position that they reach with them. */
export interface Delivery {
  readonly position: number
  readonly answer: Answer | { readonly kind: 'logged'; readonly event: LoggedEvent }
}

export interface Replayed {
  readonly deliveries: readonly Delivery[]
  readonly position: number
}

/** The progress of one subscriber on the way to live events. */
export interface Replay {
  readonly view: View
  /** Null for views of the log itself. */
  readonly changes: ViewChanges | null
  /** The views from before the rights of the subscriber changed, until nothing depends on them. */
  formers: readonly FilteredView[]
  /** Where that is; null until the records of all these views have been compared. */
  formerUntil: number | null
}

interface Deps {
  readonly unitOfWork: UnitOfWork
  readonly readable: ReadableCollections
  readonly clock: Clock
  readonly slices: EventLoopSlices
  readonly feed: ReturnType<typeof createEventFeed>
}

/** The number of records for which one change is followed in a replay. A subscriber who missed more lists again. */
const MAX_FOLLOWED_COUNT = 10_000
const MAX_REPLACED_COUNT = 500
/** Approximate size of the frames for one event or change of rights. */
const MAX_CHARACTERS = 4 * 1024 * 1024
/** Changes of rights after which a subscriber lists again, because none of them could be followed before the next one. */
const MAX_FORMERS_COUNT = 4
/** No more events are read for a subscriber once this much is to be sent. */
const MAX_DELIVERIES_COUNT = 200
/** A subscriber whose view depends on other records lists again if the log has grown by more. */
const MAX_DISTANCE = 20_000

const SET_CHARACTERS = 32

/** Collects the frames for one event. */
const createAnswers = () => {
  let answers: Answer[] = []
  let characters = 0
  return {
    add(_: unknown, answer: Answer): undefined {
      characters += answer.kind === 'record' ? charactersOf(answer.collection, answer.record) : SET_CHARACTERS
      if (characters <= MAX_CHARACTERS && answers[0]?.kind !== 'gap') answers.push(answer)
      else answers = [{ kind: 'gap' }]
    },
    /** The last frame completes the event: after an earlier one, the subscriber is still before it. */
    deliveries: (position: number): readonly Delivery[] =>
      answers.map((answer, index) => ({ answer, position: index === answers.length - 1 ? position : position - 1 })),
  }
}

/** Of several gaps in a row, only the last one matters. */
const addDeliveries = (to: Delivery[], added: readonly Delivery[]): void => {
  if (added[0]?.answer.kind === 'gap' && to.at(-1)?.answer.kind === 'gap') to.pop()
  to.push(...added)
}

const isSameCondition = (one: RecordView, other: RecordView): boolean =>
  JSON.stringify(one.condition) === JSON.stringify(other.condition)

/** Whether records have the same form in both views. */
const isSameForm = (one: RecordView, other: RecordView): boolean =>
  one.shapes === other.shapes && JSON.stringify(one.collection.fields) === JSON.stringify(other.collection.fields)

const setOf = (view: RecordView): { readonly set: ViewSet; readonly sets: ReadonlyMap<string, ViewSet> } => {
  const set = createViewSet(view)
  set.add(view)
  return { set, sets: new Map([[view.collection.name, set]]) }
}

/** Whether a definition or the user has changed since a position. */
const hasChanged = async (tx: ReadTx, { definitionIds }: FilteredView, userId: number, after: number) => {
  for (const id of definitionIds) {
    if ((await firstEventAfter(tx, { target: DEFINITIONS, id }, after)) !== null) return true
  }
  return (await firstEventAfter(tx, { target: USERS, id: userId }, after)) !== null
}

/**
 * Begins to follow events for a view. `continued` has the remembered past states if the subscriber has reached this
 * position by following events.
 */
const createFollow =
  ({ unitOfWork, readable: { storageOf }, clock, slices }: Omit<Deps, 'feed'>) =>
  (view: View, after: number, continued: RecordStates | null, formers: readonly FilteredView[] = []): Replay => {
    if (view.kind === 'log') return { view, changes: null, formers: [], formerUntil: null }
    const { sets } = setOf(view.records)
    const states = createRecordStates({ unitOfWork, storageOf, maxReplacedCount: MAX_REPLACED_COUNT, position: after })
    if (continued !== null) states.adopt(continued)
    const changes = createViewChanges({
      unitOfWork,
      clock,
      slices,
      storageOf,
      sets,
      states,
      maxFollowedCount: MAX_FOLLOWED_COUNT,
      formerViews: () => replay.formers.map(({ records }) => records),
    })
    const replay: Replay = { view, changes, formers, formerUntil: null }
    return replay
  }

export const createReplaying = (deps: Deps) => {
  const { unitOfWork, readable, slices, feed } = deps
  const follow = createFollow(deps)

  /** Whether the view is that of the current definition of its collection. */
  const isCurrent = async ({ records: { collection, definitions } }: FilteredView): Promise<boolean> => {
    const found = await unitOfWork.read((tx) => readable.find(tx, collection.name))
    return found?.version === definitions
  }

  /** The effects of a change of rights alone. */
  const exchange = async (replay: Replay, view: FilteredView, after: number) => {
    const answers = createAnswers()
    const { set } = setOf(view.records)
    replay.formerUntil = (await replay.changes?.replace(set, after, answers.add)) ?? 0
    return { deliveries: answers.deliveries(after).map((each) => ({ ...each, position: after })), position: after }
  }

  return {
    canReplay: (view: FilteredView, { userId }: Principal, after: number): Promise<boolean> =>
      unitOfWork.read(async (tx) => {
        const isFar = view.scope === 'all' && feed.position() - after > MAX_DISTANCE
        return !isFar && !(await hasChanged(tx, view, userId, after))
      }),

    follow,

    /**
     * Continues with another view of the topic, from a position. Null if the subscriber must list again, because what they
     * have cannot be compared.
     */
    renew(replay: Replay, view: View, after: number): Replay | null {
      const from = replay.view
      const states = replay.changes?.states ?? null
      if (view.kind === 'log' || from.kind === 'log') return follow(view, after, states)
      if (!isSameForm(from.records, view.records)) return null
      if (isSameCondition(from.records, view.records)) return follow(view, after, states, replay.formers)
      return replay.formers.length < MAX_FORMERS_COUNT ? follow(view, after, states, [...replay.formers, from]) : null
    },

    async next(replay: Replay, view: FilteredView, after: number): Promise<Replayed | null> {
      const { changes } = replay
      if (changes === null) return null
      if (replay.formers.length > 0 && replay.formerUntil === null) {
        return (await isCurrent(view)) ? exchange(replay, view, after) : null
      }
      if (replay.formerUntil !== null && after >= replay.formerUntil) replay.formers = []
      const before = feed.position()
      const scope = replay.formers.some((former) => former.scope === 'all') ? 'all' : view.scope
      const chunk = await feed.next(scope, after)
      // After the log was read, so that the change of a definition is known with all events up to it: the feed may have
      // passed it already, and would not notice that this view is outdated.
      if (!(await isCurrent(view))) return null
      const limit = feed.position()
      const events = chunk.events.filter(({ position }) => position <= limit)
      const isCut = events.length < chunk.events.length
      const reached = chunk.complete ? Math.max(chunk.reached, before) : Math.min(chunk.reached, limit)
      const deliveries: Delivery[] = []
      let position = isCut ? limit : reached
      for (const event of events) {
        const answers = createAnswers()
        await changes.step(event, answers.add)
        // Records that this event leaves to later ones may have been in the former view.
        if (replay.formerUntil !== null && event.position <= replay.formerUntil) {
          replay.formerUntil = Math.max(replay.formerUntil, changes.states.rememberedUntil())
        }
        addDeliveries(deliveries, answers.deliveries(event.position))
        if (slices.isOver()) await slices.next()
        if (deliveries.length < MAX_DELIVERIES_COUNT || event === events.at(-1)) continue
        position = event.position
        break
      }
      return { deliveries, position }
    },
  }
}
