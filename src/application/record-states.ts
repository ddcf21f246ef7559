import { DEFINITIONS, type LoggedEvent } from '../domain/event.ts'
import type { Referenced } from '../domain/expression-evaluation.ts'
import { isDeletion } from '../domain/record.ts'
import type { Awaitable } from './awaitable.ts'
import type { ReadTx, UnitOfWork } from './ports/persistence.ts'
import { readReferenced, type StorageOf } from './referenced-rows.ts'

export interface Subject {
  readonly target: string
  readonly id: number
}

/** By {@link subjectKey}. */
export type Subjects = Map<string, Subject>

export const subjectKey = (target: string, id: number): string => `${target}/${id}`

/**
 * The states of referenced records at the position that a reader of the log has reached, and before: see
 * {@link RecordStates.at}.
 */
export interface RecordStates {
  /**
   * Call it with every event, in order, with the subject before the change. Returns the position of the last event of the
   * same subject that is remembered, or 0.
   */
  advance(event: LoggedEvent, previous: Referenced | null, isReferenced: boolean): number
  /** The state at a position; undefined if it is not loaded. */
  at(target: string, id: number, position: number): Referenced | null | undefined
  /** Loads states at the current position. */
  load(subjects: Subjects): Promise<void>
  /**
   * The position of the last remembered event of a subject, or 0. All are remembered while there are replaced states.
   */
  lastEventOf(target: string, id: number): number
  /** The remembered positions after `since` at which the state of one of these subjects was replaced. */
  replacementsOf(keys: Iterable<string>, since: number): readonly number[]
  /**
   * The state that the current event has replaced is remembered until the reader is beyond this position: records that
   * referred to its subject, but were found to have changed meanwhile, have their own event by then. The same holds for
   * what was replaced before of the subjects with these keys, if the current event has followed that further.
   */
  rememberUntil(position: number, keys?: Iterable<string>): void
  /** The highest position given to {@link rememberUntil}. */
  rememberedUntil(): number
  /** Whether more was replaced than can be remembered. It is forgotten then. */
  forgetIfTooMuch(): boolean
  /** Remembers also what another reader does, which has reached the same position. */
  adopt(other: RecordStates): void
  readonly memory: Memory
  clear(): void
}

interface Replaced {
  readonly position: number
  readonly state: Referenced | null
  until: number
}

export interface Memory {
  /** By subject, in the order of their positions. */
  readonly replaced: Map<string, Replaced[]>
  readonly lastEvents: Map<string, number>
}

interface Deps {
  readonly unitOfWork: UnitOfWork
  readonly storageOf: StorageOf
  readonly maxReplacedCount: number
  /** Where the reader begins. */
  readonly position: number
}

const MAX_LOADED_COUNT = 1_000
const MAX_LAST_EVENTS_COUNT = 20_000

const groupByTarget = (subjects: Subjects): ReadonlyMap<string, readonly number[]> => {
  const groups = new Map<string, number[]>()
  for (const { target, id } of subjects.values()) {
    const ids = groups.get(target)
    if (ids === undefined) groups.set(target, [id])
    else ids.push(id)
  }
  return groups
}

/** The current states of these subjects: null for those that do not exist. */
export const readNow = async (
  tx: ReadTx,
  subjects: Subjects,
  storageOf: StorageOf,
): Promise<ReadonlyMap<string, Referenced | null>> => {
  const states = new Map<string, Referenced | null>()
  for (const [target, ids] of groupByTarget(subjects)) {
    for (const id of ids) states.set(subjectKey(target, id), null)
    for (const each of await readReferenced(tx, storageOf, target, ids)) {
      states.set(subjectKey(target, Number(each.id)), each)
    }
  }
  return states
}

/** The first event of a subject after a position. */
export const firstEventAfter = async (
  tx: ReadTx,
  { target, id }: Subject,
  after: number,
): Promise<LoggedEvent | null> => {
  const scope = { kind: target, subjectId: id }
  const { events } = await tx.events.chunk({ scope, after, maxCount: 1, maxBytes: Number.MAX_SAFE_INTEGER })
  return events[0] ?? null
}

/** The subject before the change, if the event shows it. */
const shownBefore = ({ event, data, previous }: LoggedEvent): Referenced | null | undefined => {
  if (previous !== undefined) return previous
  if (isDeletion(event)) return data
  return event.endsWith('.created') ? null : undefined
}

/** The subject before the change, as the event before left it. */
const leftBefore = async (tx: ReadTx, { kind, subjectId, position }: LoggedEvent): Promise<Referenced | undefined> => {
  const query = { kind, subjectId, before: position, maxCount: 1, maxBytes: Number.MAX_SAFE_INTEGER }
  return (await tx.events.newestOf(query)).events[0]?.data
}

/**
 * The subject before the change; undefined if it is not in the log, which always has it only for collections defined at
 * run time.
 */
export const previousOf = (
  read: <T>(work: (tx: ReadTx) => Promise<T>) => Promise<T>,
  event: LoggedEvent,
): Awaitable<Referenced | null | undefined> => {
  const shown = shownBefore(event)
  return shown === undefined ? read((tx) => leftBefore(tx, event)) : shown
}

