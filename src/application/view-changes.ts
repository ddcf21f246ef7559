import { type Collection, eventName } from '../domain/collection.ts'
import { collectionNamed } from '../domain/collections/index.ts'
import type { LoggedEvent } from '../domain/event.ts'
import type { Expression } from '../domain/expression.ts'
import { bind } from '../domain/expression-binding.ts'
import type { Referenced } from '../domain/expression-evaluation.ts'
import { isDeletion, isErasedRecord, type StoredRecord } from '../domain/record.ts'
import type { UnitOfWork } from './ports/persistence.ts'
import { createLaterEvents, previousOf, type RecordStates } from './record-states.ts'
import type { RecordView, ViewSet } from './record-views.ts'
import { createReferrers, matching } from './referrers.ts'
import type { ReferenceUse } from './view-terms.ts'
import { createViewUses, isSame, leadsTo } from './view-uses.ts'
import { asRecord, createPresentRights, createVisibility, NO_VIEWS, type ViewDeps } from './view-visibility.ts'

/** A message for the subscribers of a view. */
export type Answer =
  /** A record that they may read and that matches, as `created` or `updated`; or one that did, as `deleted`. */
  | { readonly kind: 'record'; readonly event: string; readonly collection: Collection; readonly record: StoredRecord }
  /** A record that they may no longer read, or that no longer matches. */
  | { readonly kind: 'left'; readonly event: string; readonly id: number }
  /** They have to list again, because following each record would cost too much. */
  | { readonly kind: 'gap' }

/** Passes on one message for several views. */
export type Emit = (views: Iterable<RecordView>, answer: Answer) => Promise<void> | undefined

/** Finds out what events change for views. */
export interface ViewChanges {
  /** Call it with every event, in order. Resolves when every view has its messages. */
  step(event: LoggedEvent, emit: Emit): Promise<void> | undefined
  /**
   * Finds out what changes at a position for the only subscriber, who had the former views. Returns the end of the log at
   * that time: records that have changed since the position are left to their own events up to there.
   */
  replace(set: ViewSet, position: number, emit: Emit): Promise<number>
  readonly states: RecordStates
}

/** Pages that are read to find the records that a change of a rule or a role affects. */
const MAX_PAGES_COUNT = 500

/** What happens to a record that a subscriber may no longer read, or that no longer matches. */
export const LEFT = 'left'

export const leftEvent = ({ singular }: Collection): string => `${singular}.${LEFT}`

const without = (views: ReadonlySet<RecordView>, others: ReadonlySet<RecordView>): readonly RecordView[] =>
  [...views].filter((view) => !others.has(view))

interface Deps extends ViewDeps {
  readonly unitOfWork: UnitOfWork
  /** The number of records for which one change of a referenced record, a rule or a role is followed. */
  readonly maxFollowedCount: number
}

const answersFor = (collection: Collection, record: StoredRecord) => ({
  updated: { kind: 'record', event: eventName(collection, 'updated'), collection, record } as const,
  left: { kind: 'left', event: leftEvent(collection), id: record.id } as const,
})

/** The effect of a change on the views that one record is in. */
const createRecordAnswers = (deps: Deps) => {
  const { states, slices } = deps
  const { visible, visibleBefore } = createVisibility(deps)
  const mayRead = createPresentRights(deps)

  return {
    /** The event of the record itself. `since` is the position of the one before. */
    async changed(
      set: ViewSet,
      event: LoggedEvent,
      previous: Referenced | null | undefined,
      since: number,
      emit: Emit,
    ): Promise<void> {
      const { collection } = set
      const { position, data } = event
      const record = asRecord(data)
      const isGone = isDeletion(event.event)
      const after = isGone ? NO_VIEWS : await visible(set.candidates, record, position)
      // If the state before is not in the log, the subscribers who may read the record may have had it.
      const known = previous === undefined ? await mayRead(set, [...set.all()], { ...event, position: -1 }) : null
      const before =
        known ?? (previous == null ? NO_VIEWS : (await visibleBefore(set, asRecord(previous), since, position)).ever)
      const shown = await mayRead(set, [...(isGone ? before : after)], event)
      if (shown.size > 0) await emit(shown, { kind: 'record', event: event.event, collection, record })
      const left = without(before, isGone ? shown : after)
      if (left.length > 0) await emit(left, { kind: 'left', event: leftEvent(collection), id: event.subjectId })
    },

    /** A change of a record that it references. */
    async affected(set: ViewSet, record: StoredRecord, position: number, emit: Emit): Promise<void> {
      const { updated, left } = answersFor(set.collection, record)
      const after = await visible(set.candidates, record, position)
      const since = states.lastEventOf(set.collection.name, record.id)
      const { ever, always } = await visibleBefore(set, record, since, position)
      const shown = await mayRead(set, without(after, always), { position, subjectId: record.id, data: record })
      if (shown.size > 0) await emit(shown, updated)
      const lost = without(ever, after)
      if (lost.length > 0) await emit(lost, left)
    },

    /** A record that was in one view, and may be in another. */
    async exchanged(
      formers: readonly RecordView[],
      set: ViewSet,
      view: RecordView,
      record: StoredRecord,
      position: number,
      emit: Emit,
    ) {
      const { updated, left } = answersFor(set.collection, record)
      const found = await visible(() => [...formers, view], record, position)
      if (found.size > 0 && !found.has(view)) await emit([view], left)
      if (found.size > formers.length || !found.has(view)) return
      const shown = await mayRead(set, [view], { position, subjectId: record.id, data: record })
      if (shown.size > 0) await emit(shown, updated)
      if (slices.isOver()) await slices.next()
    },
  }
}

