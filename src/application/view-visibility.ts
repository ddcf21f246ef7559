import type { LoggedEvent } from '../domain/event.ts'
import { type Environment, isTrue, type Referenced } from '../domain/expression-evaluation.ts'
import type { StoredRecord } from '../domain/record.ts'
import type { UnitOfWork } from './ports/persistence.ts'
import type { Clock, EventLoopSlices } from './ports/system.ts'
import { type RecordStates, readNow, type Subjects, subjectKey } from './record-states.ts'
import type { RecordView, ViewSet } from './record-views.ts'
import type { StorageOf } from './referenced-rows.ts'

/** Sets of views by the names of their collections. */
export type ViewSets = ReadonlyMap<string, ViewSet>

/** The input of the evaluation of views. */
export interface ViewDeps {
  readonly unitOfWork: UnitOfWork
  readonly clock: Clock
  readonly slices: EventLoopSlices
  readonly storageOf: StorageOf
  readonly sets: ViewSets
  readonly states: RecordStates
  /** The views that the only subscriber had before their rights changed, until they have the list of the current one. */
  readonly formerViews?: () => readonly RecordView[]
}

export const NO_VIEWS: ReadonlySet<RecordView> = new Set()
/** States of references under which a record was visible before a change. */
const MAX_SNAPSHOTS_COUNT = 64
/** How many events of a deleted record are searched for its last state. */
const MAX_HISTORY_COUNT = 200

const union = (one: ReadonlySet<RecordView>, other: ReadonlySet<RecordView>): ReadonlySet<RecordView> =>
  other.size === 0 ? one : new Set([...one, ...other])

/** The log and the collections write only records. */
export const asRecord = (state: Referenced): StoredRecord => state as StoredRecord

/** Which views a record is in. */
export const createVisibility = ({ states, clock, slices, formerViews: formersOf = () => [] }: ViewDeps) => {
  /** The views whose condition a record meets, with its references as of a position. */
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
      if (await loaded(() => isTrue(view.condition, environment))) found.add(view)
      if (slices.isOver()) await slices.next()
    }
    return found
  }

  /**
   * The views that the record was in at some time since its last event (`ever`), and all that time (`always`). The
   * subscribers of a view may have the record if it was there at their last notification, which is one of these times.
   */
  const visibleBefore = async (set: ViewSet, record: StoredRecord, since: number, position: number) => {
    const formers = formersOf()
    const candidates = formers.length === 0 ? set.candidates : () => [...formers, ...set.all()]
    const touched = new Set<string>()
    const snapshots = new Set([position - 1])
    let ever = NO_VIEWS
    let always: ReadonlySet<RecordView> | null = null
    for (const snapshot of snapshots) {
      const views = await visible(candidates, record, snapshot, touched)
      ever = union(ever, views)
      always = always === null ? views : always.intersection(views)
      for (const replaced of states.replacementsOf(touched, since)) {
        if (replaced <= position && snapshots.size < MAX_SNAPSHOTS_COUNT) snapshots.add(replaced - 1)
      }
    }
    if (formers.length === 0) return { ever, always: always ?? NO_VIEWS }
    // Records of a former view may be in the list of the subscriber to the current one.
    return { ever: ever.size === 0 ? NO_VIEWS : new Set(set.all()), always: NO_VIEWS }
  }

  return { visible, visibleBefore }
}

/** Whether subscribers may read a record now: it and its references may have changed since the event. */
export const createPresentRights = ({ unitOfWork, clock, storageOf, states }: ViewDeps) => {
  /** The record now; as it was last if it is gone. */
  const latest = (set: ViewSet, { position, subjectId, data }: Pick<LoggedEvent, 'position' | 'subjectId' | 'data'>) =>
    unitOfWork.read(async (tx) => {
      if ((await tx.events.last()) === position) return null
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
    if (views.length === 0) return NO_VIEWS
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
        // The records that a deleted record referenced may have been deleted with it.
        return state === null && now.isGone ? (states.at(target, id, event.position - 1) ?? null) : state
      },
    }
    const allowed = new Set<RecordView>()
    for (const view of views) {
      for (;;) {
        missing.clear()
        const isAllowed = isTrue(view.rule, environment)
        if (isAllowed && missing.size === 0) allowed.add(view)
        if (missing.size === 0) break
        const found = await unitOfWork.read((tx) => readNow(tx, missing, storageOf))
        for (const [key, state] of found) known.set(key, state)
      }
    }
    return allowed
  }
}
