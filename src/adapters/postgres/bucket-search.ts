import type { Matching, Step } from '../sql/search-source.ts'
import { type Connection, type Int8, int, intOrNull } from './connection.ts'
import { bucketOf, isExact, LARGE_BUCKET_BITS, queryOf, SMALL_BUCKET_BITS } from './words.ts'

/** Ids per statement; fewer if their text must be read. */
const MAX_STEP_COUNT = { exact: 1_000, tested: 200 } as const
/** The cost of a statement, in the units of a search: its round trip and the work of Postgres. */
const STATEMENT_COST = 1_000
/** With fewer matches in a small bucket, the next one is large. */
const MIN_SMALL_BUCKET_COUNT = 16

/** The newest row before an id, of one collection if its id is given. */
const newestBefore = async (
  { read }: Connection,
  table: string,
  before: number,
  collectionId: number | undefined,
): Promise<number | null> => {
  const [row] =
    collectionId === undefined
      ? await read<{ id: Int8 | null }>(`SELECT max(id) AS id FROM ${table} WHERE id < $1`, before)
      : await read<{ id: Int8 | null }>(
          `SELECT max(id) AS id FROM ${table} WHERE collection_id = $1 AND id < $2`,
          collectionId,
          before,
        )
  return intOrNull(row?.id ?? null)
}

/** Searches one bucket after the other, the newest first. */
export const createBucketSearch = (
  connection: Connection,
  table: string,
  words: readonly string[],
  matching: Matching,
) => {
  const { collectionId, before } = matching
  const exact = isExact(words)
  const limit = exact ? MAX_STEP_COUNT.exact : MAX_STEP_COUNT.tested
  let end = before
  let bits = SMALL_BUCKET_BITS
  let isBounded = false

  return async (): Promise<Step> => {
    if (!isBounded) {
      const newest = await newestBefore(connection, table, end, collectionId)
      if (newest === null) return { ids: [], reached: null, cost: STATEMENT_COST, isExact: exact }
      end = newest + 1
      isBounded = true
    }
    const bucket = bucketOf(end - 1, bits)
    const start = bucket * 2 ** bits
    // Matches are sorted separately, so that the planner never scans the table in the order of ids until enough rows
    // match.
    const [found, newest] = await Promise.all([
      connection.read<{ id: Int8 }>(
        `WITH found AS MATERIALIZED (SELECT id FROM ${table} WHERE words @@ $1::tsquery AND id >= $2 AND id < $3)
         SELECT id FROM found ORDER BY id DESC LIMIT ${limit}`,
        queryOf(words, matching, bits, bucket),
        start,
        end,
      ),
      // Other collections may have filled the buckets between two records.
      collectionId === undefined ? start - 1 : newestBefore(connection, table, start, collectionId),
    ])
    const ids = found.map(({ id }) => int(id))
    const isWhole = ids.length < limit
    bits = isWhole && ids.length < MIN_SMALL_BUCKET_COUNT ? LARGE_BUCKET_BITS : SMALL_BUCKET_BITS
    end = isWhole ? (newest ?? -1) + 1 : (ids.at(-1) ?? start)
    return { ids, reached: end <= 0 ? null : end, cost: STATEMENT_COST, isExact: exact }
  }
}
