import type { Expression } from '../../domain/expression.ts'
import { isTrue } from '../../domain/expression-evaluation.ts'
import type { StoredRecord } from '../../domain/record.ts'
import type { Instant } from '../../domain/user.ts'
import { costOfMatching, matchesWords } from '../../domain/words.ts'
import { type Budget, MAX_STEP_BYTES, MAX_STEP_MS, MAX_STEP_ROWS_COUNT } from './record-budget.ts'
import type { References } from './record-references.ts'
import type { RecordSource } from './record-source.ts'

/** What a record must meet to be listed. */
export interface RecordTest {
  readonly condition: Expression
  readonly createdAfter: Instant | null
  readonly createdBefore: Instant | null
  readonly words: readonly string[]
  textOf(record: StoredRecord): string
}

/** The cost of matching words, in evaluation steps. */
const WORD_COST_STEPS = 12

interface Parts {
  readonly source: RecordSource
  readonly references: References
  readonly budget: Budget
}

const isWithin = ({ createdAfter, createdBefore }: RecordTest, { createdAt }: StoredRecord): boolean =>
  (createdAfter === null || createdAt > createdAfter) && (createdBefore === null || createdAt < createdBefore)

/** Reads records by their ids and tests them. */
export const createRecordTester = (test: RecordTest, { source, references, budget }: Parts) => {
  /** Null if that depends on a referenced record that is not loaded. */
  const passes = (record: StoredRecord): boolean | null => {
    if (!isWithin(test, record)) return false
    const { words, condition } = test
    if (words.length > 0) {
      const text = test.textOf(record)
      budget.addEvaluation(costOfMatching(text) * WORD_COST_STEPS)
      if (!matchesWords(text, words)) return false
    }
    const meter = { steps: 0 }
    const result = isTrue(condition, { record, referenced: references.find }, meter)
    budget.addEvaluation(meter.steps)
    return references.takeMissed() && !result ? null : result
  }

  /** Tests records in order until the time of a step is over; returns how many. */
  const testSome = (records: readonly StoredRecord[], passed: StoredRecord[], open: StoredRecord[]): number => {
    const startedAt = performance.now()
    let at = 0
    for (const record of records) {
      const result = passes(record)
      if (result === true) passed.push(record)
      if (result === null) open.push(record)
      at++
      if (performance.now() - startedAt >= MAX_STEP_MS) break
    }
    return at
  }

  /** Those that pass, in no order. */
  const testAll = async (records: readonly StoredRecord[]): Promise<readonly StoredRecord[]> => {
    const passed: StoredRecord[] = []
    let left = records
    while (left.length > 0) {
      const open: StoredRecord[] = []
      for (let at = 0; at < left.length; ) {
        const rest = left.slice(at)
        at += at === 0 ? testSome(rest, passed, open) : await budget.run(() => testSome(rest, passed, open))
      }
      if (open.length > 0) await references.load()
      left = open
    }
    return passed
  }

  /** Reads some records in the order of the ids, and returns how many ids it has read, and the records that pass. */
  return async (
    ids: readonly number[],
  ): Promise<{ readonly readCount: number; readonly passed: ReadonlyMap<number, StoredRecord> }> => {
    const { records, readCount, bytes } = await budget.run(() =>
      source.records(ids.slice(0, MAX_STEP_ROWS_COUNT), MAX_STEP_BYTES),
    )
    budget.addRows(readCount, bytes)
    const passed = await testAll(records)
    return { readCount, passed: new Map(passed.map((record) => [record.id, record])) }
  }
}

export type TestRecords = ReturnType<typeof createRecordTester>
