import { type Collection, eventName } from '../domain/collection.ts'
import type { LoggedEvent } from '../domain/event.ts'
import type { Expression } from '../domain/expression.ts'
import { bind } from '../domain/expression-binding.ts'
import { type Environment, holds, type Referenced } from '../domain/expression-evaluation.ts'
import { isDeletion, type StoredRecord } from '../domain/record.ts'
import type { ReadTx, UnitOfWork } from './ports/persistence.ts'
import type { Clock, EventLoopSlices } from './ports/system.ts'
import {
  firstEventAfter,
  type RecordStates,
  readNow,
  type Subject,
  type Subjects,
  subjectKey,
} from './record-states.ts'
import type { RecordView, ViewSet } from './record-views.ts'
import { createReferrers, matching, type StorageOf } from './referrers.ts'
import type { ReferenceUse } from './view-terms.ts'

/** What the subscribers of a view are sent. */
export type Answer =
  /** A record that they may read and that matches, as `created` or `updated`; or that did, as `deleted`. */
  | { readonly kind: 'record'; readonly event: string; readonly collection: Collection; readonly record: StoredRecord }
  /** A record that they may no longer read, or that no longer matches. */
  | { readonly kind: 'left'; readonly event: string; readonly id: number }
  /** They have to list again, because following each record would cost too much. */
  | { readonly kind: 'gap' }

/** Passes on one answer for several views. */
export type Emit = (views: Iterable<RecordView>, answer: Answer) => Promise<void> | undefined

/** Sets of views by the names of their collections. */
export type ViewSets = ReadonlyMap<string, ViewSet>

/** Finds out what events change for views. */
export interface ViewChanges {
  /** Call it with every event, in order. Resolves when every view has its answers. */
  step(event: LoggedEvent, emit: Emit): Promise<void> | undefined
  /**
   * What changes at a position for the only subscriber if they had the view `former` before. Returns the end of the log at
   * that time: records that have changed since the position are left to their own events up to there.
   */
  replace(former: RecordView, set: ViewSet, position: number, emit: Emit): Promise<number>
  readonly states: RecordStates
}

interface Deps {
  readonly unitOfWork: UnitOfWork
  readonly clock: Clock
  readonly slices: EventLoopSlices
  readonly storageOf: StorageOf
  readonly sets: ViewSets
  readonly states: RecordStates
  /** For how many records one change of a referenced record, a rule or a role is followed. */
  readonly maxFollowedCount: number
  /** The view that the only subscriber had before their rights changed, until they have the list of the present one. */
  readonly formerView?: () => RecordView | null
}

const NONE: ReadonlySet<RecordView> = new Set()
/** States of references under which a record was visible before a change. */
const MAX_SNAPSHOTS_COUNT = 64
const MAX_HISTORY_COUNT = 200
/** Pages that are read to find the records that a change of a rule or a role concerns. */
const MAX_PAGES_COUNT = 500

/** What happens to a record that a subscriber may no longer read, or that no longer matches. */
export const LEFT = 'left'

export const leftEvent = ({ singular }: Collection): string => `${singular}.${LEFT}`

const union = (one: ReadonlySet<RecordView>, other: ReadonlySet<RecordView>): ReadonlySet<RecordView> =>
  other.size === 0 ? one : new Set([...one, ...other])

const without = (views: ReadonlySet<RecordView>, others: ReadonlySet<RecordView>): readonly RecordView[] =>
  [...views].filter((view) => !others.has(view))

/** The log and the collections write only records. */
const asRecord = (state: Referenced): StoredRecord => state as StoredRecord

/** The members of referenced records that rules and filters name, as the log has them. */
const LOGGED_NAMES: ReadonlyMap<string, string> = new Map([
  ['owner_id', 'ownerId'],
  ['created_at', 'createdAt'],
  ['updated_at', 'updatedAt'],
])

const isSame = (one: Referenced | null, other: Referenced | null, members: Iterable<string>): boolean => {
  if (one === null || other === null) return one === other
  for (const member of members) {
    const name = LOGGED_NAMES.get(member) ?? member
    if (JSON.stringify(one[name] ?? null) !== JSON.stringify(other[name] ?? null)) return false
  }
  return true
}

