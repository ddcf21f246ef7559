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

/** What a subscriber is sent, and the position that they have reached with it. */
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
  /** The view from before the rights of the subscriber changed, until nothing depends on it any more. */
  former: FilteredView | null
  /** Where that is; null until the records of both views have been compared. */
  formerUntil: number | null
}

interface Deps {
  readonly unitOfWork: UnitOfWork
  readonly readable: ReadableCollections
  readonly clock: Clock
  readonly slices: EventLoopSlices
  readonly feed: ReturnType<typeof createEventFeed>
}

/** For how many records one change is followed in a replay. A subscriber who missed more lists again. */
const MAX_FOLLOWED_COUNT = 10_000
const MAX_REPLACED_COUNT = 500
/** Approximate size of what one event, or a change of rights, may lead to. */
const MAX_CHARACTERS = 4 * 1024 * 1024
/** No more events are read for a subscriber once this much is to be sent. */
const MAX_DELIVERIES_COUNT = 200
/** A subscriber whose view depends on other records lists again if the log has grown by more. */
const MAX_DISTANCE = 20_000

const SET_CHARACTERS = 32

/** Collects the answers to one event. */
const createAnswers = () => {
  let answers: Answer[] = []
  let characters = 0
  return {
    add(_: unknown, answer: Answer): undefined {
      characters += answer.kind === 'record' ? charactersOf(answer.collection, answer.record) : SET_CHARACTERS
      if (characters <= MAX_CHARACTERS && answers[0]?.kind !== 'gap') answers.push(answer)
      else answers = [{ kind: 'gap' }]
    },
    /** The last one completes the event: with an earlier one, the subscriber is still before it. */
    deliveries: (position: number): readonly Delivery[] =>
      answers.map((answer, index) => ({ answer, position: index === answers.length - 1 ? position : position - 1 })),
  }
}

const isSameCondition = (one: RecordView, other: RecordView): boolean =>
  JSON.stringify(one.condition) === JSON.stringify(other.condition)

/** Whether records have the same form in both views. */
const isSameForm = (one: RecordView, other: RecordView): boolean =>
  one.shapes === other.shapes && JSON.stringify(one.collection.fields) === JSON.stringify(other.collection.fields)

export const createReplaying = ({ unitOfWork, readable, clock, slices, feed }: Deps) => {
  const { storageOf } = readable

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

  /** What a change of rights alone changes. */
  const exchange = async (replay: Replay, former: FilteredView, view: FilteredView, after: number) => {
    const answers = createAnswers()
    const { set } = setOf(view.records)
    replay.formerUntil = (await replay.changes?.replace(former.records, set, after, answers.add)) ?? 0
    return { deliveries: answers.deliveries(after).map((each) => ({ ...each, position: after })), position: after }
  }

  /** `continued` is what is remembered of the past if the subscriber has come to this position by following events. */
  const follow = (
    view: View,
    after: number,
    continued: RecordStates | null,
    former: FilteredView | null = null,
  ): Replay => {
    if (view.kind === 'log') return { view, changes: null, former: null, formerUntil: null }
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
      formerView: () => replay.former?.records ?? null,
    })
    const replay: Replay = { view, changes, former, formerUntil: null }
    return replay
  }

  return {
    canReplay: (view: FilteredView, { userId }: Principal, after: number): Promise<boolean> =>
      unitOfWork.read(async (tx) => {
        const isFar = view.scope === 'all' && feed.position() - after > MAX_DISTANCE
        return !isFar && !(await hasChanged(tx, view, userId, after))
      }),

    follow,

    /**
     * Goes on with another view of the topic, from a position. Null if the subscriber has to list again, because what they
     * have cannot be compared.
     */
    renew(replay: Replay, view: View, after: number): Replay | null {
      const from = replay.view
      const states = replay.changes?.states ?? null
      if (view.kind === 'log' || from.kind === 'log') return follow(view, after, states)
      if (!isSameForm(from.records, view.records)) return null
      if (isSameCondition(from.records, view.records)) return follow(view, after, states, replay.former)
      return replay.former === null ? follow(view, after, states, from) : null
    },

    async next(replay: Replay, view: FilteredView, after: number): Promise<Replayed | null> {
      const { changes, former } = replay
      const found = await unitOfWork.read((tx) => readable.find(tx, view.records.collection.name))
      if (changes === null || found?.version !== view.records.definitions) return null
      if (former !== null && replay.formerUntil === null) return exchange(replay, former, view, after)
      const before = feed.position()
      const scope = former?.scope === 'all' ? 'all' : view.scope
      const chunk = await feed.next(scope, after)
      const limit = feed.position()
      const events = chunk.events.filter(({ position }) => position <= limit)
      const isCut = events.length < chunk.events.length
      const reached = chunk.complete ? Math.max(chunk.reached, before) : Math.min(chunk.reached, limit)
      const deliveries: Delivery[] = []
      let position = isCut ? limit : reached
      for (const event of events) {
        const answers = createAnswers()
        await changes.step(event, answers.add)
        // What this event has left to later ones may have been in the former view.
        if (replay.formerUntil !== null && event.position <= replay.formerUntil) {
          replay.formerUntil = Math.max(replay.formerUntil, changes.states.rememberedUntil())
        }
        deliveries.push(...answers.deliveries(event.position))
        if (slices.isOver()) await slices.next()
        if (deliveries.length < MAX_DELIVERIES_COUNT || event === events.at(-1)) continue
        position = event.position
        break
      }
      if (replay.formerUntil !== null && position >= replay.formerUntil) replay.former = null
      return { deliveries, position }
    },
  }
}
