import { RECORD_TABLES, type RecordTable } from '../sql/record-table.ts'
import { type Int8, int } from './connection.ts'
import type { Pool } from './pool.ts'
import { bucketsOf, vectorOf } from './words.ts'

interface Unindexed {
  readonly id: Int8
  readonly owner_id: Int8
  readonly version: number
  readonly [column: string]: unknown
}

/** Limit of one step. */
const MAX_STEP_COUNT = 50
const MAX_STEP_CHARACTERS = 8_192

const indexBatch = async (pool: Pick<Pool, 'query'>, table: RecordTable): Promise<boolean> => {
  const { name, collection, textOf } = table
  const rows = await pool.query<Unindexed>(
    `SELECT id, owner_id, ${collection.search.join(', ')}, version FROM ${name}
     WHERE words_version IS DISTINCT FROM version ORDER BY id DESC LIMIT ${MAX_STEP_COUNT}`,
  )
  let characters = 0
  const given = []
  for (const row of rows) {
    if (characters >= MAX_STEP_CHARACTERS) break
    const text = textOf(row)
    characters += text.length
    given.push({ id: int(row.id), version: row.version, words: vectorOf({ text, ownerId: int(row.owner_id) }) })
  }
  if (given.length === 0) return false
  // Locked rows are skipped until later, because waiting for one could deadlock with the unit that has locked it.
  await pool.query(
    `WITH given AS (SELECT * FROM json_to_recordset($1::text::json) AS rows (id bigint, version integer, words text)),
       free AS (SELECT id FROM ${name} WHERE id IN (SELECT id FROM given) FOR NO KEY UPDATE SKIP LOCKED)
     UPDATE ${name} SET words = given.words::tsvector || ${bucketsOf(`${name}.id`)}, words_version = given.version
     FROM given JOIN free USING (id) WHERE ${name}.id = given.id AND ${name}.version = given.version`,
    JSON.stringify(given),
  )
  return true
}

/**
 * The records whose indexed words are not those of their version: after a migration all records, later those written by
 * an older release that runs next to this one.
 */
export const createUnindexedRecords = (pool: Pick<Pool, 'query'>) => ({
  /** Indexes some of them, newest first. False if there were none. */
  async step(): Promise<boolean> {
    for (const table of RECORD_TABLES) {
      if (table.collection.search.length > 0 && (await indexBatch(pool, table))) return true
    }
    return false
  },
})