/** Where a reference leads, if its last record is of this collection. */
const leadsTo = ({ path }: ReferenceUse, target: string): boolean => path.at(-1)?.target === target

/**
 * The subject before the change; undefined if the log does not tell, which only knows it of collections defined at run
 * time.
 */
const previousOf = async (unitOfWork: UnitOfWork, event: LoggedEvent): Promise<Referenced | null | undefined> => {
  if (event.previous) return event.previous
  if (isDeletion(event.event)) return event.data
  if (event.previous === null || event.event.endsWith('.created')) return null
  const scope = { kind: event.kind, subjectId: event.subjectId }
  const query = { scope, after: 0, maxCount: MAX_HISTORY_COUNT, maxBytes: Number.MAX_SAFE_INTEGER }
  const { events } = await unitOfWork.read((tx) => tx.events.chunk(query))
  const at = events.findIndex(({ position }) => position === event.position)
  return at > 0 ? events[at - 1]?.data : undefined
}

/** Which views a record is in. */
const createVisibility = ({ states, clock, slices, formerView }: Deps) => {
  /** The views whose condition holds for a record, as its references were at a position. */
  const visible = async (
    candidates: (environment: Environment) => Iterable<RecordView>,
    record: StoredRecord,
    position: number,
    touched = new Set<string>(),
  ): Promise<ReadonlySet<RecordView>> => {
    const missing: Subjects = new Map()
    const environment: Environment = {
      record,
      now: clock.now(),
      referenced(target, id) {
        const key = subjectKey(target, id)
        touched.add(key)
        const state = states.at(target, id, position)
        if (state === undefined) missing.set(key, { target, id })
        return state
      },
    }
    const loaded = async <T>(work: () => T): Promise<T> => {
      for (;;) {
        missing.clear()
        const result = work()
        if (missing.size === 0) return result
        await states.load(missing)
      }
    }
    const found = new Set<RecordView>()
    for (const view of await loaded(() => candidates(environment))) {
      if (await loaded(() => holds(view.condition, environment))) found.add(view)
      if (slices.isOver()) await slices.next()
    }
    return found
  }

  /**
   * Those that the record was in at some time since its last event (`ever`), and those it was in all the time (`always`).
   * The subscribers of a view may have it if it was there when they last learned of a change; that is one of these times.
   */
  const visibleBefore = async (set: ViewSet, record: StoredRecord, since: number, position: number) => {
    const former = formerView?.() ?? null
    const candidates = former === null ? set.candidates : () => [former, ...set.all()]
    const touched = new Set<string>()
    const snapshots = new Set([position - 1])
    let ever = NONE
    let always: ReadonlySet<RecordView> | null = null
    for (const snapshot of snapshots) {
      const views = await visible(candidates, record, snapshot, touched)
      ever = union(ever, views)
      always = always === null ? views : always.intersection(views)
      for (const replaced of states.replacementsOf(touched, since)) {
        if (replaced <= position && snapshots.size < MAX_SNAPSHOTS_COUNT) snapshots.add(replaced - 1)
      }
    }
    if (former === null) return { ever, always: always ?? NONE }
    // What was in the former view may be in the list of the subscriber to the present one.
    return { ever: ever.size === 0 ? NONE : new Set(set.all()), always: NONE }
  }

  return { visible, visibleBefore }
}