/** Finds out what changes of referenced records mean for the records of a set. */
const createReferencedChanges = (deps: Deps, answers: ReturnType<typeof createRecordAnswers>) => {
  const { unitOfWork, slices, storageOf, maxFollowedCount, formerViews: formersOf = () => [] } = deps
  const laterEvents = createLaterEvents(unitOfWork)
  const referrers = createReferrers(unitOfWork, storageOf)

  /** Those of these records that are as they were at the position. Others have events of their own. */
  const unchanged = async (collection: string, records: readonly StoredRecord[], position: number) => {
    const ids = records.map(({ id }) => id)
    const changed = await laterEvents(collection, ids, position)
    return records.filter(({ id }) => !changed.has(id))
  }

  /** For the views that depend on other records. */
  const gap = (set: ViewSet, emit: Emit) => {
    const dependent = [...set.all()].filter(({ uses }) => formersOf().length > 0 || uses === null || uses.length > 0)
    return emit(dependent, { kind: 'gap' })
  }

  /** A record that records of the set reference. */
  const changeReferenced = async (set: ViewSet, uses: readonly ReferenceUse[], event: LoggedEvent, emit: Emit) => {
    const seen = new Set<number>()
    let pageCount = 0
    for (const { path } of uses) {
      const found = referrers(set, path, event.subjectId, (collection, records) =>
        unchanged(collection, records, event.position),
      )
      for await (const records of found) {
        // A reference in between may lead to many records that no record of the set references.
        if (++pageCount > maxFollowedCount) return gap(set, emit)
        for (const record of records) {
          if (seen.has(record.id)) continue
          if (seen.size >= maxFollowedCount) return gap(set, emit)
          seen.add(record.id)
          await answers.affected(set, record, event.position, emit)
          if (slices.isOver()) await slices.next()
        }
      }
    }
  }

  return { unchanged, gap, changeReferenced }
}

export const createViewChanges = (deps: Deps): ViewChanges => {
  const { unitOfWork, clock, sets, states, maxFollowedCount, formerViews: formersOf = () => [] } = deps
  const { usesOf, setsReading, replacedKeys } = createViewUses(deps)
  const answers = createRecordAnswers(deps)
  const { unchanged, gap, changeReferenced } = createReferencedChanges(deps, answers)
  const lastPosition = (): Promise<number> => unitOfWork.read((tx) => tx.events.last())

  /** Whether the log no longer has what was deleted, because the account of its owner was deleted too. */
  const isErased = ({ kind, event, data, previous }: LoggedEvent): boolean => {
    if (!isDeletion(event) || previous !== undefined) return false
    const builtIn = collectionNamed(kind)
    return builtIn === null || isErasedRecord(builtIn, data)
  }

  const follow = async (event: LoggedEvent, reading: readonly ViewSet[], emit: Emit): Promise<void> => {
    const previous = await previousOf(unitOfWork.read, event)
    const since = states.advance(event, previous ?? null, reading.length > 0)
    if (states.forgetIfTooMuch()) for (const set of sets.values()) await gap(set, emit)
    const own = sets.get(event.kind)
    const wasErased = isErased(event)
    if (own !== undefined && wasErased) await emit(own.all(), { kind: 'gap' })
    else if (own !== undefined) await answers.changed(own, event, previous, since, emit)
    const state = isDeletion(event.event) ? null : event.data
    const followed = new Set<string>()
    for (const set of reading) {
      const uses = usesOf(set)
      if (uses === null) await gap(set, emit)
      const leading = uses?.filter((use) => leadsTo(use, event.kind))
      const behind = uses?.flatMap((use) => replacedKeys(use, event, previous ?? null, since)) ?? []
      for (const key of behind) followed.add(key)
      const changed = leading?.filter(({ members }) => behind.length > 0 || !isSame(previous ?? null, state, members))
      const isUnknown = wasErased || previous === undefined
      if (isUnknown && leading !== undefined && leading.length > 0) await gap(set, emit)
      else if (changed !== undefined && changed.length > 0) await changeReferenced(set, changed, event, emit)
    }
    if (reading.length > 0) states.rememberUntil(await lastPosition(), followed)
  }

  return {
    states,
    step(event, emit) {
      const reading = setsReading(event.kind)
      if (reading.length > 0 || sets.has(event.kind)) return follow(event, reading, emit)
      states.advance(event, null, false)
      return undefined
    },
    async replace(set, position, emit) {
      const [view] = set.all()
      let left = maxFollowedCount
      let pagesLeft = MAX_PAGES_COUNT
      if (view !== undefined) {
        const formers = formersOf()
        const any = formers.reduce<Expression>(
          (left, { condition }) => ({ kind: 'or', left, right: condition }),
          view.condition,
        )
        const condition = bind(any, { auth: null, now: clock.now() })
        for await (const page of matching(unitOfWork, set.storage, condition)) {
          const records = await unchanged(set.collection.name, page, position)
          left -= records.length
          pagesLeft--
          if (left < 0 || pagesLeft < 0) {
            await emit([view], { kind: 'gap' })
            break
          }
          for (const record of records) await answers.exchanged(formers, set, view, record, position, emit)
        }
      }
      return lastPosition()
    },
  }
}
