import { collections, records } from '../sql/entities.ts'
import type { Row } from '../sql/entity.ts'
import { RECORD_TABLES } from '../sql/record-table.ts'
import { isSearched, textOfRow } from '../sql/stored-records.ts'
import { type Int8, int, intOrNull } from './connection.ts'
import type { Pool } from './pool.ts'
import { columnsOf } from './record-list.ts'
import { bucketsOf, type IndexedText, vectorOf } from './words.ts'

interface Unindexed extends Row {
  readonly id: Int8
  readonly owner_id: Int8 | null
  readonly version: number
}

/** A table of records with an index of their words. */
interface TextTable {
  readonly name: string
  readonly columns: string
  /** Returns what tells the text of each of these rows; null for a row that has no words. */
  readonly prepare: (pool: Pick<Pool, 'query'>, rows: readonly Unindexed[]) => Promise<(row: Unindexed) => Text | null>
}

type Text = Omit<IndexedText, 'ownerId'>

/** Limit of one step. */
const MAX_STEP_COUNT = 50
const MAX_STEP_CHARACTERS = 8_192

const TEXT_TABLES: readonly TextTable[] = [
  ...RECORD_TABLES.filter(({ collection }) => collection.search.length > 0).map(
    (table): TextTable => ({
      name: table.name,
      columns: columnsOf(table),
      prepare: async () => (row) => ({ text: table.textOf(row) }),
    }),
  ),
  {
    name: 'records',
    columns: Object.keys(records.columns).join(', '),
    async prepare(pool, rows) {
      const ids = new Set(rows.map(({ collection_id }) => String(collection_id)))
      const found = await pool.query<Row>(
        `SELECT ${Object.keys(collections.columns).join(', ')} FROM collections WHERE id = ANY ($1::bigint[])`,
        `{${[...ids].join()}}`,
      )
      const stored = new Map(found.map(collections.fromRow).map((each) => [each.id, each]))
      return (row) => {
        const collection = stored.get(Number(row.collection_id))
        if (collection === undefined || !isSearched(collection)) return null
        return { text: textOfRow(collection, row), collectionId: collection.id }
      }
    },
  },
]

const indexBatch = async (pool: Pick<Pool, 'query'>, { name, columns, prepare }: TextTable): Promise<boolean> => {
  const rows = await pool.query<Unindexed>(
    `SELECT ${columns} FROM ${name} WHERE words_version IS DISTINCT FROM version
     ORDER BY id DESC LIMIT ${MAX_STEP_COUNT}`,
  )
  if (rows.length === 0) return false
  const textOf = await prepare(pool, rows)
  let characters = 0
  const given = []
  for (const row of rows) {
    if (characters >= MAX_STEP_CHARACTERS) break
    const text = textOf(row)
    characters += text?.text.length ?? 0
    const words = text && vectorOf({ ...text, ownerId: intOrNull(row.owner_id) })
    given.push({ id: int(row.id), version: row.version, words })
  }
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
    for (const table of TEXT_TABLES) if (await indexBatch(pool, table)) return true
    return false
  },
})