/** Whether subscribers may read a record now: it and its references may have changed since the event. */
const createPresentRights = ({ unitOfWork, clock, storageOf }: Deps, states: RecordStates) => {
  /** The record now; as it was last if it is gone. */
  const latest = (set: ViewSet, { position, subjectId, data }: Pick<LoggedEvent, 'position' | 'subjectId' | 'data'>) =>
    unitOfWork.read(async (tx) => {
      const { last } = await tx.events.bounds()
      if (last === position) return null
      const [row] = await tx.records(set.storage).findAll([subjectId])
      if (row !== undefined) return { record: row, isGone: false }
      const scope = { kind: set.collection.name, subjectId }
      const query = { scope, after: position, maxCount: MAX_HISTORY_COUNT, maxBytes: Number.MAX_SAFE_INTEGER }
      const { events } = await tx.events.chunk(query)
      return { record: asRecord(events.at(-1)?.data ?? data), isGone: true }
    })

  return async (
    set: ViewSet,
    views: readonly RecordView[],
    event: Pick<LoggedEvent, 'position' | 'subjectId' | 'data'>,
  ): Promise<ReadonlySet<RecordView>> => {
    if (views.length === 0) return NONE
    const now = await latest(set, event)
    if (now === null) return new Set(views)
    const known = new Map<string, Referenced | null>()
    const missing: Subjects = new Map()
    const environment: Environment = {
      record: now.record,
      now: clock.now(),
      referenced(target, id) {
        const key = subjectKey(target, id)
        const state = known.get(key)
        if (state === undefined) missing.set(key, { target, id })
        // What a deleted record referred to may have been deleted with it.
        return state === null && now.isGone ? (states.at(target, id, event.position - 1) ?? null) : state
      },
    }
    const allowed = new Set<RecordView>()
    for (const view of views) {
      for (;;) {
        missing.clear()
        const isAllowed = holds(view.rule, environment)
        if (isAllowed && missing.size === 0) allowed.add(view)
        if (missing.size === 0) break
        const found = await unitOfWork.read((tx) => readNow(tx, missing, storageOf))
        for (const [key, state] of found) known.set(key, state)
      }
    }
    return allowed
  }
}

/** Which of these subjects have events after a position. */
const createLaterEvents =
  (unitOfWork: UnitOfWork) =>
  (target: string, ids: readonly number[], position: number): Promise<ReadonlySet<number>> =>
    unitOfWork.read(async (tx) => {
      const later = new Set<number>()
      const { last } = await tx.events.bounds()
      if (last === position) return later
      for (const id of ids) {
        const subject: Subject = { target, id }
        if ((await firstEventAfter(tx, subject, position)) !== null) later.add(id)
      }
      return later
    })

