import { MAX_COST } from './search-source.ts'
import { createStepQueue, type RunStep, runAtOnce } from './step-queue.ts'

/** Costs are in the units of a search, about 0.25 µs. */
const COST = { seek: 40, entry: 2, row: 20, bytesPerUnit: 50, evaluationStepsPerUnit: 12 } as const

/** The longest time that a step evaluates conditions. */
export const MAX_STEP_MS = 2
/** The text that a step reads. */
export const MAX_STEP_BYTES = 131_072
/** The entries that a step reads, and the parts of indexes in which it looks for them. */
export const MAX_STEP_ENTRIES_COUNT = 1_000
export const MAX_STEP_SEEKS_COUNT = 200
/** Ids of a statement that reads records. */
export const MAX_STEP_ROWS_COUNT = 100

/** A request that has cost more is long, and lets others go first: 0.5 ms. */
const LONG_COST = MAX_COST / 200
/** Each may have ten thousand positions and a thousand referenced records in memory. */
const MAX_LONG_READS_COUNT = 8

/** Counts what a request has cost. When it is spent, the request returns what it has found so far, with a cursor. */
export interface Budget extends Disposable {
  readonly isSpent: boolean
  /** Whether this part of the whole is spent. */
  isSpentTo(part: number): boolean
  addCost(units: number): void
  addEntries(seekCount: number, entryCount: number): void
  addRows(count: number, bytes: number): void
  addEvaluation(steps: number): void
  /** Runs a step when it is the turn of the account that the request is for. Steps of one request must not overlap. */
  readonly run: <T>(step: () => T | Promise<T>) => Promise<T>
}

const longReads = createStepQueue({ limit: MAX_LONG_READS_COUNT })

/** Resolves when there is room for another long read of this account, with what makes room for the next. */
const beginLongRead = (account: number | null): Promise<() => void> =>
  new Promise((resolve) => {
    const { promise: ended, resolve: end } = Promise.withResolvers<void>()
    void longReads(account, () => {
      resolve(end)
      return ended
    })
  })

/** Dispose of it when the request has been answered. */
export const createBudget = (runStep: RunStep, account: number | null): Budget => {
  let cost = 0
  let endLongRead: (() => void) | null = null
  return {
    get isSpent() {
      return cost >= MAX_COST
    },
    isSpentTo: (part) => cost >= MAX_COST * part,
    addCost(units) {
      cost += units
    },
    addEntries(seekCount, entryCount) {
      cost += seekCount * COST.seek + entryCount * COST.entry
    },
    addRows(count, bytes) {
      cost += count * COST.row + bytes / COST.bytesPerUnit
    },
    addEvaluation(steps) {
      cost += steps / COST.evaluationStepsPerUnit
    },
    async run(step) {
      const isLong = cost > LONG_COST
      // Inside a transaction, nothing else may be awaited.
      if (isLong && runStep !== runAtOnce) endLongRead ??= await beginLongRead(account)
      return runStep(account, step, isLong)
    },
    [Symbol.dispose]: () => endLongRead?.(),
  }
}
