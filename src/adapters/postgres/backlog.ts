import { type Int8, int } from './connection.ts'
import type { Pool } from './pool.ts'
import { bucketsOf, vectorOf } from './words.ts'

interface Unindexed {
  readonly id: Int8
  readonly owner_id: Int8
  readonly title: string
  readonly description: string | null
  readonly version: number
}

/** What one step indexes. */
const MAX_STEP_COUNT = 50
const MAX_STEP_CHARACTERS = 8_192

/**
 * The items whose words are not those of their version: after a migration all of them, later those that an
 * older program beside this one wrote.
 */
export const createBacklog = (pool: Pick<Pool, 'query'>) => ({
  /** Indexes some of them, newest first. False when there were none. */
  async step(): Promise<boolean> {
    const rows = await pool.query<Unindexed>(
      `SELECT id, owner_id, title, description, version FROM items
       WHERE words_version IS DISTINCT FROM version ORDER BY id DESC LIMIT ${MAX_STEP_COUNT}`,
    )
    let characters = 0
    const given = []
    for (const { id, owner_id, title, description, version } of rows) {
      if (characters >= MAX_STEP_CHARACTERS) break
      characters += title.length + (description?.length ?? 0)
      given.push({ id: int(id), version, words: vectorOf({ title, description, ownerId: int(owner_id) }) })
    }
    if (given.length === 0) return false
    // A row that somebody has locked is left for later: whoever waits here for one could lock another that they need.
    await pool.query(
      `WITH given AS (SELECT * FROM json_to_recordset($1::text::json) AS rows (id bigint, version integer, words text)),
         free AS (SELECT id FROM items WHERE id IN (SELECT id FROM given) FOR NO KEY UPDATE SKIP LOCKED)
       UPDATE items SET words = given.words::tsvector || ${bucketsOf('items.id')}, words_version = given.version
       FROM given JOIN free USING (id) WHERE items.id = given.id AND items.version = given.version`,
      JSON.stringify(given),
    )
    return true
  },
})