export const createViewChanges = (deps: Deps): ViewChanges => {
  const { unitOfWork, clock, slices, storageOf, sets, states, maxFollowedCount } = deps
  const { visible, visibleBefore } = createVisibility(deps)
  const mayRead = createPresentRights(deps, states)
  const laterEvents = createLaterEvents(unitOfWork)
  const referrers = createReferrers(unitOfWork, storageOf)
  const lastPosition = (): Promise<number> => unitOfWork.read(async (tx: ReadTx) => (await tx.events.bounds()).last)

  /** The event of a record itself. */
  const changeRecord = async (
    set: ViewSet,
    event: LoggedEvent,
    previous: Referenced | null | undefined,
    since: number,
    emit: Emit,
  ): Promise<void> => {
    const { collection } = set
    const { position, subjectId: id, data } = event
    const record = asRecord(data)
    const isGone = isDeletion(event.event)
    const after = isGone ? NONE : await visible(set.candidates, record, position)
    // Where the log does not tell, the subscribers who may read the record may have had it.
    const known = previous === undefined ? await mayRead(set, [...set.all()], { ...event, position: -1 }) : null
    const before =
      known ?? (previous == null ? NONE : (await visibleBefore(set, asRecord(previous), since, position)).ever)
    const shown = await mayRead(set, [...(isGone ? before : after)], event)
    if (shown.size > 0) await emit(shown, { kind: 'record', event: event.event, collection, record })
    const left = without(before, isGone ? shown : after)
    if (left.length > 0) await emit(left, { kind: 'left', event: leftEvent(collection), id })
  }

  /** A change that is not of the record itself. */
  const changeOther = async (set: ViewSet, record: StoredRecord, position: number, emit: Emit): Promise<void> => {
    const { collection } = set
    const after = await visible(set.candidates, record, position)
    const since = states.lastEventOf(collection.name, record.id)
    const { ever, always } = await visibleBefore(set, record, since, position)
    const added = without(after, always)
    const shown = await mayRead(set, added, { position, subjectId: record.id, data: record })
    const event = eventName(collection, 'updated')
    if (shown.size > 0) await emit(shown, { kind: 'record', event, collection, record })
    const left = without(ever, after)
    if (left.length > 0) await emit(left, { kind: 'left', event: leftEvent(collection), id: record.id })
  }

  /** A record that was in one view, and may be in another. */
  const exchange = async (
    former: RecordView,
    view: RecordView,
    record: StoredRecord,
    position: number,
    emit: Emit,
  ): Promise<void> => {
    const { collection } = view
    const found = await visible(() => [former, view], record, position)
    if (found.has(former) && !found.has(view)) {
      await emit([view], { kind: 'left', event: leftEvent(collection), id: record.id })
    } else if (found.has(view) && !found.has(former)) {
      await emit([view], { kind: 'record', event: eventName(collection, 'updated'), collection, record })
    }
    if (slices.isOver()) await slices.next()
  }

  /** Those of these records that are as they were at the position. Others have events of their own. */
  const unchanged = async (collection: string, records: readonly StoredRecord[], position: number) => {
    const ids = records.map(({ id }) => id)
    const changed = await laterEvents(collection, ids, position)
    return records.filter(({ id }) => !changed.has(id))
  }

  const gap = (set: ViewSet, emit: Emit) =>
    emit(
      [...set.all()].filter(({ uses }) => uses === null || uses.length > 0),
      { kind: 'gap' },
    )

  /** A record that records of the set refer to. */
  const changeReferenced = async (set: ViewSet, uses: readonly ReferenceUse[], event: LoggedEvent, emit: Emit) => {
    const seen = new Set<number>()
    for (const { path } of uses) {
      const found = referrers(set, path, event.subjectId, (collection, records) =>
        unchanged(collection, records, event.position),
      )
      for await (const records of found) {
        for (const record of records) {
          if (seen.has(record.id)) continue
          if (seen.size >= maxFollowedCount) return gap(set, emit)
          seen.add(record.id)
          await changeOther(set, record, event.position, emit)
          if (slices.isOver()) await slices.next()
        }
      }
    }
  }

  /** The sets with views that read records of this collection. */
  const setsReading = (kind: string): readonly ViewSet[] =>
    [...sets.values()].filter((set) => set.uses()?.some((use) => leadsTo(use, kind)) ?? set.collection.name !== kind)

  const follow = async (event: LoggedEvent, reading: readonly ViewSet[], emit: Emit): Promise<void> => {
    const previous = await previousOf(unitOfWork, event)
    const since = states.advance(event, previous ?? null, reading.length > 0)
    if (states.forgetIfTooMuch()) for (const set of sets.values()) await gap(set, emit)
    const own = sets.get(event.kind)
    if (own !== undefined) await changeRecord(own, event, previous, since, emit)
    const state = isDeletion(event.event) ? null : event.data
    for (const set of reading) {
      const uses = set.uses()
      if (uses === null) await gap(set, emit)
      const changed = uses?.filter((use) => leadsTo(use, event.kind) && !isSame(previous ?? null, state, use.members))
      if (changed !== undefined && changed.length > 0) await changeReferenced(set, changed, event, emit)
    }
    if (reading.length > 0) states.rememberUntil(await lastPosition())
  }

  return {
    states,
    step(event, emit) {
      const reading = setsReading(event.kind)
      if (reading.length > 0 || sets.has(event.kind)) return follow(event, reading, emit)
      states.advance(event, null, false)
      return undefined
    },
    async replace(former, set, position, emit) {
      const [view] = set.all()
      let left = maxFollowedCount
      let pagesLeft = MAX_PAGES_COUNT
      if (view !== undefined) {
        const either: Expression = { kind: 'or', left: former.condition, right: view.condition }
        const condition = bind(either, { auth: null, now: clock.now() })
        for await (const page of matching(unitOfWork, set.storage, condition)) {
          const records = await unchanged(set.collection.name, page, position)
          left -= records.length
          pagesLeft--
          if (left < 0 || pagesLeft < 0) {
            await emit([view], { kind: 'gap' })
            break
          }
          for (const record of records) await exchange(former, view, record, position, emit)
        }
      }
      return lastPosition()
    },
  }
}
