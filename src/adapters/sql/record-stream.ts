import type { RowPosition } from '../../domain/page.ts'
import { type Budget, MAX_STEP_ENTRIES_COUNT, MAX_STEP_SEEKS_COUNT } from './record-budget.ts'
import { comparePositions } from './record-layout.ts'
import type { Entry, EntryRange, Order, RecordSource } from './record-source.ts'

/** The entries of several orders, merged. */
export interface EntryStream {
  /** The next entries; fewer than `count` only at the end. */
  next(count: number): Promise<readonly Entry[]>
}

interface Part {
  readonly order: Order
  buffer: readonly Entry[]
  at: number
  isDone: boolean
}

const MIN_PIECE_COUNT = 2
const MAX_PIECE_COUNT = 500

/** Keeps parts with the first one in front, as a binary heap. */
const createHeap = (isBefore: (one: Part, other: Part) => boolean) => {
  const heap: Part[] = []
  const swap = (at: number, other: number) => {
    const [one, two] = [heap[at], heap[other]]
    if (one === undefined || two === undefined) return
    heap[at] = two
    heap[other] = one
  }
  const isOrdered = (at: number, child: number): boolean => {
    const [parent, below] = [heap[at], heap[child]]
    return parent === undefined || below === undefined || !isBefore(below, parent)
  }
  return {
    get first() {
      return heap[0]
    },
    add(part: Part) {
      heap.push(part)
      for (let at = heap.length - 1; at > 0; ) {
        const parent = (at - 1) >> 1
        if (isOrdered(parent, at)) return
        swap(parent, at)
        at = parent
      }
    },
    /** Call it when the first part has changed. */
    sink() {
      for (let at = 0; ; ) {
        const [left, right] = [2 * at + 1, 2 * at + 2]
        const child = isOrdered(at, left) ? right : isOrdered(left, right) ? left : right
        if (isOrdered(at, child)) return
        swap(at, child)
        at = child
      }
    },
    removeFirst() {
      const last = heap.pop()
      if (last === undefined || heap.length === 0) return
      heap[0] = last
      this.sink()
    },
  }
}

/** Reads entries step by step, each id once. All orders must be sorted in the same way. */
export const createEntryStream = (
  source: RecordSource,
  orders: readonly Order[],
  range: EntryRange,
  budget: Budget,
): EntryStream => {
  const headOf = ({ buffer, at }: Part): Entry | undefined => buffer[at]
  const sign = range.descending ? -1 : 1
  const heap = createHeap((one, other) => {
    const [head, otherHead] = [headOf(one), headOf(other)]
    return head !== undefined && otherHead !== undefined && sign * comparePositions(head, otherHead) < 0
  })
  const parts = orders.map((order): Part => ({ order, buffer: [], at: 0, isDone: false }))
  let hasBegun = false
  let pieceCount = MIN_PIECE_COUNT
  let last: RowPosition | null = null
  /** The part whose entries have run out. */
  let empty: Part | null = null

  const fill = async (some: readonly Part[], after: RowPosition | null, limit: number): Promise<void> => {
    const those = some.map(({ order }) => order)
    const found = await budget.run(() => source.entries(those, { ...range, after }, limit))
    let count = 0
    for (const [n, part] of some.entries()) {
      part.buffer = found[n] ?? []
      part.at = 0
      part.isDone = part.buffer.length < limit
      count += part.buffer.length
    }
    budget.addEntries(some.length, count)
  }

  const begin = async (count: number): Promise<void> => {
    hasBegun = true
    // The parts do not contribute evenly.
    const wanted = parts.length === 1 ? count : Math.ceil((2 * count) / Math.max(1, parts.length))
    pieceCount = Math.max(MIN_PIECE_COUNT, wanted)
    const perStep = Math.min(MAX_STEP_SEEKS_COUNT, Math.max(1, Math.floor(MAX_STEP_ENTRIES_COUNT / pieceCount)))
    for (let at = 0; at < parts.length; at += perStep) {
      await fill(parts.slice(at, at + perStep), range.after, Math.min(pieceCount, MAX_PIECE_COUNT))
    }
    for (const part of parts) if (headOf(part) !== undefined) heap.add(part)
  }

  const refill = async (part: Part): Promise<void> => {
    pieceCount = Math.min(MAX_PIECE_COUNT, pieceCount * 2)
    await fill([part], last, pieceCount)
    settle(part)
  }

  /** Puts the first part, whose head has changed, where it belongs. */
  const settle = (part: Part): void => {
    empty = null
    if (headOf(part) !== undefined) heap.sink()
    else if (part.isDone) heap.removeFirst()
    else empty = part
  }

  return {
    async next(count) {
      if (!hasBegun) await begin(count)
      const entries: Entry[] = []
      while (entries.length < count) {
        if (empty !== null) await refill(empty)
        const part = heap.first
        const entry = part && headOf(part)
        if (part === undefined || entry === undefined) break
        if (last === null || comparePositions(entry, last) !== 0) entries.push(entry)
        last = entry
        part.at++
        settle(part)
      }
      return entries
    },
  }
}

/** Every id in these orders, up to `limit`; null if there are more. */
export const collectIds = async (
  source: RecordSource,
  orders: readonly Order[],
  range: Pick<EntryRange, 'createdAfter' | 'createdBefore'>,
  limit: number,
  budget: Budget,
): Promise<ReadonlySet<number> | null> => {
  const ids = new Set<number>()
  /** Reads on in several orders; returns the positions of those that may have more. */
  const read = async (some: readonly Order[], after: RowPosition | null): Promise<readonly (Entry | null)[]> => {
    const limit = Math.floor(MAX_STEP_ENTRIES_COUNT / some.length)
    const from: EntryRange = { ...range, after, descending: false }
    const found = await budget.run(() => source.entries(some, from, limit))
    return found.map((entries) => {
      budget.addEntries(1, entries.length)
      for (const { id } of entries) ids.add(id)
      return entries.length < limit ? null : (entries.at(-1) ?? null)
    })
  }
  for (let at = 0; at < orders.length; at += MAX_COLLECTED_TOGETHER_COUNT) {
    const some = orders.slice(at, at + MAX_COLLECTED_TOGETHER_COUNT)
    const reached = await read(some, null)
    for (const [n, order] of some.entries()) {
      for (let after = reached[n] ?? null; after !== null; ) {
        if (ids.size > limit || budget.isSpent) return null
        after = (await read([order], after))[0] ?? null
      }
    }
    if (ids.size > limit || budget.isSpent) return null
  }
  return ids
}

const MAX_COLLECTED_TOGETHER_COUNT = 50

/** The number of entries, from the indexes alone; stops beyond `limit`. */
export const countEntries = async (
  source: RecordSource,
  orders: readonly Order[],
  range: Pick<EntryRange, 'createdAfter' | 'createdBefore'>,
  limit: number,
  budget: Budget,
): Promise<number> => {
  let count = 0
  for (let at = 0; at < orders.length && count <= limit; at += MAX_STEP_SEEKS_COUNT) {
    const some = orders.slice(at, at + MAX_STEP_SEEKS_COUNT)
    const left = limit + 1 - count
    count += await budget.run(() => source.count(some, range, left))
    budget.addEntries(some.length, 0)
  }
  budget.addEntries(0, count / COUNTED_PER_ENTRY)
  return count
}

/** Entries that are counted in the time in which one is read. */
const COUNTED_PER_ENTRY = 8
