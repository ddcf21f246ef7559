import { MAX_TOTAL_COUNT, type PageRequest, type RowPosition } from '../../domain/page.ts'
import type { Instant } from '../../domain/user.ts'
import { costOfMatching, matchesWords } from '../../domain/words.ts'

export interface Query<Field extends string> extends PageRequest<Field> {
  /** Null for all owners. */
  readonly ownerId: number | null
  readonly createdAfter: Instant | null
  readonly createdBefore: Instant | null
}

/** The parts of a row that are tested and sorted by. */
export interface Candidate {
  readonly id: number
  readonly ownerId: number
  readonly createdAt: Instant
  /** The sort key. */
  readonly key: string | number
  readonly text: string
}

/** The result of one step of a text index search. */
export interface Step {
  /** Newest first. */
  readonly ids: readonly number[]
  /** Further matches, if only their number was wanted. */
  readonly counted?: number
  /** No further match is at or above this id; null if there are no more matches. */
  readonly reached: number | null
  readonly cost: number
  /** Whether every id is a match with regard to words and owner. */
  readonly isExact: boolean
}

/** Runs one step. A caller that wants no more ids may get the number of matches instead, which costs less. */
export type RunMatching<Result> = (countsOnly?: boolean) => Result

export interface Matching {
  readonly ownerId: number | null
  /** The id of a collection defined at run time, all of which share one index. */
  readonly collectionId?: number
  /** Ids from this one on are excluded. */
  readonly before: number
}

/** A table and its text index. The cost of each operation is bounded for any data and query. */
export interface SearchSource<Field extends string, T> {
  /** Searches the text index, step by step. */
  matching(words: readonly string[], matching: Matching): RunMatching<Step | Promise<Step>>
  /** Rows that may be read in one step, though each may have to come from the disk. */
  readonly maxCandidatesCount: number
  /** Those of the given rows that still exist, in no order; with their text only if requested. */
  candidates(
    ids: readonly number[],
    options: { readonly field: Field; readonly withText: boolean },
  ): readonly Candidate[] | Promise<readonly Candidate[]>
  /** Up to {@link WALK_PIECE_COUNT} rows of an owner in the order of the sort. The caller may have to check dates. */
  walk(
    query: Query<Field>,
    options: { readonly after: RowPosition | null; readonly withText: boolean },
  ): readonly Candidate[] | Promise<readonly Candidate[]>
  /** In the order of the ids; without deleted rows. */
  rows(ids: readonly number[]): readonly T[] | Promise<readonly T[]>
  /** Counts without regard to words, up to one beyond {@link MAX_TOTAL_COUNT}. */
  count(query: Query<Field>): number | Promise<number>
}

export const WALK_PIECE_COUNT = 100

/** The maximum cost of a request, in units of about 0.25 µs: 100 ms. The rest is left to the next page. */
export const MAX_COST = 400_000
/** The maximum cost of a step, in units of about 0.25 µs: 1 ms. */
export const MAX_STEP_COST = 4_000
/** The cost of reading one row to test it. */
const ROW_COST = 20

const costOf = ({ text }: Candidate): number => ROW_COST + costOfMatching(text)

/** Splits work into parts of about the cost of one step. */
export const partsOf = (candidates: readonly Candidate[]): readonly { rows: Candidate[]; cost: number }[] => {
  const parts: { rows: Candidate[]; cost: number }[] = []
  for (const candidate of candidates) {
    const cost = costOf(candidate)
    const last = parts.at(-1)
    if (last === undefined || last.cost + cost > MAX_STEP_COST) parts.push({ rows: [candidate], cost })
    else {
      last.rows.push(candidate)
      last.cost += cost
    }
  }
  return parts
}

/** Whether a row matches the owner, the dates and the words of a query. */
export const matchesQuery = <Field extends string>(
  query: Query<Field>,
  words: readonly string[],
  each: Candidate,
): boolean =>
  (query.ownerId === null || each.ownerId === query.ownerId) &&
  (query.createdAfter === null || each.createdAt > query.createdAfter) &&
  (query.createdBefore === null || each.createdAt < query.createdBefore) &&
  matchesWords(each.text, words)

/** Whether a query limits the time of creation. */
export const isDated = ({
  createdAfter,
  createdBefore,
}: Pick<Query<string>, 'createdAfter' | 'createdBefore'>): boolean => createdAfter !== null || createdBefore !== null