const createMemory = (maxReplacedCount: number) => {
  const memory: Memory = { replaced: new Map(), lastEvents: new Map() }
  const { replaced, lastEvents } = memory
  let count = 0

  const clear = () => {
    replaced.clear()
    lastEvents.clear()
    count = 0
  }

  /** Forgets what the reader does not need beyond this position. */
  const trim = (position: number): void => {
    if (count === 0) return
    for (const [key, list] of replaced) {
      const left = list.filter(({ until }) => until >= position)
      count -= list.length - left.length
      if (left.length === 0) replaced.delete(key)
      else replaced.set(key, left)
    }
    if (count === 0) lastEvents.clear()
  }

  return {
    memory,
    clear,
    trim,
    add(key: string, entry: Replaced): Replaced {
      const list = replaced.get(key)
      const known = list?.find(({ position }) => position === entry.position)
      // Another reader may have come to the same event later, and have left more to later ones.
      if (known !== undefined) known.until = Math.max(known.until, entry.until)
      if (known !== undefined) return known
      count++
      const entries = [...(list ?? []), entry]
      replaced.set(
        key,
        entries.sort((one, other) => one.position - other.position),
      )
      return entry
    },
    isEmpty: () => count === 0,
    isFull: () => count > maxReplacedCount || lastEvents.size > MAX_LAST_EVENTS_COUNT,
  }
}

export const createRecordStates = ({
  unitOfWork,
  storageOf,
  maxReplacedCount,
  position: start,
}: Deps): RecordStates => {
  let current = start
  /** States at the current position. */
  const loaded = new Map<string, Referenced | null>()
  const { memory, ...remembered } = createMemory(maxReplacedCount)
  let newest: Replaced | null = null
  let rememberedUntil = 0

  const trimLoaded = () => {
    for (const key of loaded.keys()) {
      if (loaded.size <= MAX_LOADED_COUNT) break
      loaded.delete(key)
    }
  }

  return {
    memory,
    advance({ position, kind, subjectId, event, data }, previous, isReferenced) {
      current = position
      remembered.trim(position)
      trimLoaded()
      // With a large deletion, many records disappear at once.
      if (kind === DEFINITIONS) loaded.clear()
      const key = subjectKey(kind, subjectId)
      if (loaded.has(key)) loaded.set(key, isDeletion(event) ? null : data)
      newest = isReferenced ? remembered.add(key, { position, state: previous, until: Number.POSITIVE_INFINITY }) : null
      const before = memory.lastEvents.get(key) ?? 0
      if (!remembered.isEmpty()) memory.lastEvents.set(key, position)
      return before < position ? before : 0
    },
    at(target, id, position) {
      const key = subjectKey(target, id)
      const replaced = memory.replaced.get(key)?.find((entry) => entry.position > position)
      return replaced === undefined ? loaded.get(key) : replaced.state
    },
    async load(subjects) {
      const position = current
      const states = await unitOfWork.read(async (tx) => {
        const found = new Map(await readNow(tx, subjects, storageOf))
        // Read after the rows: a row without a later event is as it was at the position.
        if ((await tx.events.last()) === position) return found
        for (const [key, subject] of subjects) {
          const later = await firstEventAfter(tx, subject, position)
          const before = later === null ? undefined : await previousOf((work) => work(tx), later)
          if (before !== undefined) found.set(key, before)
        }
        return found
      })
      for (const [key, state] of states) loaded.set(key, state)
    },
    lastEventOf: (target, id) => memory.lastEvents.get(subjectKey(target, id)) ?? 0,
    replacementsOf(keys, since) {
      const positions: number[] = []
      for (const key of keys) {
        for (const { position } of memory.replaced.get(key) ?? []) if (position > since) positions.push(position)
      }
      return positions
    },
    rememberedUntil: () => rememberedUntil,
    rememberUntil(position, keys = []) {
      rememberedUntil = Math.max(rememberedUntil, position)
      if (newest !== null) newest.until = position
      for (const key of keys) {
        for (const entry of memory.replaced.get(key) ?? []) entry.until = Math.max(entry.until, position)
      }
    },
    forgetIfTooMuch() {
      if (!remembered.isFull()) return false
      remembered.clear()
      return true
    },
    adopt(other) {
      for (const [key, list] of other.memory.replaced) {
        for (const entry of list) if (entry.until > current) remembered.add(key, { ...entry })
      }
      if (remembered.isEmpty()) return
      for (const [key, position] of other.memory.lastEvents) {
        memory.lastEvents.set(key, Math.max(position, memory.lastEvents.get(key) ?? 0))
      }
    },
    clear() {
      remembered.clear()
      loaded.clear()
    },
  }
}

/** Which of these subjects have events after a position. */
export const createLaterEvents =
  (unitOfWork: UnitOfWork) =>
  (target: string, ids: readonly number[], position: number): Promise<ReadonlySet<number>> =>
    unitOfWork.read(async (tx) => {
      const later = new Set<number>()
      if ((await tx.events.last()) === position) return later
      for (const id of ids) {
        if ((await firstEventAfter(tx, { target, id }, position)) !== null) later.add(id)
      }
      return later
    })
